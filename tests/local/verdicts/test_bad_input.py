"""What is not understood is an error that names it. Nothing is stored, and the function answers the next event."""

import json

import pytest

from local.lab import account, events

NODE = account.role("batch-worker-node")


def item_event(**configuration):
    item = events.role_item(NODE)
    item["configuration"].update(configuration)
    return events.event(events.changed(item))


def without(event, field):
    return {key: value for key, value in event.items() if key != field}


SCHEDULED = events.event(events.scheduled())
MALFORMED = {
    "no invokingEvent": (without(SCHEDULED, "invokingEvent"), "invokingEvent"),
    "an invokingEvent that is not JSON": ({**SCHEDULED, "invokingEvent": '{"messageType": "Sched'}, "invokingEvent"),
    "no messageType": (events.event(without(events.scheduled(), "messageType")), "messageType"),
    "an unknown messageType": (events.event({**events.scheduled(), "messageType": "Surprise"}), "Surprise"),
    "a change without an item": (events.event(events.changed(None)), "configurationItem"),
    "an unknown status": (events.event(events.changed(events.role_item(NODE, status="Odd"))), "Odd"),
    "parameters that are not JSON": ({**SCHEDULED, "ruleParameters": "AllowedAccess=cis"}, "ruleParameters"),
    "a wrong parameter value": (events.event(events.scheduled(), {"AllowedAccess": "write"}), "AllowedAccess"),
    "an unknown parameter": (events.event(events.scheduled(), {"AllowedAcces": "cis"}), "AllowedAcces"),
    "a truncated trust policy": (
        item_event(assumeRolePolicyDocument=events.encoded(NODE.trust)[:40]),
        "assumeRolePolicyDocument",
    ),
    "a truncated inline policy": (
        item_event(rolePolicyList=[{"policyName": "p", "policyDocument": events.encoded(NODE.trust)[:40]}]),
        "rolePolicyList[0].policyDocument",
    ),
    "a document with an unknown Effect": (
        item_event(
            assumeRolePolicyDocument=json.dumps(account.document({**NODE.trust["Statement"][0], "Effect": "Perhaps"}))
        ),
        "Perhaps",
    ),
}


def assert_refused(lab, rule, event, naming):
    answer = lab.send(event, rule)
    assert not answer.ok
    assert answer.payload["errorType"]
    assert naming in answer.payload["errorMessage"]
    assert naming in lab.function_log()
    assert lab.evaluations(rule) == {}


def assert_still_answers(lab, rule):
    answer = lab.send(events.event(events.changed(events.role_item(account.role("thumbnail-function")))), rule)
    assert answer.ok, answer.error


@pytest.mark.parametrize("event, naming", MALFORMED.values(), ids=MALFORMED)
def test_malformed_event(lab, rule, event, naming):
    assert_refused(lab, rule, event, naming)
    assert_still_answers(lab, rule)


def test_no_result_token(lab, rule):
    answer = lab.invoke(without(SCHEDULED, "resultToken"))
    assert not answer.ok and "resultToken" in answer.payload["errorMessage"]
    assert_still_answers(lab, rule)


@pytest.mark.parametrize("payload", [b"null", b"[]", b'"text"', b"7"], ids=bytes.decode)
def test_a_payload_that_is_no_object(lab, rule, payload):
    assert not lab.invoke(payload).ok
    assert_still_answers(lab, rule)


def test_all_wrong_parameters_are_named_at_once(lab, rule):
    wrong = {
        "AllowedAccess": "write",
        "RequirePullAccess": "maybe",
        "AdditionalAllowedActions": "ecr:*",
        "Unheard": "of",
    }
    message = lab.send(events.event(events.scheduled(), wrong), rule).payload["errorMessage"]
    assert [name for name in wrong if name not in message] == []


STORED = {
    "invalid JSON": '{"Version": "2012-10-17", "Statement": [',
    "an unknown Effect": json.dumps(account.document({"Effect": "Perhaps", "Action": "ecr:*", "Resource": "*"})),
    "both Action and NotAction": json.dumps(account.document({**account.allow("ecr:*"), "NotAction": "s3:*"})),
    "no Resource": json.dumps(account.document({"Effect": "Allow", "Action": "ecr:*"})),
}


@pytest.mark.parametrize("document", STORED.values(), ids=STORED)
def test_a_policy_that_iam_should_not_have_stored(lab, rule, document):
    """The error names the role and the policy; the other roles of a schedule get their verdicts."""
    (name,) = NODE.inline
    lab.control("POST", "document", {"role": NODE.name, "policy_name": name, "document": document})
    try:
        assert_refused(lab, rule, events.event(events.changed(events.role_item(NODE))), name)
        answer = lab.send(SCHEDULED, rule)
        assert not answer.ok and NODE.name in answer.payload["errorMessage"]
        held = lab.evaluations(rule)
        assert NODE.id not in held and account.role("shop-web-node").id in held
    finally:
        lab.control(
            "POST", "document", {"role": NODE.name, "policy_name": name, "document": json.dumps(NODE.inline[name])}
        )
    assert_still_answers(lab, rule)


def test_a_truncated_default_version(lab, rule):
    policy, whole = account.policy("image-cache"), json.dumps(account.policy("image-cache").versions[-1])
    lab.control("POST", "document", {"policy_arn": policy.arn, "document": whole[:50]})
    lab.cold_start()  # a version never changes in AWS, so one that was read is remembered
    try:
        assert_refused(
            lab, rule, events.event(events.changed(events.role_item(account.role("shop-cache-node")))), policy.name
        )
    finally:
        lab.control("POST", "document", {"policy_arn": policy.arn, "document": whole})


@pytest.mark.parametrize(
    "write", [events.encoded, json.dumps, events.nested], ids=["percent-encoded", "plain", "nested"]
)
def test_documents_in_every_spelling_are_understood(lab, rule, write):
    """Shown by the role that its trust policy alone rules out: to read it costs no other call."""
    role = account.role("thumbnail-function")
    assert lab.send(events.event(events.changed(events.role_item(role, write=write))), rule).ok
    assert [call["operation"] for call in lab.calls()] == ["PutEvaluations"]
    assert lab.evaluations(rule)[role.id]["ComplianceType"] == account.NOT_APPLICABLE
