"""AWS failing: the invocation fails, so that Lambda invokes again, and no verdict is given on what was read in part."""

import pytest

from local.lab import account, events

ENOUGH = 99  # more failures than the SDK has attempts
NODE = account.role("batch-worker-node")
CHANGED = events.event(events.changed(events.role_item(NODE)))
SCHEDULED = events.event(events.scheduled())

READS = [
    *(("eks", f) for f in ("ListClusters", "DescribeCluster", "ListNodegroups", "DescribeNodegroup")),
    *(
        ("eks", f)
        for f in ("ListAccessEntries", "DescribeAccessEntry", "ListFargateProfiles", "DescribeFargateProfile")
    ),
    *(
        ("iam", f)
        for f in (
            "GetRole",
            "ListRolePolicies",
            "GetRolePolicy",
            "ListAttachedRolePolicies",
            "GetPolicy",
            "GetPolicyVersion",
        )
    ),
]


def plant(lab, service, operation, code="AccessDeniedException", status=403, times=ENOUGH):
    lab.control(
        "POST", "faults", {"service": service, "operation": operation, "code": code, "status": status, "times": times}
    )


@pytest.mark.parametrize("service, operation", READS, ids=lambda part: part)
def test_access_denied(lab, rule, service, operation):
    lab.cold_start()  # with nothing remembered, every operation is called
    plant(lab, service, operation, "AccessDenied" if service == "iam" else "AccessDeniedException")
    answer = lab.send(CHANGED, rule)
    assert not answer.ok and "AccessDenied" in answer.payload["errorMessage"]
    assert lab.evaluations(rule) == {}


@pytest.mark.parametrize(
    "service, operation, code", [("eks", "ListNodegroups", "ServerException"), ("iam", "GetRole", "ServiceFailure")]
)
def test_an_error_500_that_lasts(lab, rule, service, operation, code):
    lab.cold_start()
    plant(lab, service, operation, code, 500)
    answer = lab.send(CHANGED, rule)
    assert not answer.ok and operation in answer.payload["errorMessage"]
    assert lab.evaluations(rule) == {}


@pytest.mark.parametrize(
    "service, operation, code, status",
    [
        ("eks", "ListNodegroups", "ServerException", 500),
        ("iam", "GetRole", "Throttling", 400),
        ("config", "PutEvaluations", "ThrottlingException", 400),
    ],
)
def test_an_error_that_passes_is_retried(lab, rule, service, operation, code, status):
    plant(lab, service, operation, code, status, times=1)
    answer = lab.send(CHANGED, rule)
    assert answer.ok, answer.error
    assert NODE.id in lab.evaluations(rule)


def test_a_cluster_deleted_meanwhile_is_no_failure(lab, rule):
    """ListClusters still names a cluster that DescribeCluster no longer knows."""
    plant(lab, "eks", "DescribeCluster", "ResourceNotFoundException", 404, times=1)
    answer = lab.send(SCHEDULED, rule)
    assert answer.ok, answer.error


def test_an_unreadable_role_keeps_no_other_from_its_verdict(lab, rule):
    plant(lab, "iam", "GetRolePolicy", "AccessDenied", times=1)
    answer = lab.send(SCHEDULED, rule)
    assert not answer.ok
    assert account.role("shop-web-node").id in lab.evaluations(rule)


def test_put_evaluations_denied(lab, rule):
    plant(lab, "config", "PutEvaluations")
    answer = lab.send(CHANGED, rule)
    assert not answer.ok and "AccessDenied" in answer.payload["errorMessage"]


def test_an_unknown_token_is_an_error(lab, rule):
    lab.new_token(rule)
    answer = lab.invoke({**CHANGED, "resultToken": "not-minted", "configRuleName": rule})
    assert not answer.ok and "InvalidResultToken" in answer.payload["errorMessage"]


def test_failed_evaluations_are_sent_again(lab, rule):
    lab.control("POST", "faults", {"failed_evaluations": 3})
    answer = lab.send(SCHEDULED, rule)
    assert answer.ok, answer.error
    sizes = [len(c["parameters"]["Evaluations"]) for c in lab.calls() if c["operation"] == "PutEvaluations"]
    nodes = [role for role in account.ROLES if role.node]
    assert sizes == [len(nodes), 3]
    assert {role.id for role in nodes} <= set(lab.evaluations(rule))


def test_evaluations_that_never_succeed_fail_the_invocation(lab, rule):
    for _ in range(ENOUGH):
        lab.control("POST", "faults", {"failed_evaluations": 1})
    answer = lab.send(CHANGED, rule)
    assert not answer.ok and NODE.id in answer.payload["errorMessage"]
