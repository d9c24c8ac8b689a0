"""Functions and values that several test modules use. This module has no tests."""

import json
import os
import re
import subprocess
import time

import jsonschema
import pytest
from botocore.exceptions import ClientError

from local import ROOT
from local.identifiers import ACCOUNT
from local.lab import events
from local.templates.resolve import listed


def run_example(name, given=None):
    """Runs `examples/NAME.rs` with JSON as its input. Returns the JSON that it prints."""
    command = ["cargo", "run", "--quiet", "--locked", "--example", name]
    ran = subprocess.run(command, cwd=ROOT, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


REPORT_SCHEMA = json.loads((ROOT / "docs" / "reference" / "report.schema.json").read_text())


def check(*arguments, given=None):
    """Runs `ecr-read-only check --format json`. Returns its exit status and the validated report."""
    program = ROOT / os.environ.get("CLI_BINARY", "target/debug/ecr-read-only")
    command = [program, "check", "--format", "json", "--at", "2026-11-23T00:00:00Z", *arguments]
    ran = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False)
    assert ran.stdout, ran.stderr
    report = json.loads(ran.stdout)
    jsonschema.validate(report, REPORT_SCHEMA, cls=jsonschema.Draft202012Validator)
    return ran.returncode, report


def send(lab, event, rule=events.RULE, **more):
    """Sends an event and returns the answer. Fails the test if the invocation fails."""
    answer = lab.send(event, rule, **more)
    assert answer.ok, answer.error
    return answer


def assert_annotation(annotation, role_name, *parts):
    """An annotation has at most 256 characters. The role's name is first, then come `parts` in this order."""
    assert annotation.startswith(role_name), annotation
    assert len(annotation) <= 256, annotation
    at = len(role_name)
    for part in parts:
        at = annotation.lower().find(part.lower(), at)
        assert at >= 0, f"{part!r} is missing or too early in: {annotation}"


def event_of_account(number, parameters=None, role=None, invoking=None):
    """An event of account `number`. Without `role`, the event has the service-linked role of AWS Config."""
    invoking = invoking or {**events.scheduled(), "awsAccountId": number}
    event = events.event(invoking, {"ClusterRegions": "us-east-1", **(parameters or {})})
    return {
        **event,
        "accountId": number,
        "executionRoleArn": role or events.SERVICE_LINKED_ROLE.replace(ACCOUNT, number),
    }


def metrics(lab):
    """The last log line in CloudWatch's embedded metric format."""
    return [line for line in map(json.loads, lab.function_log().splitlines()) if "_aws" in line][-1]


def evaluation(number=1, verdict="COMPLIANT", **more):
    """A valid evaluation for PutEvaluations."""
    return {
        "ComplianceResourceType": "AWS::IAM::Role",
        "ComplianceResourceId": f"AROA{number}",
        "ComplianceType": verdict,
        "OrderingTimestamp": time.time(),
        **more,
    }


def error_code(call, **parameters):
    """The code of the AWS error that a call raises."""
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    return refused.value.response["Error"]["Code"]


def called_actions():
    """The actions of the AWS calls that the code in `src/aws/` makes, such as `iam:GetRole`."""
    sources = [path.read_text() for path in (ROOT / "src" / "aws").glob("*.rs")]
    code = "".join(source.split("#[cfg(test)]\nmod tests")[0] for source in sources)
    return set(re.findall(r'"([a-z]+:[A-Z][A-Za-z]+)"', code))


def role_policies(resources, role):
    """The policy documents of a role in a resolved template, by policy name."""
    documents = {policy["PolicyName"]: policy["PolicyDocument"] for policy in resources[role]["Properties"]["Policies"]}
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Policy":
            documents[resource["Properties"]["PolicyName"]] = resource["Properties"]["PolicyDocument"]
    return documents


def actions(documents):
    """All actions that the policy documents allow, sorted."""
    statements = [s for document in documents for s in document["Statement"] if s["Effect"] == "Allow"]
    return sorted({action for s in statements for action in listed(s["Action"])})
