"""The fields of every log line, and the lines of evaluations that AWS Config did not store."""

import json

import pytest

from helpers import metrics, send
from local.identifiers import ACCOUNT
from local.lab import account, events

NODE, OTHER = account.role("batch-worker-node"), account.role("thumbnail-function")
SCHEDULED = events.event(events.scheduled())
CHANGED = events.event(events.changed(events.role_item(NODE)))


def lines(lab, event, rule, **more):
    """The log lines that one event makes, without the metrics, and the answer."""
    before = len(lab.function_log().splitlines())
    answer = lab.invoke({**event, "configRuleName": rule, **more}) if more else lab.send(event, rule)
    written = [json.loads(line) for line in lab.function_log().splitlines()[before:]]
    return [line for line in written if "_aws" not in line], answer


INVALID = events.event(events.changed({**events.role_item(NODE), "configurationItemStatus": "Odd"}))
# Each event with its trigger, the id of its resource, and the error type of its failure.
EVENTS = {
    "a role": (CHANGED, "role changed", NODE.id, None),
    "a schedule": (SCHEDULED, "all roles", None, None),
    "a deleted role": (
        events.event(events.changed(events.deleted_role_item(NODE)), left_scope=True),
        "resource out of scope",
        NODE.id,
        None,
    ),
    "an invalid event": (INVALID, "role changed", NODE.id, "InvalidEvent"),
    "an invalid parameter": (
        events.event(events.changed(events.role_item(NODE)), {"AllowedAccess": "write"}),
        "role changed",
        NODE.id,
        "InvalidRuleParameters",
    ),
    "an invalid parameter of a schedule": (
        events.event(events.scheduled(), {"Odd": "1"}),
        "all roles",
        None,
        "InvalidRuleParameters",
    ),
    "an action that is unknown": (
        events.event(events.changed(events.role_item(NODE)), {"AdditionalAllowedActions": "ecr:Odd"}),
        "role changed",
        NODE.id,
        None,
    ),
}


@pytest.mark.parametrize("event, trigger, resource_id, error_type", EVENTS.values(), ids=EVENTS)
def test_every_line_locates_its_event(lab, rule, event, trigger, resource_id, error_type):
    written, answer = lines(lab, event, rule)
    assert answer.payload.get("errorType") == error_type
    located = {(line["accountId"], line["ruleName"], line["trigger"], bool(line["requestId"])) for line in written}
    assert located == {(ACCOUNT, rule, trigger, True)}
    of_event = [line for line in written if line["message"] in ("evaluation", "evaluation failed")]
    assert of_event and all(line.get("resourceId") == resource_id for line in of_event)
    assert [line for line in written if line["message"] in ("verdict", "no verdict") and not line["resourceId"]] == []
    numbers = metrics(lab)
    assert (numbers["accountId"], numbers["ruleName"], numbers["trigger"]) == (ACCOUNT, rule, trigger)


@pytest.mark.parametrize("payload", [b"null", b"[]", b"{}"], ids=bytes.decode)
def test_line_about_a_payload_without_fields_says_unknown(lab, payload):
    before = len(lab.function_log().splitlines())
    assert not lab.invoke(payload).ok
    (line,) = [json.loads(line) for line in lab.function_log().splitlines()[before:] if "_aws" not in line]
    assert {line[name] for name in ("accountId", "ruleName", "trigger")} == {"unknown"}


DELETED = {
    **events.changed(events.deleted_role_item(NODE)),
    "configurationItemDiff": {
        "changeType": "DELETE",
        "changedProperties": {"Configuration": {"previousValue": {"roleName": NODE.name}, "changeType": "DELETE"}},
    },
}
NOT_APPLICABLE = {
    "ruled out by its trust policy": (events.event(events.changed(events.role_item(OTHER))), OTHER),
    "exempt": (events.event(events.changed(events.role_item(NODE)), {"ExemptRoles": NODE.name}), NODE),
    "deleted": (events.event(DELETED, left_scope=True), NODE),
}


@pytest.mark.parametrize("event, role", NOT_APPLICABLE.values(), ids=NOT_APPLICABLE)
def test_not_applicable_line_has_the_role_name(lab, rule, event, role):
    written, _ = lines(lab, event, rule)
    (verdict,) = [line for line in written if line["message"] == "verdict"]
    assert (verdict["compliance"], verdict["role"], verdict["resourceId"]) == ("NOT_APPLICABLE", role.name, role.id)


