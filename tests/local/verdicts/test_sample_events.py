"""The evaluations in AWS Config after the sample events are the expected ones of the sample account."""

import json

import pytest

from helpers import assert_annotation
from local.lab import account, events


@pytest.mark.parametrize("role", account.ROLES, ids=lambda role: f"{role.name} is {role.verdict}: {role.because}")
def test_role_has_the_expected_verdict(demo, role):
    assert demo.verdicts()[role.id] == role.verdict


@pytest.mark.parametrize(
    "name", events.OUTSIDE_ACCOUNT, ids=lambda name: f"{name} is NOT_APPLICABLE: {events.OUTSIDE_ACCOUNT[name]}"
)
def test_role_outside_the_account_is_not_applicable(demo, name):
    assert demo.verdicts()[events.role_outside_account(name).id] == account.NOT_APPLICABLE


@pytest.mark.parametrize(
    "kind, identity",
    [("AWS::IAM::Policy", policy.id) for policy in account.POLICIES if policy.name != "all-but-iam"]
    + [("AWS::EKS::Cluster", "shop"), ("AWS::EKS::FargateProfile", "shop|jobs")],
)
def test_resource_of_another_type_is_not_applicable(demo, kind, identity):
    evaluation = demo.evaluations()[identity]
    assert (evaluation["ComplianceResourceType"], evaluation["ComplianceType"]) == (kind, account.NOT_APPLICABLE)


def test_no_other_resource_is_evaluated(demo):
    known = {role.id for role in account.ROLES}
    known |= {events.role_outside_account(name).id for name in events.OUTSIDE_ACCOUNT}
    known |= {policy.id for policy in account.POLICIES} | {"shop", "shop|jobs"}
    assert set(demo.evaluations()) <= known


@pytest.mark.parametrize(
    "name, action, source",
    [
        ("shop-build-node", "ecr:PutImage", "AmazonEC2ContainerRegistryPowerUser"),
        ("shop-gateway-node", "ecr:CreateRepository", "TeamRepositories"),
        ("batch-worker-node", "ecr:", "OwnRepository"),
        ("batch-report-node", "ecr:", "Registry"),
        ("batch-import-node", "ecr", "all-but-iam"),
        ("shop-legacy-node", "ecr:PutImage", "Mirror"),
        ("batch-karpenter-node", "ecr:BatchDeleteImage", "Cleanup"),
        ("payments-training-node", "ecr:", "AmazonSageMakerFullAccess"),
        ("media-encode-node", "ecr:", "AmazonEC2ContainerRegistryFullAccess"),
    ],
)
def test_annotation_names_role_action_policy_cluster(demo, name, action, source):
    cluster = account.role(name).node.split(":")[0]
    assert_annotation(demo.evaluations()[account.role(name).id]["Annotation"], name, action, source, cluster)


@pytest.mark.parametrize(
    "event", ["07-role-changed-lambda-role", "14-role-not-recorded", "15-role-left-scope", "16-role-deleted"]
)
def test_role_excluded_by_its_item_costs_one_call(demo, event):
    assert demo.costs[event] == ["config:PutEvaluations"]


def test_log_has_no_tokens_and_no_documents(demo):
    log = demo.function_log()
    assert len(demo.tokens) == len(demo.costs) and not any(token in log for token in demo.tokens)
    for fragment in ('"Statement"', '\\"Statement\\"', "%22Statement%22", "sts:AssumeRole", "sts%3AAssumeRole"):
        assert fragment not in log


def test_log_has_one_json_object_per_line(demo):
    lines = demo.function_log().splitlines()
    assert lines and all(isinstance(json.loads(line), dict) for line in lines)
