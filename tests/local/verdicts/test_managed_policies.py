"""Each AWS managed policy in moto's data on its own role. The policies that exceed read-only are a reviewed list.

If the list changes, either moto's data or a verdict has changed. Review each line, then update the list with
`UPDATE_SNAPSHOT=1 make test`.
"""

import json
import os
from pathlib import Path

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from helpers import check

SNAPSHOT = Path(__file__).with_name("managed_policies.json")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def account_details():
    roles, policies = [], []
    for number, (name, policy) in enumerate(sorted(json.loads(aws_managed_policies_data).items())):
        arn = f"arn:aws:iam::aws:policy{policy['Path']}{name}"
        version = {"VersionId": policy["DefaultVersionId"], "IsDefaultVersion": True, "Document": policy["Document"]}
        policies.append({"PolicyName": name, "Arn": arn, "PolicyVersionList": [version]})
        roles.append({
            "RoleName": name,
            "RoleId": f"AROAEXAMPLE{number:010}",
            "Arn": f"arn:aws:iam::123456789012:role/{name}",
            "AssumeRolePolicyDocument": TRUST,
            "InstanceProfileList": [],
            "RolePolicyList": [],
            "AttachedManagedPolicies": [{"PolicyName": name, "PolicyArn": arn}],
            "Tags": [],
        })  # fmt: skip
    return {"RoleDetailList": roles, "Policies": policies}


@pytest.fixture(scope="module")
def report():
    status, report = check("--account-details", "-", "--all-roles", given=json.dumps(account_details()))
    assert status == 1
    return report["roles"]


def test_every_managed_policy_is_decided(report):
    assert len(report) > 1_500
    assert [role["role_name"] for role in report if role["error"] or role["undecided"]] == []


def test_policies_beyond_read_only_are_the_reviewed_ones(report):
    exceeding = {
        role["role_name"]: f"{len(role['excess'])} actions, {role['excess'][0]['action']} first"
        for role in report
        if role["verdict"] == "NON_COMPLIANT"
    }
    if os.environ.get("UPDATE_SNAPSHOT"):
        SNAPSHOT.write_text(json.dumps(exceeding, indent=2) + "\n")
    assert exceeding == json.loads(SNAPSHOT.read_text())
