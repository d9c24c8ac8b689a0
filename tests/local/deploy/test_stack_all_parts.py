"""template.yaml and the plain template with every part, created as stacks. Each resource is read through its own API.

The stand-in does not store the function's logging. That is tested on the resolved template.
"""

import ast
import json
import re

import boto3
import pytest

from local import ROOT
from local.identifiers import ACCOUNT, REGION
from local.templates.plain import CODE_EXAMPLE
from local.templates.resolve import EVERY_PART, RULE_PARAMETERS, STACK, listed, load, resolved
from local.templates.stack import Stack

TEMPLATE = ROOT / "template.yaml"
METRICS = (ROOT / "src/metrics.rs").read_text()
# Metrics of AWS services, and the pages that document them.
OF_AWS = {
    ("AWS/Lambda", "Errors"): "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
    ("AWS/Lambda", "Throttles"): "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html",
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html",
}  # fmt: skip
# Actions without a resource type (https://docs.aws.amazon.com/service-authorization/latest/reference/).
WITHOUT_RESOURCE = {
    "config:PutEvaluations",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "eks:ListClusters",
    "iam:GetAccountAuthorizationDetails",
    "iam:ListInstanceProfiles",
    "iam:ListRoles",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


@pytest.fixture(scope="module", params=["template.yaml", "plain template"])
def stack(request, plain_path):
    is_plain = request.param == "plain template"
    path, code = (plain_path, CODE_EXAMPLE) if is_plain else (TEMPLATE, {})
    with Stack(path, {**EVERY_PART["template.yaml"], **code}) as stack:
        yield stack


def client(service):
    return boto3.client(service, REGION)


def queue_arn(stack):
    return client("sqs").get_queue_attributes(QueueUrl=stack.ids["FailureQueue"], AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]


def role_policies(stack):
    iam, role = client("iam"), stack.ids["FunctionRole"]
    held = {}
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        # moto stores the policies of the role's own property as Python text, not as JSON.
        held[name] = document if isinstance(document, dict) else ast.literal_eval(document)
    return held


def statements(document):
    return {statement.get("Sid"): statement for statement in document["Statement"]}


def test_stack_has_every_resource(stack):
    assert stack.ids.keys() == resolved(TEMPLATE, EVERY_PART["template.yaml"])["Resources"].keys()


def test_every_part_covers_every_resource():
    everything = resolved(TEMPLATE, EVERY_PART["template.yaml"])["Resources"].keys()
    written = re.findall(r"(?m)^  (\w+):\n    Type: AWS::", TEMPLATE.read_text())
    assert everything - set(written) == {"FunctionEventInvokeConfig"}, "SAM adds it"
    assert set(written) - everything == set()


def test_function_settings(stack):
    function = client("lambda").get_function(FunctionName=stack.ids["Function"])
    held = function["Configuration"]
    assert held["Runtime"] == "provided.al2023"
    assert held["Handler"] == "bootstrap"
    assert held["Architectures"] == ["x86_64"]
    assert held["MemorySize"] == 256
    assert held["Timeout"] == 900
    assert held["TracingConfig"] == {"Mode": "Active"}
    assert held["Role"] == client("iam").get_role(RoleName=stack.ids["FunctionRole"])["Role"]["Arn"]
    assert "Environment" not in held
    assert function["Concurrency"] == {"ReservedConcurrentExecutions": 10}


def test_function_logs_json_to_the_log_group():
    resources = resolved(TEMPLATE, {"LogLevel": "WARN"})["Resources"]
    assert resources["Function"]["Properties"]["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "WARN",
        "SystemLogLevel": "INFO",
        "LogGroup": resources["FunctionLogGroup"]["Properties"]["LogGroupName"],
    }


def test_function_is_in_the_vpc_and_signed(stack):
    client_, parameters = client("lambda"), EVERY_PART["template.yaml"]
    held = client_.get_function(FunctionName=stack.ids["Function"])["Configuration"]["VpcConfig"]
    assert held["SubnetIds"] == parameters["SubnetIds"].split(",")
    assert held["SecurityGroupIds"] == parameters["SecurityGroupIds"].split(",")
    signing = client_.get_function_code_signing_config(FunctionName=stack.ids["Function"])
    assert signing["CodeSigningConfigArn"] == parameters["CodeSigningConfigArn"]


def test_log_group_has_the_retention_and_the_key(stack):
    (group,) = client("logs").describe_log_groups()["logGroups"]
    assert group["kmsKeyId"] == EVERY_PART["template.yaml"]["KmsKeyArn"]
    assert group["logGroupName"] == stack.ids["FunctionLogGroup"] == f"/aws/lambda/{STACK}"
    assert group["retentionInDays"] == 90
    assert (
        resolved(TEMPLATE, {"LogRetentionInDays": "365"})["Resources"]["FunctionLogGroup"]["Properties"][
            "RetentionInDays"
        ]
        == 365
    )


def test_function_is_invoked_by_config_of_this_account_only(stack):
    (statement,) = json.loads(client("lambda").get_policy(FunctionName=stack.ids["Function"])["Policy"])["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", "lambda:InvokeFunction")
    assert statement["Principal"] == {"Service": "config.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceAccount": ACCOUNT}}


