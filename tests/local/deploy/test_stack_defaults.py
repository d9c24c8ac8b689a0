"""template.yaml and the plain template with their defaults, created as stacks: no resource costs money while idle.

The resolved template shows the resources that each option adds.
"""

import json

import boto3
import pytest

from local import ROOT
from local.identifiers import REGION
from local.templates.plain import CODE_EXAMPLE
from local.templates.resolve import EVERY_PART, resolved
from local.templates.stack import Stack

TEMPLATE = ROOT / "template.yaml"
# Resource types that cost nothing while idle, each with the price page of AWS.
FREE_WHILE_IDLE = {
    "AWS::Config::ConfigRule": "https://aws.amazon.com/config/pricing/ (by evaluation)",
    "AWS::IAM::Policy": "https://aws.amazon.com/iam/ (free)",
    "AWS::IAM::Role": "https://aws.amazon.com/iam/ (free)",
    "AWS::Lambda::EventInvokeConfig": "https://aws.amazon.com/lambda/pricing/ (part of the function)",
    "AWS::Lambda::Function": "https://aws.amazon.com/lambda/pricing/ (by request and duration; none is provisioned)",
    "AWS::Lambda::Permission": "https://aws.amazon.com/lambda/pricing/ (part of the function)",
    "AWS::Logs::LogGroup": "https://aws.amazon.com/cloudwatch/pricing/ (by what is stored)",
    "AWS::SQS::Queue": "https://aws.amazon.com/sqs/pricing/ (by request; SSE-SQS is free)",
    "AWS::SQS::QueuePolicy": "https://aws.amazon.com/sqs/pricing/ (part of the queue)",
}
# The same for the types that options add.
FREE_OPTIONS = {
    "AWS::Events::Rule": "https://aws.amazon.com/eventbridge/pricing/ (events of AWS services are free)",
    "AWS::SNS::Subscription": "https://aws.amazon.com/sns/pricing/ (by delivery)",
    "AWS::SNS::Topic": "https://aws.amazon.com/sns/pricing/ (by request)",
    "AWS::SNS::TopicPolicy": "https://aws.amazon.com/sns/pricing/ (part of the topic)",
}
COSTS_WHILE_IDLE = {
    "AWS::CloudWatch::Alarm": "https://aws.amazon.com/cloudwatch/pricing/ (by alarm and month)",
    "AWS::KMS::Key": "https://aws.amazon.com/kms/pricing/ (by key and month)",
}

TOPIC = {"NotificationKey", "NotificationTopic", "NotificationTopicPolicy"}
ALARMS = {
    f"{name}Alarm"
    for name in ("Errors", "Throttles", "FailureQueue", "Undecided", "Unreadable", "Schedule", "Findings")
}
# The parameters for the rules of a company, and the properties that they set.
COMPANY_PROPERTIES = {
    "PermissionsBoundary": ("FunctionRole", {"PermissionsBoundary"}),
    "RolePath": ("FunctionRole", {"Path"}),
    "RoleNamePrefix": ("FunctionRole", {"RoleName"}),
    "KmsKeyArn": ("FailureQueue", {"KmsMasterKeyId"}),
    "SubnetIds": ("Function", {"VpcConfig"}),
    "SecurityGroupIds": ("Function", {"VpcConfig"}),
    "CodeSigningConfigArn": ("Function", {"CodeSigningConfigArn"}),
}
COMPANY_RULES = {name: EVERY_PART["template.yaml"][name] for name in COMPANY_PROPERTIES}
OPTIONS = [
    ("findings", {"SecurityHubFindings": "true"}, set()),
    ("notifications", {"Notifications": "true"}, TOPIC | {"ComplianceChangeRule"}),
    ("alarms", {"Alarms": "true"}, TOPIC | ALARMS),
    ("notifications by e-mail", {"Notifications": "true", "NotificationEmail": "a@example.org"}, TOPIC | {"ComplianceChangeRule", "EmailSubscription"}),
    ("alarms by e-mail", {"Alarms": "true", "NotificationEmail": "a@example.org"}, TOPIC | ALARMS | {"EmailSubscription"}),
    ("a role in other accounts", {"ExecutionRoleName": "reader"}, set()),
    ("reserved concurrency", {"ReservedConcurrency": "5"}, set()),
    ("no tracing", {"Tracing": "PassThrough"}, set()),
    ("the rules of a company", COMPANY_RULES, set()),
]  # fmt: skip


