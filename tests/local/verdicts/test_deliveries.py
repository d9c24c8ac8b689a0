"""Repeated, late and unusual events, partly refused evaluations, and the metrics."""

import pytest

from helpers import metrics, send
from local.lab import account, events
from local.lab.account import COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE

NODE, PUSHER = account.role("shop-web-node"), account.role("shop-legacy-node")


def changed(role, parameters=None, **item):
    return events.event(events.changed({**events.role_item(role), **item}), parameters)


def test_repeated_event_gives_the_same_verdict(lab, rule):
    event = {**changed(PUSHER), "resultToken": lab.new_token(rule), "configRuleName": rule}
    for _ in range(2):
        answer = lab.invoke(event)
        assert answer.ok, answer.error
        assert lab.verdicts(rule) == {PUSHER.id: NON_COMPLIANT}


def test_late_event_gets_the_current_verdict(lab, rule):
    """The event has old policies that could push. The verdict uses IAM's policies, at the time of the item."""
    item = events.role_item(NODE)
    old = account.document(account.allow("ecr:PutImage"))
    item["configuration"]["rolePolicyList"] = [{"policyName": "old", "policyDocument": events.encoded(old)}]
    late = "2026-11-20T07:00:00.000Z"
    for event in (changed(NODE), events.event(events.changed({**item, "configurationItemCaptureTime": late}))):
        send(lab, event, rule)
        assert lab.verdicts(rule)[NODE.id] == COMPLIANT
    assert lab.evaluations(rule)[NODE.id]["OrderingTimestamp"].startswith(late[:19])


def test_deletion_after_the_schedule_is_not_applicable(lab, rule):
    role = account.role("ci-runner")
    deleted = events.event(events.changed(events.deleted_role_item(role)), left_scope=True)
    for event in (events.event(events.scheduled()), deleted):
        send(lab, event, rule)
    assert lab.verdicts(rule)[role.id] == NOT_APPLICABLE


def reversed_fields(value):
    """The same JSON with the fields of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: reversed_fields(each) for key, each in reversed(value.items())}
    return [reversed_fields(each) for each in value] if isinstance(value, list) else value


OPTIONAL = ("relatedEvents", "relationships", "supplementaryConfiguration", "tags")
LISTS = ("instanceProfileList", "rolePolicyList", "attachedManagedPolicies", "tags")
SHAPES = {
    "fields in another order": reversed_fields,
    "unknown fields": lambda item: {
        **item,
        "futureField": {"a": [1, None]},
        "configuration": {**item["configuration"], "futureField": "x"},
    },
    "numbers as strings": lambda item: {**item, "configurationStateId": "1795253412345"},
    "optional fields absent": lambda item: {key: value for key, value in item.items() if key not in OPTIONAL},
    "optional fields null": lambda item: {**item, **dict.fromkeys(OPTIONAL)},
    "lists of the configuration null": lambda item: {
        **item,
        "configuration": {**item["configuration"], **dict.fromkeys(LISTS)},
    },
    "texts empty": lambda item: {**item, "availabilityZone": "", "configurationStateMd5Hash": ""},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("role", [NODE, PUSHER], ids=lambda role: role.name)
def test_item_in_another_shape_gets_the_same_verdict(lab, rule, role, shape):
    send(lab, events.event(events.changed(shape(events.role_item(role)))), rule)
    assert lab.verdicts(rule)[role.id] == role.verdict


def test_refused_evaluations_are_left_to_the_schedule(lab, rule):
    """AWS does not document whether a change-triggered run may evaluate other resources. Here it refuses them once."""
    refusal = {
        "code": "InvalidParameterValueException",
        "status": 400,
        "message": "The resource is not the one evaluated",
    }
    lab.inject_fault("config", "PutEvaluations", **refusal)
    policy = account.policy("image-cache")
    send(lab, events.event(events.changed(events.policy_item(policy))), rule)
    assert set(lab.evaluations(rule)) == {policy.id}
    assert account.role("shop-cache-node").id in lab.function_log()
    assert metrics(lab)["EvaluationsLeftToSchedule"] == 1


class TestMetrics:
    def test_metrics_line_counts_roles_and_calls(self, lab, rule):
        lab.cold_start()
        send(lab, events.event(events.scheduled()), rule)
        nodes = [role for role in account.ROLES if role.node]
        line = metrics(lab)
        assert line["RolesEvaluated"] == len(nodes)
        assert line["RolesNonCompliant"] == sum(role.verdict == NON_COMPLIANT for role in nodes)
        assert (line["RolesUnreadable"], line["RolesUndecided"], line["ColdStarts"]) == (0, 0, 1)
        assert (line["ApiCalls"], line["ApiRetries"]) == (len(lab.calls()), 0)
        send(lab, changed(NODE), rule)
        assert metrics(lab)["ColdStarts"] == 0

    def test_function_name_is_the_only_dimension(self, lab, rule):
        send(lab, changed(NODE), rule)
        line = metrics(lab)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Dimensions"] == [["FunctionName"]]
        assert any("PutEvaluations" in operation for operation in line["operations"])

    def test_unreadable_role_is_counted(self, lab, rule):
        denied = {"code": "AccessDenied", "status": 403, "times": None, "where": {"RoleName": NODE.name}}
        lab.inject_fault("iam", "ListRolePolicies", **denied)
        answer = lab.send(events.event(events.scheduled()), rule)
        assert answer.payload["errorType"] == "RolesUnreadable" and NODE.name in answer.error
        assert metrics(lab)["RolesUnreadable"] == 1
        assert set(lab.evaluations(rule)) == {role.id for role in account.ROLES if role.node and role != NODE}

    def test_retry_is_counted(self, lab, rule):
        lab.inject_fault("config", "PutEvaluations", kind="reset")
        send(lab, changed(NODE), rule)
        assert metrics(lab)["ApiRetries"] == 1
