"""The notifications of `template.yaml`: the events that send one, and its text.

`tests/local/findings/test_compliance_changes.py` tests their delivery.
"""

import copy
import json
import re

import pytest
from moto.events.models import EventPattern

from local import ROOT
from local.identifiers import ACCOUNT
from local.templates.eventbridge_language import matches, transform
from local.templates.resolve import resolved

ANNOTATION = (
    "shop-build-node can call ecr:PutImage and 3 more actions (AmazonEC2ContainerRegistryPowerUser, statement 0). "
    "Node group build of cluster shop, us-east-1, and 1 more."
)
# As AWS Config sends it: https://docs.aws.amazon.com/config/latest/developerguide/monitor-config-with-cloudwatchevents.html
EVENT = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "Config Rules Compliance Change",
    "source": "aws.config",
    "account": ACCOUNT,
    "time": "2026-11-20T09:31:02Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {
        "resourceId": "AROARZPUZDIKLGEBOXREB",
        "awsRegion": "us-east-1",
        "awsAccountId": ACCOUNT,
        "configRuleName": "eks-node-role-ecr-read-only",
        "recordVersion": "1.0",
        "configRuleARN": f"arn:aws:config:us-east-1:{ACCOUNT}:config-rule/config-rule-a1b2c3",
        "messageType": "ComplianceChangeNotification",
        "newEvaluationResult": {
            "evaluationResultIdentifier": {
                "evaluationResultQualifier": {
                    "configRuleName": "eks-node-role-ecr-read-only",
                    "resourceType": "AWS::IAM::Role",
                    "resourceId": "AROARZPUZDIKLGEBOXREB",
                },
                "orderingTimestamp": "2026-11-20T09:30:12.345Z",
            },
            "complianceType": "NON_COMPLIANT",
            "resultRecordedTime": "2026-11-20T09:31:01.002Z",
            "configRuleInvokedTime": "2026-11-20T09:30:59.551Z",
            "annotation": ANNOTATION,
        },
        "notificationCreationTime": "2026-11-20T09:31:01.871Z",
        "resourceType": "AWS::IAM::Role",
    },
}


def event(new="NON_COMPLIANT", old=None, top=None, **detail):
    changed = copy.deepcopy(EVENT) | (top or {})
    changed["detail"]["newEvaluationResult"]["complianceType"] = new
    if old:
        changed["detail"]["oldEvaluationResult"] = {
            **copy.deepcopy(EVENT["detail"]["newEvaluationResult"]),
            "complianceType": old,
        }
    changed["detail"] |= detail
    return changed


NOTIFICATION = [
    ("the first verdict is NON_COMPLIANT", event()),
    ("it becomes NON_COMPLIANT", event(old="COMPLIANT")),
    ("it becomes a node role, and NON_COMPLIANT", event(old="NOT_APPLICABLE")),
    ("it becomes COMPLIANT again", event("COMPLIANT", "NON_COMPLIANT")),
]
NO_NOTIFICATION = [
    ("the first verdict is COMPLIANT", event("COMPLIANT")),
    ("it becomes a node role, and COMPLIANT", event("COMPLIANT", "NOT_APPLICABLE")),
    ("the role was deleted", event("NOT_APPLICABLE", "NON_COMPLIANT")),
    ("it is not a node role", event("NOT_APPLICABLE")),
    ("another rule", event(configRuleName="eks-node-role-ecr-read-only-2")),
    ("a rule name in other letter case", event(configRuleName="EKS-node-role-ecr-read-only")),
    ("another type of resource", event(resourceType="AWS::IAM::Policy")),
    ("another kind of message", event(messageType="ComplianceChangeNotificationDeliveryFailed")),
    ("another detail-type", event(top={"detail-type": "Config Rules Re-evaluation Status"})),
    ("another source", event(top={"source": "com.example"})),
]


