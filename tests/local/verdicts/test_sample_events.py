"""What AWS Config holds after the demo's events is what the seeded account calls for."""

import pytest

from local.lab import account, events


@pytest.mark.parametrize("role", account.ROLES, ids=lambda role: f"{role.name} is {role.verdict}: {role.because}")
def test_verdict(demo, role):
    assert demo.evaluations()[role.id]["ComplianceType"] == role.verdict


@pytest.mark.parametrize(
    "name", events.OUTSIDE_ACCOUNT, ids=lambda name: f"{name} is NOT_APPLICABLE: {events.OUTSIDE_ACCOUNT[name]}"
)
def test_role_outside_the_account(demo, name):
    assert demo.evaluations()[events.role_outside_account(name).id]["ComplianceType"] == account.NOT_APPLICABLE


@pytest.mark.parametrize(
    "kind, identity",
    [("AWS::IAM::Policy", policy.id) for policy in account.POLICIES if policy.name != "all-but-iam"]
    + [("AWS::EKS::Cluster", "shop"), ("AWS::EKS::FargateProfile", "shop|jobs")],
)
def test_resources_of_other_types_are_not_applicable(demo, kind, identity):
    held = demo.evaluations()[identity]
    assert (held["ComplianceResourceType"], held["ComplianceType"]) == (kind, account.NOT_APPLICABLE)


def test_nothing_else_is_evaluated(demo):
    known = {role.id for role in account.ROLES} | {
        events.role_outside_account(name).id for name in events.OUTSIDE_ACCOUNT
    }
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
def test_annotation_names_the_action_then_the_grant_then_the_cluster(demo, name, action, source):
    annotation = demo.evaluations()[account.role(name).id]["Annotation"]
    cluster = account.role(name).node.split(":")[0]
    assert len(annotation) <= 256
    assert 0 <= annotation.find(action) < annotation.find(source) < annotation.rfind(cluster), annotation


@pytest.mark.parametrize(
    "event", ["07-role-changed-lambda-role", "14-role-not-recorded", "15-role-left-scope", "16-role-deleted"]
)
def test_what_is_ruled_out_costs_one_call(demo, event):
    assert demo.costs[event] == ["config:PutEvaluations"]


def test_neither_tokens_nor_documents_are_logged(demo):
    log = demo.function_log()
    assert len(demo.tokens) == len(demo.costs) and not any(token in log for token in demo.tokens)
    for fragment in ('"Statement"', '\\"Statement\\"', "%22Statement%22", "sts:AssumeRole", "sts%3AAssumeRole"):
        assert fragment not in log


def test_the_log_has_one_json_object_a_line(demo):
    import json

    lines = demo.function_log().splitlines()
    assert lines and all(isinstance(json.loads(line), dict) for line in lines)