def test_schedule_line_lists_exempt_roles(lab, rule):
    parameters = {"ExemptRoles": "batch-spot-node", "ExemptTag": "team=storefront"}
    written, answer = lines(lab, events.event(events.scheduled(), parameters), rule)
    (evaluation,) = [line for line in written if line["message"] == "evaluation"]
    assert evaluation["exemptRoles"] == "batch-spot-node (ExemptRoles); shop-web-node (ExemptTag)"
    assert evaluation["rolesExempt"] == answer.payload["rolesExempt"] == metrics(lab)["RolesExempt"] == 2
    written, answer = lines(lab, SCHEDULED, rule)
    (evaluation,) = [line for line in written if line["message"] == "evaluation"]
    assert "exemptRoles" not in evaluation
    assert evaluation["rolesExempt"] == answer.payload["rolesExempt"] == metrics(lab)["RolesExempt"] == 0


def test_tag_that_does_not_exempt_is_a_remark_in_the_log(lab, rule):
    written, _ = lines(lab, events.event(events.scheduled(), {"ExemptUntilTag": "team"}), rule)
    remarks = {
        line["role"]: json.loads(line["evidence"])["remarks"] for line in written if line["message"] == "verdict"
    }
    text = "tag `team` does not exempt the role: its value `storefront` is not a date such as `2026-12-31`"
    assert remarks["shop-web-node"] == [{"kind": "exemption-not-a-date", "tag": "team", "text": text}]
    assert [name for name, of_role in remarks.items() if any("tag" in one for one in of_role)] == ["shop-web-node"]


def test_judged_role_line_has_the_role_name(lab, rule):
    written, _ = lines(lab, SCHEDULED, rule)
    names = {line["role"] for line in written if line["message"] == "verdict"}
    assert names == {role.name for role in account.ROLES if role.node}


@pytest.mark.parametrize("event", [CHANGED, SCHEDULED], ids=["event", "schedule"])
def test_refused_token_leaves_no_verdict_line(lab, rule, event):
    lab.new_token(rule)
    written, answer = lines(lab, event, rule, resultToken="unknown")
    assert answer.payload["errorType"] == "EvaluationsNotStored"
    by_message = {}
    for line in written:
        by_message.setdefault(line["message"], []).append(line)
    assert set(by_message) == {"verdict not stored", "evaluation", "evaluation failed"}
    (evaluation,) = by_message["evaluation"]
    assert evaluation["notStored"] == len(by_message["verdict not stored"]) > 0
    assert lab.evaluations(rule) == {}


def test_only_stored_evaluations_have_a_verdict_line(lab, rule):
    """AWS Config refuses one evaluation every time, and stores the others."""
    for _ in range(99):
        lab.control("POST", "faults", {"failed_evaluations": 1})
    written, answer = lines(lab, SCHEDULED, rule)
    lab.remove_faults()
    assert answer.payload["errorType"] == "EvaluationsNotStored"
    stored = {line["resourceId"] for line in written if line["message"] == "verdict"}
    assert stored == set(lab.evaluations(rule))
    assert len([line for line in written if line["message"] == "verdict not stored"]) == 1


def test_summary_counts_no_unstored_evaluation(lab, rule):
    assert send(lab, CHANGED, rule).payload["notStored"] == 0


@pytest.mark.parametrize("write", [lambda document: [document], lambda document: json.dumps([document])])
def test_policy_item_with_a_document_list_is_answered(lab, rule, write):
    """A sample of the RDK has such an item. IAM has the policy, so the node roles that use it get their verdicts."""
    policy = account.policy("image-cache")
    item = events.policy_item(policy)
    for version, document in zip(item["configuration"]["policyVersionList"], policy.versions, strict=True):
        version["document"] = write(document)
    written, answer = lines(lab, events.event(events.changed(item)), rule)
    assert answer.ok, answer.error
    users = {role.id: role.verdict for role in account.ROLES if role.node and policy.name in role.managed}
    assert users and lab.verdicts(rule) == users | {policy.id: account.NOT_APPLICABLE}
    (warning,) = [line for line in written if line["level"] == "WARN"]
    assert "policyVersionList" in warning["cause"] and warning["resourceId"] == policy.id