def rule(region="us-east-1", **parameters):
    resources = resolved(ROOT / "template.yaml", {"Notifications": "true", **parameters}, region=region)["Resources"]
    return resources["ComplianceChangeRule"]["Properties"]


def created_before(name, resources):
    """The resources that CloudFormation creates before this one: those it names, and those that they name."""
    named = {word for word in re.findall(r'"(\w+)"', json.dumps(resources[name])) if word in resources}
    return named.union(*(created_before(one, resources) for one in named))


def text(of, region="us-east-1"):
    (target,) = rule(region)["Targets"]
    return transform(target["InputTransformer"], of)


@pytest.mark.parametrize("case", NOTIFICATION, ids=[case[0] for case in NOTIFICATION])
def test_notified_change_matches_the_pattern(case):
    pattern = rule()["EventPattern"]
    assert matches(pattern, case[1]) is EventPattern(None, pattern).matches_event(case[1]) is True


@pytest.mark.parametrize("case", NO_NOTIFICATION, ids=[case[0] for case in NO_NOTIFICATION])
def test_other_event_does_not_match_the_pattern(case):
    pattern = rule()["EventPattern"]
    assert matches(pattern, case[1]) is EventPattern(None, pattern).matches_event(case[1]) is False


def test_pattern_matches_the_rule_by_its_name():
    pattern = rule(RuleName="another")["EventPattern"]
    assert matches(pattern, event(configRuleName="another"))
    assert not matches(pattern, event())


def test_notifications_exist_before_the_rule():
    """AWS Config runs a new rule at once. Its first results must send notifications too."""
    resources = resolved(ROOT / "template.yaml", {"Notifications": "true"}, references=False)["Resources"]
    assert {"ComplianceChangeRule", "NotificationTopicPolicy"} <= created_before("Rule", resources)


def test_message_starts_with_role_name_and_result():
    assert text(EVENT).splitlines() == [
        f'"{ANNOTATION}"',
        f'"NON_COMPLIANT: role AROARZPUZDIKLGEBOXREB, account {ACCOUNT}, rule eks-node-role-ecr-read-only, '
        'region us-east-1, 2026-11-20T09:31:02Z."',
        '"https://console.aws.amazon.com/config/home?region=us-east-1#/resources/timeline?resourceId=AROARZPUZDIKLGEBOXREB&resourceType=AWS::IAM::Role"',
    ]


def test_message_of_a_corrected_role_names_the_new_verdict():
    assert text(event("COMPLIANT", "NON_COMPLIANT")).splitlines()[1].startswith('"COMPLIANT: role AROA')


@pytest.mark.parametrize(
    "annotation",
    ['grants "ecr:*" by a\\b', "one\ntwo", "<role> is no placeholder here", "ünï — 役割", "x" * 256],
    ids=["quotes and a backslash", "a line break", "a placeholder", "beyond ASCII", "the longest"],
)
def test_annotation_is_passed_unchanged(annotation):
    changed = event()
    changed["detail"]["newEvaluationResult"]["annotation"] = annotation
    assert text(changed).startswith(f'"{annotation}"\n')


def test_missing_annotation_leaves_its_line_empty():
    changed = event()
    del changed["detail"]["newEvaluationResult"]["annotation"]
    assert text(changed).splitlines()[0] == '""'


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_link_opens_the_console_of_the_partition(region, console):
    link = text(event(top={"region": region}), region).splitlines()[-1]
    assert link.startswith(f'"https://{console}/config/home?region={region}#/resources/timeline?')


def test_transformer_paths_exist_and_are_used():
    (target,) = rule()["Targets"]
    transformer = target["InputTransformer"]
    for name, path in transformer["InputPathsMap"].items():
        assert transform({"InputPathsMap": {name: path}, "InputTemplate": f'"<{name}>"'}, EVENT) != '""', path
        assert f"<{name}>" in transformer["InputTemplate"]


def test_pattern_length_is_within_the_limit():
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
    assert len(json.dumps(rule(RuleName="x" * 64)["EventPattern"])) <= 2048
