"""One function serves several accounts: the role that it assumes, and that accounts do not affect each other.

The tests run under `local/lab/lambda_runtime.py`, which sets the account of the function.
"""

import pytest

from helpers import event_of_account, send
from local.identifiers import ACCOUNT, OTHER_ACCOUNT
from local.lab import account, events
from local.lab.account import COMPLIANT, NON_COMPLIANT
from local.lab.lab import Lab

THIRD = "345678901234"
PUSH, PULL = account.document(account.allow("ecr:PutImage")), account.document(account.allow(account.PULL_ACTIONS))


@pytest.fixture(scope="module")
def accounts(binary):
    """Three accounts with the same names: cluster `one`, role `node`, policy `team`.

    The policy can push in the other accounts, but not in the function's account.
    """
    with Lab(binary, seeded=False, emulator=False) as lab:
        for number, document in ((ACCOUNT, PULL), (OTHER_ACCOUNT, PUSH), (THIRD, PUSH)):
            role = f"arn:aws:iam::{number}:role/node"
            lab.control("POST", "entities", {
                "account": number,
                "policies": [{"name": "team", "document": document}],
                "roles": [
                    {"name": "node", "trust": account.EC2, "managed": [f"arn:aws:iam::{number}:policy/team"]},
                    {"name": "audit", "trust": account.ACCOUNT_TRUST},
                    {"name": "closed", "trust": account.trusted_by("config.amazonaws.com")},
                ],
                "clusters": [{"name": "one", "mode": "CONFIG_MAP", "node_groups": {"a": role}}],
            })  # fmt: skip
        yield lab


@pytest.fixture
def lab(accounts):
    accounts.remove_faults()
    accounts.cold_start()
    accounts.forget_calls()
    return accounts


def verdicts(lab, rule, number):
    return set(lab.verdicts(rule, number).values())


def called_accounts(lab):
    """The accounts of all calls but AssumeRole."""
    return {call["account"] for call in lab.calls() if call["operation"] != "AssumeRole"}


BY_NAME = {"ExecutionRoleName": "audit"}
BY_EVENT = {"AssumeRoleMode": "true"}
READ = {
    "its own account": (ACCOUNT, {}, None, COMPLIANT),
    "its own account, in assume mode": (ACCOUNT, BY_EVENT, None, COMPLIANT),
    "its own account, by name": (ACCOUNT, BY_NAME, None, COMPLIANT),
    "another account, by name": (OTHER_ACCOUNT, BY_NAME, None, NON_COMPLIANT),
    "another account, by name and event": (OTHER_ACCOUNT, {**BY_NAME, **BY_EVENT}, None, NON_COMPLIANT),
    "another account, by the role of the event": (
        OTHER_ACCOUNT,
        BY_EVENT,
        f"arn:aws:iam::{OTHER_ACCOUNT}:role/audit",
        NON_COMPLIANT,
    ),
}


@pytest.mark.parametrize("number, parameters, role, verdict", READ.values(), ids=READ)
def test_account_is_read_and_gets_its_verdict(lab, rule, number, parameters, role, verdict):
    send(lab, event_of_account(number, parameters, role), rule)
    assert verdicts(lab, rule, number) == {verdict}
    assumed = [call for call in lab.calls() if call["operation"] == "AssumeRole"]
    assert len(assumed) == (number != ACCOUNT)
    assert called_accounts(lab) == {number}


REFUSED = {
    "no role is configured": (OTHER_ACCOUNT, {}, f"arn:aws:iam::{OTHER_ACCOUNT}:role/audit", "ExecutionRoleName"),
    "the service-linked role": (OTHER_ACCOUNT, BY_EVENT, None, "service-linked"),
    "a role of a third account": (OTHER_ACCOUNT, BY_EVENT, f"arn:aws:iam::{THIRD}:role/audit", "ExecutionRoleName"),
    "a role that does not exist": (OTHER_ACCOUNT, {"ExecutionRoleName": "missing"}, None, "missing"),
    "a role that does not trust the function": (OTHER_ACCOUNT, {"ExecutionRoleName": "closed"}, None, "closed"),
}


@pytest.mark.parametrize("number, parameters, role, name", REFUSED.values(), ids=REFUSED)
def test_unreadable_account_is_an_error(lab, rule, number, parameters, role, name):
    answer = lab.send(event_of_account(number, parameters, role), rule)
    assert not answer.ok and name in answer.error
    assert lab.evaluations(rule, number) == {}
    assert {call["operation"] for call in lab.calls()} <= {"AssumeRole"}


def test_sts_is_called_in_the_configured_region(lab, rule):
    send(lab, event_of_account(OTHER_ACCOUNT, {**BY_NAME, "ExecutionRoleRegion": "eu-west-1"}), rule)
    (assumed,) = [call for call in lab.calls() if call["operation"] == "AssumeRole"]
    assert assumed["region"] == "eu-west-1"


def test_caches_of_accounts_are_separate(lab, rule):
    """One warm function, the accounts in turn, with the same names in each account."""
    item = events.role_item(account.Role("node", "", "", ""))
    for number in (ACCOUNT, OTHER_ACCOUNT, THIRD, ACCOUNT, OTHER_ACCOUNT):
        event = event_of_account(number, BY_NAME, invoking=events.changed({**item, "awsAccountId": number}))
        lab.forget_calls()
        send(lab, event, rule)
        assert verdicts(lab, rule, number) == {COMPLIANT if number == ACCOUNT else NON_COMPLIANT}
        assert called_accounts(lab) == {number}


def test_failure_in_one_account_leaves_others_alone(lab, rule):
    denied = {"code": "AccessDenied", "status": 403, "times": None, "where": {"account": OTHER_ACCOUNT}}
    lab.inject_fault("iam", "GetRole", **denied)
    assert not lab.send(event_of_account(OTHER_ACCOUNT, BY_NAME), rule).ok
    send(lab, event_of_account(THIRD, BY_NAME), rule)
    assert verdicts(lab, rule, OTHER_ACCOUNT) == set() and verdicts(lab, rule, THIRD) == {NON_COMPLIANT}


def test_invocation_fails_before_the_lambda_timeout(lab, rule):
    """The function gives up in time, writes its log, and stores no verdict that it could not finish."""
    lab.inject_fault("eks", "DescribeNodegroup", kind="slow", seconds=8, times=None)
    answer = lab.send(event_of_account(ACCOUNT), rule, seconds=4)
    assert answer.payload["errorType"] == "OutOfTime"
    assert "OutOfTime" in lab.function_log()
    assert lab.evaluations(rule) == {}
    lab.remove_faults()
    send(lab, event_of_account(ACCOUNT), rule)