def test_failed_events_are_retried_and_queued(stack):
    held = client("lambda").get_function_event_invoke_config(FunctionName=stack.ids["Function"])
    assert held["MaximumRetryAttempts"] == 2
    assert held["MaximumEventAgeInSeconds"] == 21600
    assert held["DestinationConfig"] == {"OnFailure": {"Destination": queue_arn(stack)}}


def test_role_has_boundary_path_and_name(stack):
    parameters = EVERY_PART["template.yaml"]
    role = client("iam").get_role(RoleName=stack.ids["FunctionRole"])["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == parameters["PermissionsBoundary"]
    assert role["Path"] == parameters["RolePath"]
    assert role["RoleName"] == f"platform-ecr-read-only-{REGION}"


def test_longest_role_name_fits():
    """IAM accepts role names of 64 characters."""
    longest = "x" * load(TEMPLATE)["Parameters"]["RoleNamePrefix"]["MaxLength"]
    session = boto3.Session()
    regions = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("lambda", partition)
    ]
    assert len(regions) > 30
    longest_region = max(regions, key=len)
    resources = resolved(TEMPLATE, {"RoleNamePrefix": longest}, region=longest_region)["Resources"]
    assert len(resources["FunctionRole"]["Properties"]["RoleName"]) <= 64


def test_role_is_assumed_by_lambda_only(stack):
    role = client("iam").get_role(RoleName=stack.ids["FunctionRole"])["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }


def test_role_has_exactly_the_policies_of_the_template(stack):
    resources = resolved(TEMPLATE, EVERY_PART["template.yaml"])["Resources"]
    written = [resource["Properties"] for resource in resources.values() if resource["Type"] == "AWS::IAM::Policy"]
    written += resources["FunctionRole"]["Properties"]["Policies"]
    assert stack.as_resolved(role_policies(stack)) == {
        policy["PolicyName"]: policy["PolicyDocument"] for policy in written
    }
    assert client("iam").list_attached_role_policies(RoleName=stack.ids["FunctionRole"])["AttachedPolicies"] == []


def test_role_policies_have_no_avoidable_wildcards(stack):
    for document in role_policies(stack).values():
        for statement in document["Statement"]:
            if statement["Effect"] == "Deny":
                continue
            actions = listed(statement["Action"])
            assert not any("*" in action for action in actions), statement
            assert statement["Resource"] != "*" or set(actions) <= WITHOUT_RESOURCE, statement


def test_role_reads_results_of_its_own_rule_only(stack):
    document = role_policies(stack)["read-own-verdicts"]
    rule = client("config").describe_config_rules(ConfigRuleNames=[stack.ids["Rule"]])["ConfigRules"][0]
    assert statements(document)["ReadOwnVerdicts"]["Resource"] == rule["ConfigRuleArn"]


def test_role_assumes_one_name_in_its_organisation_only(stack):
    document = role_policies(stack)["assume-member-roles"]
    assert statements(document)["AssumeExecutionRole"] == {
        "Sid": "AssumeExecutionRole",
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": "arn:aws:iam::*:role/security/eks-node-role-ecr-read-only",
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceorgid
        "Condition": {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}},
    }


