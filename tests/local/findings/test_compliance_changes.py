"""A compliance change becomes an event, and a subscriber of the template's topic gets its message."""

import re
from datetime import datetime, timezone

import pytest

from helpers import send
from local.identifiers import ACCOUNT, REGION
from local.lab import account, events
from local.lab.lab import Lab
from local.lab.subscriber import Subscriber
from local.standin.eventbridge import compliance_change
from local.templates.eventbridge_language import matches

CHANGED = events.event(events.changed(events.role_item(account.role("shop-build-node"))))


@pytest.fixture(scope="module")
def subscribed(binary):
    with Lab(binary) as lab:
        yield lab, Subscriber(lab)


def test_each_change_sends_one_message(subscribed):
    """One for NON_COMPLIANT, none for the same result again, one for COMPLIANT after the role was corrected."""
    lab, subscriber = subscribed
    role = account.role("shop-build-node")
    send(lab, CHANGED)
    (message,) = subscriber.read()
    assert role.id in message and "NON_COMPLIANT" in message
    assert lab.evaluations()[role.id]["Annotation"] in message
    send(lab, CHANGED)
    assert subscriber.read() == []

    iam, policy = lab.client("iam"), "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser"
    iam.detach_role_policy(RoleName=role.name, PolicyArn=policy)
    try:
        send(lab, CHANGED)
        (message,) = subscriber.read()
        assert role.id in message and '"COMPLIANT: role' in message
    finally:
        iam.attach_role_policy(RoleName=role.name, PolicyArn=policy)


def test_schedule_sends_a_message_for_each_non_compliant_role(subscribed):
    lab, subscriber = subscribed
    send(lab, events.event(events.scheduled()))
    messages, verdicts = subscriber.read(), lab.verdicts()
    non_compliant = sorted(role.id for role in account.ROLES if verdicts.get(role.id) == account.NON_COMPLIANT)
    assert sorted(re.search(r": role (AROA\w+),", message)[1] for message in messages) == non_compliant


def test_another_rule_sends_no_message(subscribed, rule):
    lab, subscriber = subscribed
    send(lab, CHANGED, rule)
    assert subscriber.read() == []


def test_event_has_the_documented_form():
    at = datetime(2026, 11, 20, 9, 30, tzinfo=timezone.utc)
    evaluation = {
        "ComplianceResourceType": "AWS::IAM::Role",
        "ComplianceResourceId": "AROA1",
        "OrderingTimestamp": at,
        "ResultRecordedTime": at,
    }
    before, after = ({**evaluation, "ComplianceType": verdict} for verdict in ("COMPLIANT", "NON_COMPLIANT"))
    detail = compliance_change(ACCOUNT, REGION, "a-rule", before, {**after, "Annotation": "why"})["detail"]
    old, new = detail["oldEvaluationResult"], detail["newEvaluationResult"]
    resource = detail["resourceId"], detail["resourceType"], detail["configRuleName"]
    assert resource == ("AROA1", "AWS::IAM::Role", "a-rule")
    assert (old["complianceType"], new["annotation"]) == ("COMPLIANT", "why")
    assert new["evaluationResultIdentifier"]["orderingTimestamp"] == "2026-11-20T09:30:00.000Z"
    first = compliance_change(ACCOUNT, REGION, "a-rule", None, after)
    assert "oldEvaluationResult" not in first["detail"]
    assert matches({"source": ["aws.config"], "detail-type": ["Config Rules Compliance Change"]}, first)
