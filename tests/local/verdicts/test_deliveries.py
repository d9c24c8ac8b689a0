"""Events that come twice, late or in other shapes, runs that AWS Config takes only in part, and what metrics then say."""

import pytest

from helpers import metrics
from local.lab import account, events
from local.lab.account import COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE

NODE, PUSHER = account.role("shop-web-node"), account.role("shop-legacy-node")


def changed(role, parameters=None, **item):
    return events.event(events.changed({**events.role_item(role), **item}), parameters)


def test_an_event_delivered_twice_says_the_same_twice(lab, rule):
    event = {**changed(PUSHER), "resultToken": lab.new_token(rule), "configRuleName": rule}
    for _ in range(2):
        answer = lab.invoke(event)
        assert answer.ok, answer.error
        assert {identity: e["ComplianceType"] for identity, e in lab.evaluations(rule).items()} == {
            PUSHER.id: NON_COMPLIANT
        }


def test_an_event_that_comes_late_is_answered_by_what_is_true_now(lab, rule):
    """Its copy of the policies is old: once the role pushed. The verdict is IAM's, at the instant of the item."""
    item = events.role_item(NODE)
    once = account.document(account.allow("ecr:PutImage"))
    item["configuration"]["rolePolicyList"] = [{"policyName": "once", "policyDocument": events.encoded(once)}]
    late = "2026-11-20T07:00:00.000Z"
    for event in (changed(NODE), events.event(events.changed({**item, "configurationItemCaptureTime": late}))):
        assert lab.send(event, rule).ok
        assert lab.evaluations(rule)[NODE.id]["ComplianceType"] == COMPLIANT
    assert lab.evaluations(rule)[NODE.id]["OrderingTimestamp"].startswith(late[:19])


def test_a_deletion_that_is_overtaken_by_the_schedule(lab, rule):
    """The schedule has cleared the role already; the late deletion says so again."""
    for event in (
        events.event(events.scheduled()),
        events.event(events.changed(events.deleted_role_item(account.role("ci-runner"))), left_scope=True),
    ):
        assert lab.send(event, rule).ok
    assert lab.evaluations(rule)[account.role("ci-runner").id]["ComplianceType"] == NOT_APPLICABLE


def shuffled(value):
    """The same JSON with the fields of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: shuffled(each) for key, each in reversed(value.items())}
    return [shuffled(each) for each in value] if isinstance(value, list) else value


OPTIONAL = ("relatedEvents", "relationships", "supplementaryConfiguration", "tags")
LISTS = ("instanceProfileList", "rolePolicyList", "attachedManagedPolicies", "tags")
SHAPES = {
    "fields in another order": shuffled,
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
def test_an_item_in_another_shape_gets_the_same_verdict(lab, rule, role, shape):
    answer = lab.send(events.event(events.changed(shape(events.role_item(role)))), rule)
    assert answer.ok, answer.error
    assert lab.evaluations(rule)[role.id]["ComplianceType"] == role.verdict


def test_evaluations_of_other_resources_that_are_refused_are_left_to_the_schedule(lab, rule):
    """Whether AWS Config takes them from a change-triggered run is not known; here it does not, once."""
    refusal = {
        "code": "InvalidParameterValueException",
        "status": 400,
        "message": "The resource is not the one evaluated",
    }
    lab.control("POST", "faults", {"service": "config", "operation": "PutEvaluations", **refusal})
    policy = account.policy("image-cache")
    answer = lab.send(events.event(events.changed(events.policy_item(policy))), rule)
    assert answer.ok, answer.error
    assert set(lab.evaluations(rule)) == {policy.id}
    assert "left to the schedule" in lab.function_log() and account.role("shop-cache-node").id in lab.function_log()
    assert metrics(lab)["EvaluationsLeftToSchedule"] == 1


class TestMetrics:
    def test_one_line_an_invocation_with_the_counts(self, lab, rule):
        lab.cold_start()
        assert lab.send(events.event(events.scheduled()), rule).ok
        nodes = [role for role in account.ROLES if role.node]
        line = metrics(lab)
        assert line["RolesEvaluated"] == len(nodes)
        assert line["RolesNonCompliant"] == sum(role.verdict == NON_COMPLIANT for role in nodes)
        assert (line["RolesUnreadable"], line["RolesUndecided"], line["ColdStarts"]) == (0, 0, 1)
        assert (line["ApiCalls"], line["ApiRetries"]) == (len(lab.calls()), 0)
        assert lab.send(changed(NODE), rule).ok
        assert metrics(lab)["ColdStarts"] == 0

    def test_operations_are_no_dimension(self, lab, rule):
        assert lab.send(changed(NODE), rule).ok
        line = metrics(lab)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Dimensions"] == [["FunctionName"]]
        assert any("PutEvaluations" in operation for operation in line["operations"])

    def test_unreadable_roles_are_counted(self, lab, rule):
        denied = {"code": "AccessDenied", "status": 403, "times": None, "where": {"RoleName": NODE.name}}
        lab.control("POST", "faults", {"service": "iam", "operation": "ListRolePolicies", **denied})
        answer = lab.send(events.event(events.scheduled()), rule)
        assert answer.payload["errorType"] == "RolesUnreadable" and NODE.name in answer.error
        assert metrics(lab)["RolesUnreadable"] == 1
        assert NODE.id not in lab.evaluations(rule)
        assert {role.id for role in account.ROLES if role.node and role != NODE} == set(lab.evaluations(rule))

    def test_retries_are_counted(self, lab, rule):
        lab.control("POST", "faults", {"service": "config", "operation": "PutEvaluations", "kind": "reset"})
        assert lab.send(changed(NODE), rule).ok
        assert metrics(lab)["ApiRetries"] == 1
