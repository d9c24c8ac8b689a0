"""What several test modules share."""

import json
import subprocess
import time

import pytest
from botocore.exceptions import ClientError

from local import ROOT
from local.identifiers import ACCOUNT
from local.lab import account, events
from local.templates.resolve import listed

OTHER = "210987654321"
SERVICE_LINKED = "arn:aws:iam::{}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
TRUSTING = account.document(
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
)


def run_example(name, given=None):
    """Runs `examples/NAME.rs` with JSON as its input. Returns the JSON that it prints."""
    command = ["cargo", "run", "--quiet", "--locked", "--example", name]
    ran = subprocess.run(command, cwd=ROOT, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def of_account(number, parameters=None, role=None, invoking=None):
    """An event of an account, as AWS Config sends it: with the service-linked role, unless another was given to the rule."""
    invoking = invoking or {**events.scheduled(), "awsAccountId": number}
    event = events.event(invoking, {"ClusterRegions": "us-east-1", **(parameters or {})})
    return {**event, "accountId": number, "executionRoleArn": role or SERVICE_LINKED.format(number)}


def metrics(lab):
    """The last line of the log in CloudWatch's embedded metric format."""
    return [line for line in map(json.loads, lab.function_log().splitlines()) if "_aws" in line][-1]


def evaluation(number=1, verdict="COMPLIANT", **more):
    return {
        "ComplianceResourceType": "AWS::IAM::Role",
        "ComplianceResourceId": f"AROA{number}",
        "ComplianceType": verdict,
        "OrderingTimestamp": time.time(),
        **more,
    }


def refusal(call, **parameters):
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


def role_policies(resources, role):
    held = {policy["PolicyName"]: policy["PolicyDocument"] for policy in resources[role]["Properties"]["Policies"]}
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            held[resource["Properties"]["PolicyName"]] = resource["Properties"]["PolicyDocument"]
    return held


def actions(documents):
    statements = [statement for document in documents for statement in document["Statement"]]
    return sorted({action for s in statements for action in listed(s["Action"])})
