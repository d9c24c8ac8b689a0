"""The EventBridge event that AWS Config sends when the compliance of a resource changes, and its delivery.

moto stores rules with an SNS topic as target, but does not deliver to it. This module does: it matches and transforms
events with `eventbridge_language.py`, and publishes to moto's topics. An event for any other target is an error.

The event's format: https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
"""

import uuid
from datetime import datetime, timezone

from moto.events.models import events_backends
from moto.sns.models import sns_backends

from local.templates import eventbridge_language


def compliance_change(account, region, rule, before, after):
    """The event for a new evaluation `after`. `before` is the previous evaluation, or None."""
    at = _instant(datetime.now(timezone.utc))
    result = {"newEvaluationResult": _result(rule, after)}
    if before:
        result["oldEvaluationResult"] = _result(rule, before)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Config Rules Compliance Change",
        "source": "aws.config",
        "account": account,
        "time": at,
        "region": region,
        "resources": [],
        "detail": {
            "resourceId": after["ComplianceResourceId"],
            "awsRegion": region,
            "awsAccountId": account,
            "configRuleName": rule,
            "recordVersion": "1.0",
            "configRuleARN": f"arn:aws:config:{region}:{account}:config-rule/config-rule-a1b2c3",
            "messageType": "ComplianceChangeNotification",
            **result,
            "notificationCreationTime": at,
            "resourceType": after["ComplianceResourceType"],
        },
    }


def _result(rule, evaluation):
    qualifier = {"resourceType": evaluation["ComplianceResourceType"], "resourceId": evaluation["ComplianceResourceId"]}
    recorded = _instant(evaluation["ResultRecordedTime"])
    annotation = {"annotation": evaluation["Annotation"]} if evaluation.get("Annotation") else {}
    return {
        "evaluationResultIdentifier": {
            "evaluationResultQualifier": {"configRuleName": rule, **qualifier},
            "orderingTimestamp": _instant(evaluation["OrderingTimestamp"]),
        },
        "complianceType": evaluation["ComplianceType"],
        "resultRecordedTime": recorded,
        "configRuleInvokedTime": recorded,
        **annotation,
    }


def _instant(value):
    return value.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def send(account, region, event):
    """Delivers an event to the targets of the rules that match it."""
    for rule in events_backends[account][region].event_buses["default"].rules.values():
        if rule.state != "ENABLED" or not eventbridge_language.matches(rule.event_pattern.get_pattern(), event):
            continue
        for target in rule.targets:
            if target["Arn"].split(":")[2] != "sns":
                raise NotImplementedError(f"the stand-in delivers no events to {target['Arn']}")
            message = eventbridge_language.transform(target["InputTransformer"], event)
            sns_backends[account][region].get_topic(target["Arn"]).publish(message)
