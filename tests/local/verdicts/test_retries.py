"""Retries: a temporary error of AWS, evaluations that AWS Config reports as failed, and when the function gives up."""

import pytest

from local.lab import account, events

MORE_THAN_ATTEMPTS = 99
NODE = account.role("batch-worker-node")
CHANGED = events.event(events.changed(events.role_item(NODE)))
SCHEDULED = events.event(events.scheduled())


@pytest.mark.parametrize(
    "service, operation, code, status",
    [
        ("eks", "ListNodegroups", "ServerException", 500),
        ("iam", "GetRole", "Throttling", 400),
        ("config", "PutEvaluations", "ThrottlingException", 400),
    ],
)
def test_temporary_error_is_retried(lab, rule, service, operation, code, status):
    fault = {"service": service, "operation": operation, "code": code, "status": status, "times": 1}
    lab.cold_start()
    lab.control("POST", "faults", fault)
    answer = lab.send(CHANGED, rule)
    assert answer.ok, answer.error
    assert NODE.id in lab.evaluations(rule)


def test_unknown_result_token_fails_the_invocation(lab, rule):
    lab.new_token(rule)
    answer = lab.invoke({**CHANGED, "resultToken": "unknown", "configRuleName": rule})
    assert not answer.ok and "InvalidResultToken" in answer.payload["errorMessage"]


@pytest.mark.parametrize(
    "operation, code, advice",
    [
        ("PutEvaluations", "NoSuchConfigRuleException", "nothing is left to do"),
        ("GetComplianceDetailsByConfigRule", "NoSuchConfigRuleException", "nothing is left to do"),
        ("PutEvaluations", "InvalidResultTokenException", "TESTMODE"),
        ("GetComplianceDetailsByConfigRule", "AccessDeniedException", "update its stack"),
    ],
)
def test_refused_config_call_says_what_to_do(lab, rule, operation, code, advice):
    lab.inject_fault("config", operation, code=code, status=400, times=None)
    answer = lab.send(SCHEDULED, rule)
    lab.remove_faults()
    assert not answer.ok
    assert operation in answer.error and code in answer.error and advice in answer.error, answer.error


def test_failed_evaluations_are_sent_again(lab, rule):
    lab.control("POST", "faults", {"failed_evaluations": 3})
    answer = lab.send(SCHEDULED, rule)
    assert answer.ok, answer.error
    sizes = [len(c["parameters"]["Evaluations"]) for c in lab.calls() if c["operation"] == "PutEvaluations"]
    nodes = [role for role in account.ROLES if role.node]
    assert sizes == [len(nodes), 3]
    assert {role.id for role in nodes} <= set(lab.evaluations(rule))


def test_evaluation_that_always_fails_fails_the_invocation(lab, rule):
    for _ in range(MORE_THAN_ATTEMPTS):
        lab.control("POST", "faults", {"failed_evaluations": 1})
    answer = lab.send(CHANGED, rule)
    assert not answer.ok and NODE.id in answer.payload["errorMessage"]
