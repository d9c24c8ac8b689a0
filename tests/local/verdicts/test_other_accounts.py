"""One function serves several accounts: which role it assumes there, which never, and that nothing of one reaches another.

These run under `local/lab/lambda_runtime.py`, which says in which account the function is.
"""

import pytest

from helpers import OTHER, TRUSTING, of_account
from local.identifiers import ACCOUNT
from local.lab import account, events
from local.lab.account import COMPLIANT, NON_COMPLIANT
from local.lab.lab import Lab

THIRD = "345678901234"
PUSH, PULL = account.document(account.allow("ecr:PutImage")), account.document(account.allow(account.PULL_ACTIONS))


@pytest.fixture(scope="module")
def accounts(binary):
    """The same names everywhere: cluster `one`, role `node`, policy `team`, which pushes in the other accounts and here not."""
    with Lab(binary, seeded=False, emulator=False) as lab:
        for number, document in ((ACCOUNT, PULL), (OTHER, PUSH), (THIRD, PUSH)):
            role = f"arn:aws:iam::{number}:role/node"
            lab.control("POST", "entities", {
                "account": number,
                "policies": [{"name": "team", "document": document}],
                "roles": [
                    {"name": "node", "trust": account.EC2, "managed": [f"arn:aws:iam::{number}:policy/team"]},
                    {"name": "audit", "trust": TRUSTING},
                    {"name": "closed", "trust": account.trusted_by("config.amazonaws.com")},
                ],
                "clusters": [{"name": "one", "mode": "CONFIG_MAP", "node_groups": {"a": role}}],
            })  # fmt: skip
        yield lab


@pytest.fixture
def lab(accounts):
    accounts.control("DELETE", "faults")
    accounts.cold_start()
    accounts.forget_calls()
    return accounts


def verdicts(lab, rule, number):
    return {e["ComplianceType"] for e in lab.evaluations(rule, number).values()}


BY_NAME = {"ExecutionRoleName": "audit"}
BY_EVENT = {"AssumeRoleMode": "true"}


@pytest.mark.parametrize(
    "number, parameters, role, verdict",
    [
        (ACCOUNT, {}, None, COMPLIANT),
        (ACCOUNT, BY_EVENT, None, COMPLIANT),
        (ACCOUNT, BY_NAME, None, COMPLIANT),
        (OTHER, BY_NAME, None, NON_COMPLIANT),
        (OTHER, {**BY_NAME, **BY_EVENT}, None, NON_COMPLIANT),
        (OTHER, BY_EVENT, f"arn:aws:iam::{OTHER}:role/audit", NON_COMPLIANT),
    ],
    ids=[
        "its own",
        "its own, in assume mode",
        "its own, by name",
        "another, by name",
        "another, by both",
        "another, by the event's role",
    ],
)
def test_an_account_is_read_and_answered(lab, rule, number, parameters, role, verdict):
    answer = lab.send(of_account(number, parameters, role), rule)
    assert answer.ok, answer.error
    assert verdicts(lab, rule, number) == {verdict}
    assumed = [call for call in lab.calls() if call["operation"] == "AssumeRole"]
    assert len(assumed) == (number != ACCOUNT)
    assert {call["account"] for call in lab.calls() if call["operation"] != "AssumeRole"} == {number}


REFUSED = {
    "nothing says which role": (OTHER, {}, f"arn:aws:iam::{OTHER}:role/audit", "ExecutionRoleName"),
    "the service-linked role": (OTHER, BY_EVENT, None, "service-linked"),
    "a role of a third account": (OTHER, BY_EVENT, f"arn:aws:iam::{THIRD}:role/audit", "ExecutionRoleName"),
    "a role that is not there": (OTHER, {"ExecutionRoleName": "unheard-of"}, None, "unheard-of"),
    "a role that does not trust the function": (OTHER, {"ExecutionRoleName": "closed"}, None, "closed"),
}


@pytest.mark.parametrize("number, parameters, role, naming", REFUSED.values(), ids=REFUSED)
def test_an_account_that_cannot_be_read_is_an_error_and_nothing_is_said(lab, rule, number, parameters, role, naming):
    answer = lab.send(of_account(number, parameters, role), rule)
    assert not answer.ok and naming in answer.error
    assert lab.evaluations(rule, number) == {}
    assert {call["operation"] for call in lab.calls()} <= {"AssumeRole"}


def test_sts_is_asked_in_the_region_that_is_set(lab, rule):
    assert lab.send(of_account(OTHER, {**BY_NAME, "ExecutionRoleRegion": "eu-west-1"}), rule).ok
    (assumed,) = [call for call in lab.calls() if call["operation"] == "AssumeRole"]
    assert assumed["region"] == "eu-west-1"


def test_accounts_keep_their_memories_apart(lab, rule):
    """Warm, in turn, with the same names of clusters, roles and policies everywhere."""
    item = events.role_item(account.Role("node", "", "", ""))
    for number, verdict in [
        (ACCOUNT, COMPLIANT),
        (OTHER, NON_COMPLIANT),
        (THIRD, NON_COMPLIANT),
        (ACCOUNT, COMPLIANT),
        (OTHER, NON_COMPLIANT),
    ]:
        event = of_account(number, BY_NAME, invoking=events.changed({**item, "awsAccountId": number}))
        lab.forget_calls()
        answer = lab.send(event, rule)
        assert answer.ok, answer.error
        assert verdicts(lab, rule, number) == {verdict}
        assert {call["account"] for call in lab.calls() if call["operation"] != "AssumeRole"} == {number}


def test_one_accounts_failure_is_not_anothers(lab, rule):
    lab.control("POST", "faults", {
        "service": "iam", "operation": "GetRole", "code": "AccessDenied", "status": 403, "times": None, "where": {"account": OTHER},
    })  # fmt: skip
    assert not lab.send(of_account(OTHER, BY_NAME), rule).ok
    assert lab.send(of_account(THIRD, BY_NAME), rule).ok
    assert verdicts(lab, rule, OTHER) == set() and verdicts(lab, rule, THIRD) == {NON_COMPLIANT}


def test_the_deadline_is_the_functions_own_to_keep(lab, rule):
    """An invocation that would not be done in time fails by itself, with its log, and says nothing of what it did not read."""
    lab.control(
        "POST",
        "faults",
        {"service": "eks", "operation": "DescribeNodegroup", "kind": "slow", "seconds": 8, "times": None},
    )
    answer = lab.send(of_account(ACCOUNT), rule, seconds=4)
    assert answer.payload["errorType"] == "OutOfTime"
    assert "OutOfTime" in lab.function_log()
    assert lab.evaluations(rule) == {}
    lab.control("DELETE", "faults")
    assert lab.send(of_account(ACCOUNT), rule).ok