@pytest.fixture(scope="module", params=["template.yaml", "plain template"])
def stack(request, plain_path):
    is_plain = request.param == "plain template"
    with Stack(*((plain_path, CODE_EXAMPLE) if is_plain else (TEMPLATE,))) as stack:
        yield stack


def client(service):
    return boto3.client(service, REGION)


def types(parameters):
    return {name: resource["Type"] for name, resource in resolved(TEMPLATE, parameters)["Resources"].items()}


def test_defaults_cost_nothing_while_idle(stack):
    assert stack.ids.keys() == types({}).keys()
    assert set(types({}).values()) == FREE_WHILE_IDLE.keys()


def test_defaults_have_no_key_topic_or_alarm(stack):
    assert client("kms").list_keys()["Keys"] == []
    assert client("sns").list_topics()["Topics"] == []
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert client("events").list_rules()["Rules"] == []
    assert "NotificationTopicArn" not in stack.outputs


def test_function_reserves_no_concurrency(stack):
    assert "Concurrency" not in client("lambda").get_function(FunctionName=stack.ids["Function"])


def test_queue_policy_allows_no_sender(stack):
    policy = client("sqs").get_queue_attributes(QueueUrl=stack.ids["FailureQueue"], AttributeNames=["Policy"])[
        "Attributes"
    ]["Policy"]
    assert [statement["Effect"] for statement in json.loads(policy)["Statement"]] == ["Deny"]


def test_role_has_no_policy_for_an_option_that_is_off(stack):
    names = client("iam").list_role_policies(RoleName=stack.ids["FunctionRole"])["PolicyNames"]
    assert not {"report-findings", "assume-member-roles", "connect-to-vpc"} & set(names)
    assert "write-traces" in names


def test_rule_gets_no_parameters(stack):
    (rule,) = client("config").describe_config_rules()["ConfigRules"]
    assert json.loads(rule["InputParameters"]) == {}


@pytest.mark.parametrize(
    ("parameters", "added"), [option[1:] for option in OPTIONS], ids=[option[0] for option in OPTIONS]
)
def test_option_adds_its_resources_only(parameters, added):
    assert types(parameters).keys() - types({}).keys() == added
    known = FREE_WHILE_IDLE | FREE_OPTIONS | COSTS_WHILE_IDLE
    assert set(types(parameters).values()) - known.keys() == set(), "add the type to the list of its costs while idle"


def test_empty_parameters_set_no_property_of_a_company():
    with_rules, without = (resolved(TEMPLATE, parameters)["Resources"] for parameters in (COMPANY_RULES, {}))
    for logical, resource in without.items():
        added = with_rules[logical]["Properties"].keys() - resource["Properties"].keys()
        expected = {name for owner, names in COMPANY_PROPERTIES.values() if owner == logical for name in names}
        assert added == expected | ({"KmsKeyId"} if logical == "FunctionLogGroup" else set())
    assert without["FailureQueue"]["Properties"]["SqsManagedSseEnabled"] is True


def test_without_tracing_the_role_writes_no_traces():
    resources = resolved(TEMPLATE, {"Tracing": "PassThrough"})["Resources"]
    names = {policy["PolicyName"] for policy in resources["FunctionRole"]["Properties"]["Policies"]}
    assert "write-traces" not in names and "write-log" in names
    assert resources["Function"]["Properties"]["TracingConfig"] == {"Mode": "PassThrough"}


@pytest.mark.parametrize(
    ("option", "expected"),
    [("Notifications", {"RefusePlaintext", "TakeComplianceChanges"}), ("Alarms", {"RefusePlaintext", "TakeAlarms"})],
)
def test_topic_accepts_only_the_options_that_are_on(option, expected):
    policy = resolved(TEMPLATE, {option: "true"})["Resources"]["NotificationTopicPolicy"]["Properties"][
        "PolicyDocument"
    ]
    assert {statement["Sid"] for statement in policy["Statement"]} == expected


def test_architecture_is_passed_to_the_function():
    resources = resolved(TEMPLATE, {"Architecture": "arm64"})["Resources"]
    assert resources["Function"]["Properties"]["Architectures"] == ["arm64"]
