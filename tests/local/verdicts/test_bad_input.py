"""Invalid input is an error that names the problem. Nothing is stored, and the next event is answered."""

import json

import pytest

from helpers import send
from local.lab import account, events

NODE = account.role("batch-worker-node")


def item_event(**configuration):
    item = events.role_item(NODE)
    item["configuration"].update(configuration)
    return events.event(events.changed(item))


def without(event, field):
    return {key: value for key, value in event.items() if key != field}


SCHEDULED = events.event(events.scheduled())
UNKNOWN_EFFECT = account.document({**NODE.trust["Statement"][0], "Effect": "Perhaps"})
# Each event, and a name or value that the error must contain.
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
    "a document with an unknown Effect": (item_event(assumeRolePolicyDocument=json.dumps(UNKNOWN_EFFECT)), "Perhaps"),
}


def assert_refused(lab, rule, event, name):
    answer = lab.send(event, rule)
    assert not answer.ok
    assert answer.payload["errorType"]
    assert name in answer.payload["errorMessage"]
    assert name in lab.function_log()
    assert lab.evaluations(rule) == {}


def assert_still_answers(lab, rule):
    send(lab, events.event(events.changed(events.role_item(account.role("thumbnail-function")))), rule)


@pytest.mark.parametrize("event, name", MALFORMED.values(), ids=MALFORMED)
def test_malformed_event_is_refused(lab, rule, event, name):
    assert_refused(lab, rule, event, name)
    assert_still_answers(lab, rule)


def test_event_without_result_token_is_refused(lab, rule):
    answer = lab.invoke(without(SCHEDULED, "resultToken"))
    assert not answer.ok and "resultToken" in answer.payload["errorMessage"]
    assert_still_answers(lab, rule)


@pytest.mark.parametrize("payload", [b"null", b"[]", b'"text"', b"7"], ids=bytes.decode)
def test_payload_that_is_no_object_is_refused(lab, rule, payload):
    assert not lab.invoke(payload).ok
    assert_still_answers(lab, rule)


def test_error_names_all_wrong_parameters(lab, rule):
    wrong = {
        "AllowedAccess": "write",
        "RequirePullAccess": "maybe",
        "AdditionalAllowedActions": "ecr:*",
        "Unknown": "parameter",
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
def test_invalid_stored_policy_fails_only_its_role(lab, rule, document):
    """The error names the role and the policy. The other roles of a schedule get their verdicts."""
    (name,) = NODE.inline
    stored = {"role": NODE.name, "policy_name": name}
    lab.control("POST", "document", {**stored, "document": document})
    try:
        assert_refused(lab, rule, events.event(events.changed(events.role_item(NODE))), name)
        answer = lab.send(SCHEDULED, rule)
        assert not answer.ok and NODE.name in answer.payload["errorMessage"]
        evaluations = lab.evaluations(rule)
        assert NODE.id not in evaluations and account.role("shop-web-node").id in evaluations
    finally:
        lab.control("POST", "document", {**stored, "document": json.dumps(NODE.inline[name])})
    assert_still_answers(lab, rule)


def test_truncated_policy_version_is_refused(lab, rule):
    policy, complete = account.policy("image-cache"), json.dumps(account.policy("image-cache").versions[-1])
    changed = events.event(events.changed(events.role_item(account.role("shop-cache-node"))))
    lab.control("POST", "document", {"policy_arn": policy.arn, "document": complete[:50]})
    lab.cold_start()  # a policy version never changes in AWS, so the function caches it
    try:
        assert_refused(lab, rule, changed, policy.name)
    finally:
        lab.control("POST", "document", {"policy_arn": policy.arn, "document": complete})


@pytest.mark.parametrize(
    "write", [events.encoded, json.dumps, events.nested], ids=["percent-encoded", "plain", "nested"]
)
def test_document_in_any_encoding_is_read(lab, rule, write):
    """The trust policy in the item excludes this role. If it is read, PutEvaluations is the only call."""
    role = account.role("thumbnail-function")
    send(lab, events.event(events.changed(events.role_item(role, write=write))), rule)
    assert [call["operation"] for call in lab.calls()] == ["PutEvaluations"]
    assert lab.verdicts(rule)[role.id] == account.NOT_APPLICABLE