def test_queue_is_encrypted_and_refuses_plaintext(stack):
    held = client("sqs").get_queue_attributes(QueueUrl=stack.ids["FailureQueue"], AttributeNames=["All"])["Attributes"]
    assert held["SqsManagedSseEnabled"] == "false"
    assert held["KmsMasterKeyId"] == EVERY_PART["template.yaml"]["KmsKeyArn"]
    assert held["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    policy = statements(json.loads(held["Policy"]))
    assert policy.keys() == {"RefusePlaintext", "TakeUndeliveredNotifications"}
    assert policy["RefusePlaintext"]["Effect"] == "Deny"
    assert policy["RefusePlaintext"]["Principal"] == "*"
    assert policy["RefusePlaintext"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["TakeUndeliveredNotifications"]["Principal"] == {"Service": "events.amazonaws.com"}
    rule = client("events").describe_rule(Name=stack.ids["ComplianceChangeRule"])
    assert policy["TakeUndeliveredNotifications"]["Condition"] == {"ArnEquals": {"aws:SourceArn": rule["Arn"]}}
    assert {statement["Resource"] for statement in policy.values()} == {queue_arn(stack)}


def test_page_shows_a_key_policy_for_log_group_and_queue(stack):
    """Everyone who writes to the log group or the queue: CloudWatch Logs, EventBridge, and the function's role."""
    (shown,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/tasks/company-rules.md").read_text(), re.DOTALL)
    policy = {statement["Sid"]: statement for statement in json.loads(shown)}
    assert [statement["Principal"] for statement in policy.values()] == [
        {"Service": "logs.eu-west-1.amazonaws.com"},
        {"Service": "events.amazonaws.com"},
        {"AWS": "arn:aws:iam::111122223333:root"},
    ]
    place = {"region": "eu-west-1", "account": "111122223333"}
    parameters = {"RoleNamePrefix": "platform-", "RolePath": "/security/"}
    template = resolved(TEMPLATE, {**EVERY_PART["template.yaml"], **parameters}, **place)
    group = template["Resources"]["FunctionLogGroup"]["Properties"]["LogGroupName"]
    shown_group = policy["LogGroup"]["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    assert shown_group == f"arn:aws:logs:eu-west-1:111122223333:log-group:{group}"
    shown_role = policy["FailedEvents"]["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    assert shown_role == template["Outputs"]["FunctionRoleArn"]["Value"]
    (of_role,) = (
        statement
        for statement in role_policies(stack)["keep-failed-events"]["Statement"]
        if statement["Sid"] == "EncryptFailedEvents"
    )
    assert policy["FailedEvents"]["Action"] == policy["UndeliveredNotifications"]["Action"] == of_role["Action"]


def test_key_is_used_by_the_publishing_services(stack):
    kms = client("kms")
    assert kms.get_key_rotation_status(KeyId=stack.ids["NotificationKey"])["KeyRotationEnabled"] is True
    policy = statements(
        json.loads(kms.get_key_policy(KeyId=stack.ids["NotificationKey"], PolicyName="default")["Policy"])
    )
    assert policy.keys() == {"Administer", "EncryptNotifications"}
    assert policy["Administer"]["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    assert policy["EncryptNotifications"]["Principal"] == {
        "Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    }
    assert policy["EncryptNotifications"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]


def test_topic_is_encrypted_and_limits_publishers(stack):
    held = client("sns").get_topic_attributes(TopicArn=stack.ids["NotificationTopic"])["Attributes"]
    assert (
        held["KmsMasterKeyId"] == client("kms").describe_key(KeyId=stack.ids["NotificationKey"])["KeyMetadata"]["Arn"]
    )
    policy = statements(json.loads(held["Policy"]))
    assert policy.keys() == {"RefusePlaintext", "TakeComplianceChanges", "TakeAlarms"}
    assert policy["RefusePlaintext"]["Effect"] == "Deny"
    assert policy["RefusePlaintext"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["TakeComplianceChanges"]["Principal"] == {"Service": "events.amazonaws.com"}
    assert policy["TakeAlarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert policy["TakeAlarms"]["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert {statement["Resource"] for statement in policy.values()} == {stack.ids["NotificationTopic"]}
    assert {statement["Action"] for statement in policy.values()} == {"sns:Publish"}


def test_topic_accepts_alarms_of_the_stack_only(stack):
    held = client("sns").get_topic_attributes(TopicArn=stack.ids["NotificationTopic"])["Attributes"]
    admitted = statements(json.loads(held["Policy"]))["TakeAlarms"]["Condition"]["ArnLike"]["aws:SourceArn"]
    pattern = re.escape(admitted).replace(r"\*", ".*")
    alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert all(re.fullmatch(pattern, alarm["AlarmArn"]) for alarm in alarms)
    assert not re.fullmatch(pattern, f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:another")


def test_email_address_is_subscribed(stack):
    (subscription,) = client("sns").list_subscriptions_by_topic(TopicArn=stack.ids["NotificationTopic"])[
        "Subscriptions"
    ]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "platform@example.org")


def test_compliance_changes_are_sent_to_the_topic(stack):
    events, written = (
        client("events"),
        resolved(TEMPLATE, EVERY_PART["template.yaml"])["Resources"]["ComplianceChangeRule"]["Properties"],
    )
    rule = events.describe_rule(Name=stack.ids["ComplianceChangeRule"])
    assert rule["State"] == "ENABLED"
    assert rule["EventBusName"] == "default"
    assert json.loads(rule["EventPattern"]) == written["EventPattern"]
    assert written["EventPattern"]["detail"]["configRuleName"] == [stack.ids["Rule"]]
    (target,) = events.list_targets_by_rule(Rule=stack.ids["ComplianceChangeRule"])["Targets"]
    assert target["Arn"] == stack.ids["NotificationTopic"]
    assert target["DeadLetterConfig"] == {"Arn": queue_arn(stack)}
    assert target["InputTransformer"] == written["Targets"][0]["InputTransformer"]


LAMBDA, SQS, OWN = "AWS/Lambda", "AWS/SQS", "EksNodeRoleEcrReadOnly"
AT_LEAST, LESS = "GreaterThanOrEqualToThreshold", "LessThanThreshold"
ALARMS = {
    # namespace, metric, statistic, period, periods, breaching periods, comparison, threshold, missing data
    "errors": (LAMBDA, "Errors", "Sum", 900, 1, 1, AT_LEAST, 3, "notBreaching"),
    "throttles": (LAMBDA, "Throttles", "Sum", 300, 3, 3, AT_LEAST, 1, "notBreaching"),
    "failure-queue": (SQS, "ApproximateNumberOfMessagesVisible", "Maximum", 300, 1, 1, AT_LEAST, 1, "notBreaching"),
    "undecided": (OWN, "RolesUndecided", "Maximum", 3600, 25, 1, AT_LEAST, 1, "notBreaching"),
    "unreadable": (OWN, "RolesUnreadable", "Maximum", 3600, 25, 1, AT_LEAST, 1, "notBreaching"),
    "schedule": (OWN, "ScheduledRuns", "Sum", 3600, 48, 48, LESS, 1, "breaching"),
    "findings": (OWN, "FindingsNotImported", "Sum", 900, 1, 1, AT_LEAST, 1, "notBreaching"),
}


def test_alarm_settings(stack):
    held = client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {
        alarm["AlarmName"].removeprefix(f"{STACK}-"): (
            alarm["Namespace"],
            alarm["MetricName"],
            alarm["Statistic"],
            alarm["Period"],
            alarm["EvaluationPeriods"],
            alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]),
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["TreatMissingData"],
        )
        for alarm in held
    } == ALARMS


def test_alarms_send_to_the_topic_and_watch_this_function(stack):
    queue = queue_arn(stack).rsplit(":", 1)[-1]
    for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]:
        assert alarm["ActionsEnabled"] is True
        assert alarm["AlarmActions"] == alarm["OKActions"] == [stack.ids["NotificationTopic"]]
        about = (
            {"Name": "QueueName", "Value": queue}
            if alarm["Namespace"] == SQS
            else {"Name": "FunctionName", "Value": stack.ids["Function"]}
        )
        assert alarm["Dimensions"] == [about]
        assert "docs/tasks/notifications-and-alarms.md" in alarm["AlarmDescription"]


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_is_documented(name):
    assert f"| `…-{name}` |" in (ROOT / "docs/tasks/notifications-and-alarms.md").read_text()


def test_alarms_watch_existing_metrics(stack):
    namespace = re.search(r'const NAMESPACE: &str = "(\w+)";', METRICS)[1]
    counters = re.findall(r'"(\w+)"', re.search(r"const COUNTERS: \[&str; \d+\] = \[(.*?)\];", METRICS, re.DOTALL)[1])
    assert re.findall(r'with_dimension\("(\w+)"', METRICS) == ["FunctionName"], (
        "the one dimension of the function's metrics"
    )
    written = {(namespace, counter) for counter in counters} | OF_AWS.keys()
    watched = {
        (alarm["Namespace"], alarm["MetricName"]) for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]
    }
    assert watched - written == set()


def test_alarms_stay_within_the_period_that_cloudwatch_allows(stack):
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, EvaluationPeriods
    for alarm in client("cloudwatch").describe_alarms()["MetricAlarms"]:
        longest = 7 * 24 * 3600 if alarm["Period"] >= 3600 else 24 * 3600
        assert alarm["Period"] * alarm["EvaluationPeriods"] <= longest


@pytest.mark.parametrize(
    ("frequency", "hours"),
    [("One_Hour", 1), ("Three_Hours", 3), ("Six_Hours", 6), ("Twelve_Hours", 12), ("TwentyFour_Hours", 24)],
)
def test_schedule_alarm_waits_for_twice_the_period(frequency, hours):
    resources = resolved(TEMPLATE, {"Alarms": "true", "MaximumExecutionFrequency": frequency})["Resources"]
    alarm = resources["ScheduleAlarm"]["Properties"]
    assert alarm["EvaluationPeriods"] * alarm["Period"] == 2 * hours * 3600
    details = resources["Rule"]["Properties"]["Source"]["SourceDetails"]
    assert [detail["MaximumExecutionFrequency"] for detail in details if "MaximumExecutionFrequency" in detail] == [
        frequency
    ]


def test_rule_settings(stack):
    (rule,) = client("config").describe_config_rules()["ConfigRules"]
    assert rule["ConfigRuleName"] == stack.ids["Rule"] == "eks-node-role-ecr-read-only"
    assert rule["Source"] == {
        "Owner": "CUSTOM_LAMBDA",
        "SourceIdentifier": stack.outputs["FunctionArn"],
        "SourceDetails": [
            {"EventSource": "aws.config", "MessageType": "ConfigurationItemChangeNotification"},
            {"EventSource": "aws.config", "MessageType": "OversizedConfigurationItemChangeNotification"},
            {
                "EventSource": "aws.config",
                "MessageType": "ScheduledNotification",
                "MaximumExecutionFrequency": "TwentyFour_Hours",
            },
        ],
    }
    assert rule["Scope"] == {
        "ComplianceResourceTypes": [
            "AWS::IAM::Role",
            "AWS::IAM::Policy",
            "AWS::EKS::Cluster",
            "AWS::EKS::FargateProfile",
        ]
    }
    of_rule = RULE_PARAMETERS.keys() - {"ExecutionRoleName"}  # in this template it is a permission of the function
    given = EVERY_PART["template.yaml"].items()
    assert json.loads(rule["InputParameters"]) == {name: value for name, value in given if name in of_rule}


def test_instance_profile_changes_trigger_the_rule():
    types = [
        resolved(TEMPLATE, {"InstanceProfileChanges": value})["Resources"]["Rule"]["Properties"]["Scope"][
            "ComplianceResourceTypes"
        ]
        for value in ("true", "false")
    ]
    assert types[0] == [*types[1], "AWS::IAM::InstanceProfile"]


def test_outputs_name_the_resources(stack):
    role = client("iam").get_role(RoleName=stack.ids["FunctionRole"])["Role"]
    function = client("lambda").get_function(FunctionName=stack.ids["Function"])["Configuration"]
    rule = client("config").describe_config_rules()["ConfigRules"][0]
    assert stack.outputs == {
        "FunctionName": function["FunctionName"],
        "FunctionArn": function["FunctionArn"],
        "FunctionRoleArn": role["Arn"],
        "RuleName": rule["ConfigRuleName"],
        "RuleArn": rule["ConfigRuleArn"],
        "LogGroupName": f"/aws/lambda/{STACK}",
        "FailureQueueUrl": stack.ids["FailureQueue"],
        "NotificationTopicArn": stack.ids["NotificationTopic"],
    }
