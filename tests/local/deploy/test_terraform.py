"""The Terraform module against the plain template: every resource, argument and statement, every variable and output.

The module is evaluated by `local/templates/terraform.py`. Where Terraform itself is installed, it evaluates the module
too, without a provider, and the results must agree.
"""

import copy
import json
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

import boto3
import pytest
from lark import Token, Tree

from deploy.test_parameters import PLAIN, STACK, value_cases
from local import ROOT
from local.identifiers import ACCOUNT, REGION
from local.templates import terraform_program
from local.templates.plain import CODE_EXAMPLE, plain_template
from local.templates.resolve import EVERY_PART, load, resolved
from local.templates.terraform import Module, TerraformError, Unsupported

FOLDER = ROOT / "deploy" / "terraform"
NAME = "eks-node-role-ecr-read-only"
# The variables that no parameter of the template corresponds to.
OWN_VARIABLES = {"name", "zip_path", "tags"}
# The template has these lists as text, because a parameter cannot be empty and a list.
LISTS = {"SubnetIds", "SecurityGroupIds"}


def snake(name):
    """The Terraform name of a parameter or an output."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


# The package in a bucket.
CODE = {snake(name): value for name, value in CODE_EXAMPLE.items()}


# What corresponds to what. A property, a resource or an output that is in no table is an error.

ADDRESSES = {
    "Function": "aws_lambda_function.function",
    "FunctionEventInvokeConfig": "aws_lambda_function_event_invoke_config.function",
    "FunctionLogGroup": "aws_cloudwatch_log_group.function",
    "FunctionRole": "aws_iam_role.function",
    "ReadOwnVerdictsPolicy": "aws_iam_role_policy.read_own_verdicts",
    "FailureQueue": "aws_sqs_queue.failures",
    "FailureQueuePolicy": "aws_sqs_queue_policy.failures",
    "InvokePermission": "aws_lambda_permission.config",
    "Rule": "aws_config_config_rule.rule",
    "NotificationKey": "aws_kms_key.notifications",
    "NotificationTopic": "aws_sns_topic.notifications",
    "NotificationTopicPolicy": "aws_sns_topic_policy.notifications",
    "EmailSubscription": "aws_sns_topic_subscription.email",
    "ComplianceChangeRule": "aws_cloudwatch_event_rule.compliance_changes",
    "ErrorsAlarm": 'aws_cloudwatch_metric_alarm.function["errors"]',
    "ThrottlesAlarm": 'aws_cloudwatch_metric_alarm.function["throttles"]',
    "FailureQueueAlarm": 'aws_cloudwatch_metric_alarm.function["failure-queue"]',
    "UndecidedAlarm": 'aws_cloudwatch_metric_alarm.function["undecided"]',
    "UnreadableAlarm": 'aws_cloudwatch_metric_alarm.function["unreadable"]',
    "ScheduleAlarm": 'aws_cloudwatch_metric_alarm.function["schedule"]',
    "FindingsAlarm": 'aws_cloudwatch_metric_alarm.function["findings"]',
}
TARGET = "aws_cloudwatch_event_target.compliance_changes"
LOGICAL = {address.partition("[")[0]: logical for logical, address in ADDRESSES.items()}

# The attribute of a Terraform resource, and the reference that gives the same value: Ref (None) or GetAtt.
ATTRIBUTES = {
    "aws_cloudwatch_event_rule": {"name": None, "arn": "Arn"},
    "aws_cloudwatch_log_group": {"name": None, "arn": "Arn"},
    "aws_config_config_rule": {"name": None, "arn": "Arn"},
    "aws_iam_role": {"id": None, "arn": "Arn"},
    "aws_kms_key": {"arn": "Arn"},
    "aws_lambda_function": {"function_name": None, "arn": "Arn"},
    "aws_sns_topic": {"arn": None},
    "aws_sqs_queue": {"url": None, "arn": "Arn", "name": "QueueName"},
}


def only(items):
    """The only element of a list."""
    (item,) = items
    return item


def function_name(arn):
    """The name of a function, from its name or its ARN."""
    return arn.rpartition(":")[2]


LEFT_OUT = object()


def unless_empty(value):
    """Terraform leaves an empty object out."""
    return value or LEFT_OUT


def unless_false(value):
    """The provider refuses a queue with both kinds of encryption, also if one is false."""
    return value or LEFT_OUT


def dimensions(items):
    """A list of names and values as an object."""
    return {item["Name"]: item["Value"] for item in items}


POLICY = {"PolicyName": "name", "PolicyDocument": "policy", "Roles": ("role", only)}
# For each type: the argument of each property. A pair with a function converts the value. A pair with a table is a
# block, or several if the value is a list; a block without a name stands for its arguments.
ARGUMENTS = {
    "AWS::CloudWatch::Alarm": {
        "AlarmName": "alarm_name",
        "AlarmDescription": "alarm_description",
        "Namespace": "namespace",
        "MetricName": "metric_name",
        "Dimensions": ("dimensions", dimensions),
        "Statistic": "statistic",
        "Period": "period",
        "EvaluationPeriods": "evaluation_periods",
        "DatapointsToAlarm": "datapoints_to_alarm",
        "Threshold": "threshold",
        "ComparisonOperator": "comparison_operator",
        "TreatMissingData": "treat_missing_data",
        "AlarmActions": "alarm_actions",
        "OKActions": "ok_actions",
    },
    "AWS::Config::ConfigRule": {
        "ConfigRuleName": "name",
        "Description": "description",
        "InputParameters": ("input_parameters", unless_empty),
        "Scope": ("scope", {"ComplianceResourceTypes": "compliance_resource_types"}),
        "Source": (
            "source",
            {
                "Owner": "owner",
                "SourceIdentifier": "source_identifier",
                "SourceDetails": (
                    "source_detail",
                    {
                        "EventSource": "event_source",
                        "MessageType": "message_type",
                        "MaximumExecutionFrequency": "maximum_execution_frequency",
                    },
                ),
            },
        ),
    },
    "AWS::Events::Rule": {"Description": "description", "EventPattern": "event_pattern"},
    # The targets of a rule are resources in Terraform.
    "Target": {
        "Id": "target_id",
        "Arn": "arn",
        "DeadLetterConfig": ("dead_letter_config", {"Arn": "arn"}),
        "InputTransformer": (
            "input_transformer",
            {"InputPathsMap": "input_paths", "InputTemplate": "input_template"},
        ),
    },
    # The policies of a role are resources in Terraform.
    "AWS::IAM::Policy": POLICY,
    "AWS::IAM::Role": {
        "RoleName": "name",
        "Path": "path",
        "PermissionsBoundary": "permissions_boundary",
        "Description": "description",
        "AssumeRolePolicyDocument": "assume_role_policy",
    },
    "AWS::KMS::Key": {
        "Description": "description",
        "EnableKeyRotation": "enable_key_rotation",
        "PendingWindowInDays": "deletion_window_in_days",
        "KeyPolicy": "policy",
    },
    "AWS::Lambda::EventInvokeConfig": {
        "FunctionName": "function_name",
        "Qualifier": "qualifier",
        "MaximumEventAgeInSeconds": "maximum_event_age_in_seconds",
        "MaximumRetryAttempts": "maximum_retry_attempts",
        "DestinationConfig": ("destination_config", {"OnFailure": ("on_failure", {"Destination": "destination"})}),
    },
    "AWS::Lambda::Function": {
        "Description": "description",
        "Code": ("", {"S3Bucket": "s3_bucket", "S3Key": "s3_key"}),
        "Handler": "handler",
        "Runtime": "runtime",
        "Architectures": "architectures",
        "MemorySize": "memory_size",
        "Timeout": "timeout",
        "Role": "role",
        "ReservedConcurrentExecutions": ("reserved_concurrent_executions", int),
        "CodeSigningConfigArn": "code_signing_config_arn",
        "TracingConfig": ("tracing_config", {"Mode": "mode"}),
        "LoggingConfig": (
            "logging_config",
            {
                "LogFormat": "log_format",
                "ApplicationLogLevel": "application_log_level",
                "SystemLogLevel": "system_log_level",
                "LogGroup": "log_group",
            },
        ),
        "VpcConfig": ("vpc_config", {"SubnetIds": "subnet_ids", "SecurityGroupIds": "security_group_ids"}),
    },
    "AWS::Lambda::Permission": {
        "FunctionName": ("function_name", function_name),
        "Action": "action",
        "Principal": "principal",
        "SourceAccount": "source_account",
    },
    "AWS::Logs::LogGroup": {
        "LogGroupName": "name",
        "RetentionInDays": "retention_in_days",
        "KmsKeyId": "kms_key_id",
    },
    "AWS::SNS::Subscription": {"TopicArn": "topic_arn", "Protocol": "protocol", "Endpoint": "endpoint"},
    "AWS::SNS::Topic": {"DisplayName": "display_name", "KmsMasterKeyId": "kms_master_key_id"},
    "AWS::SNS::TopicPolicy": {"Topics": ("arn", only), "PolicyDocument": "policy"},
    "AWS::SQS::Queue": {
        "SqsManagedSseEnabled": ("sqs_managed_sse_enabled", unless_false),
        "KmsMasterKeyId": "kms_master_key_id",
        "MessageRetentionPeriod": "message_retention_seconds",
    },
    "AWS::SQS::QueuePolicy": {"Queues": ("queue_url", only), "PolicyDocument": "policy"},
}
# Arguments that are JSON in Terraform.
JSON = {"assume_role_policy", "event_pattern", "input_parameters", "policy"}
# Types that take tags.
TAGGED = {
    "aws_cloudwatch_event_rule", "aws_cloudwatch_log_group", "aws_cloudwatch_metric_alarm", "aws_config_config_rule",
    "aws_iam_role", "aws_kms_key", "aws_lambda_function", "aws_sns_topic", "aws_sqs_queue",
}  # fmt: skip
# Names that CloudFormation chooses and Terraform needs.
NAMES = {
    "aws_cloudwatch_event_rule.compliance_changes": {"name": f"{NAME}-compliance-changes"},
    "aws_lambda_function.function": {"function_name": NAME},
    "aws_sns_topic.notifications": {"name": f"{NAME}-notifications"},
    "aws_sqs_queue.failures": {"name": f"{NAME}-failures"},
}
# What a resource waits for in Terraform only: there, the policies of a role and the targets of a rule are resources.
WAITS = {"aws_config_config_rule.rule": {TARGET, "aws_lambda_function_event_invoke_config.function"}}


def arguments(properties, table, where):
    """The arguments that correspond to properties."""
    result = {}
    for name, value in properties.items():
        if name not in table:
            raise KeyError(f"property {name} of {where} is in no table")
        entry = table[name]
        argument, how = entry if isinstance(entry, tuple) else (entry, lambda value: value)
        if isinstance(how, dict):
            inner = [arguments(one, how, f"{where} {name}") for one in (value if isinstance(value, list) else [value])]
            if argument:
                result[argument] = inner
            else:
                result.update(only(inner))
        elif (value := how(value)) is not LEFT_OUT:
            result[argument] = value
    return result


def expected(resources, tags):
    """The Terraform resources that correspond to the resolved resources of the template: arguments by address."""
    result, waits = {}, {}

    def add(address, properties, table, waits_for=()):
        result[address] = arguments(properties, ARGUMENTS[table], address) | NAMES.get(address, {})
        if address.partition(".")[0] in TAGGED:
            result[address]["tags"] = tags
        waits[address] = set(waits_for) | WAITS.get(address, set())

    for logical, resource in resources.items():
        unknown = resource.keys() - {"Type", "Properties", "DependsOn", "Metadata"}
        # Terraform always deletes.
        assert {resource[name] for name in unknown} <= {"Delete"}, f"{logical}: {unknown}"
        properties, kind = dict(resource["Properties"]), resource["Type"]
        for policy in properties.pop("Policies", []):
            role = {"Roles": [f"Ref {logical}"]}
            add(f"aws_iam_role_policy.{policy['PolicyName'].replace('-', '_')}", policy | role, "AWS::IAM::Policy")
        if "Targets" in properties:
            add(TARGET, only(properties.pop("Targets")), "Target")
            result[TARGET]["rule"] = f"Ref {logical}"
        depends = resource.get("DependsOn", [])
        depends = [depends] if isinstance(depends, str) else depends
        add(ADDRESSES[logical], properties, kind, [ADDRESSES[name] for name in depends])
    return result, waits


def normal(arguments):
    """Arguments with JSON parsed, and policies as statements by `Sid` with lists of actions and resources."""
    result = dict(arguments)
    for name in JSON & result.keys():
        value = json.loads(result[name]) if isinstance(result[name], str) else result[name]
        if "Statement" in value:
            value = {**value, "Statement": statements(value["Statement"])}
        result[name] = value
    return result


def statements(items):
    """Statements by `Sid`, or by position."""
    result = {}
    for position, item in enumerate(items):
        sid = item.get("Sid", position)
        assert sid not in result, f"two statements {sid}"
        lists = {
            name: item[name] if isinstance(item[name], list) else [item[name]]
            for name in ("Action", "Resource")
            if name in item
        }
        result[sid] = {**item, **lists}
    return result


def differences(first, second, where=""):
    """Where two values differ, as lines of text."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted(first.keys() | second.keys(), key=str):
            place = f"{where} {name}".strip()
            if name not in first:
                yield f"{place}: only in Terraform"
            elif name not in second:
                yield f"{place}: only in the template"
            else:
                yield from differences(first[name], second[name], place)
    elif type(first) is not type(second) or first != second:
        yield f"{where}: {first!r} in the template, {second!r} in Terraform"


# The two sides.


@cache
def template():
    """The plain template, which has no transform."""
    return plain_template()


def with_references(content):
    """The template with an output for each reference."""
    content = copy.deepcopy(content)
    for address, logical in LOGICAL.items():
        for attribute in {None, *ATTRIBUTES.get(address.partition(".")[0], {}).values()}:
            resource = content["Resources"].get(logical)
            if resource and address.partition(".")[0] in ATTRIBUTES:
                value = {"Ref": logical} if attribute is None else {"Fn::GetAtt": [logical, attribute]}
                condition = {"Condition": resource["Condition"]} if "Condition" in resource else {}
                content["Outputs"][f"{attribute or 'Ref'} {logical}"] = {"Value": value, **condition}
    return content


class TemplateSide:
    """The template with these parameters, as Terraform resources and outputs."""

    def __init__(self, content, parameters, *, region=REGION, account=ACCOUNT, tags=None):
        parameters = {**CODE_EXAMPLE, **parameters}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "template.json"
            path.write_text(json.dumps(with_references(content)), encoding="utf-8")
            result = resolved(path, parameters, region=region, account=account)
        self.tags = tags or {}
        self.values = {snake(name): as_variable(name, value) for name, value in parameters.items()}
        self.data = {
            "aws_caller_identity": {"account_id": account},
            "aws_partition": {"partition": boto3.Session().get_partition_for_region(region)},
            "aws_region": {"region": region},
        }
        self.references = {name: output["Value"] for name, output in result["Outputs"].items() if " " in name}
        names = content["Outputs"].keys() & result["Outputs"].keys()
        self.outputs = {snake(name): result["Outputs"][name]["Value"] for name in names}
        self.resources, self.waits = expected(result["Resources"], self.tags)
        if "RoleName" not in result["Resources"]["FunctionRole"]["Properties"]:
            self.resources["aws_iam_role.function"]["name_prefix"] = f"{NAME}-"
        for resource in self.resources.values():
            for name in {"role", "rule"} & resource.keys():
                resource[name] = self.references.get(resource[name], resource[name])
        self.resources = {address: normal(resource) for address, resource in self.resources.items()}

    def attribute(self, address, name):
        """What Terraform's reference to a resource gives in the template."""
        kind = address.partition(".")[0]
        if name not in ATTRIBUTES.get(kind, {}):
            raise TerraformError(f"{address} has no attribute {name}")
        value = self.references[f"{ATTRIBUTES[kind][name] or 'Ref'} {LOGICAL[address]}"]
        # Terraform's ARN of a log group has no `:*` at its end.
        return value.removesuffix(":*") if kind == "aws_cloudwatch_log_group" else value

    def evaluated(self, module):
        """The module with the same values."""
        return module.evaluated({**self.values, "tags": self.tags}, self.data, self.attribute)

    def differences(self, module):
        """Where the module differs from the template, as lines of text."""
        evaluated = self.evaluated(module)
        actual = evaluated.resources
        yield from differences(
            self.resources, {address: normal(resource.arguments) for address, resource in actual.items()}
        )
        # The function must not run before its role has its policies. One names the rule, so it comes later.
        policies = {address for address in module.resources if address.startswith("aws_iam_role_policy.")}
        waits = {**self.waits, "aws_lambda_function.function": policies - {ADDRESSES["ReadOwnVerdictsPolicy"]}}
        for address in self.resources.keys() & actual.keys():
            names = sorted(actual[address].depends_on)
            yield from differences(sorted(waits[address]), names, f"{address} depends_on")
        outputs = {name: value for name, value in evaluated.outputs.items() if value is not None}
        yield from differences(self.outputs, outputs, "output")


def as_variable(name, value):
    """The value of a parameter as the value of the variable."""
    if name in LISTS:
        return value.split(",") if value else []
    return value


MODULE = Module.read(FOLDER)
TEXT = "\n".join(path.read_text() for path in sorted(FOLDER.glob("*.tf")))
# Every parameter with another value than its default, but Tracing, whose other value takes a part away.
EVERY = {
    **EVERY_PART[STACK],
    "RuleName": "node-roles",
    "MaximumExecutionFrequency": "Six_Hours",
    "InstanceProfileChanges": "true",
    "Architecture": "arm64",
    "LogLevel": "DEBUG",
    "LogRetentionInDays": "30",
}
# Parameters that need others.
NEEDS = {
    "NotificationEmail": {"Notifications"},
    "SubnetIds": {"SecurityGroupIds"},
    "SecurityGroupIds": {"SubnetIds"},
}


def parameter_sets():
    """The defaults, every part, each parameter alone, and every part with each listed value of a parameter."""
    yield pytest.param({}, id="defaults")
    yield pytest.param(EVERY, id="every part")
    for name, value in EVERY.items():
        yield pytest.param({one: EVERY[one] for one in {name, *NEEDS.get(name, ())}}, id=f"{name} {value:.20}")
    for name, declaration in load(ROOT / STACK)["Parameters"].items():
        for value in declaration.get("AllowedValues", []):
            change = {"NotificationEmail": ""} if name in ("Notifications", "Alarms") else {}
            yield pytest.param({**EVERY, **change, name: str(value)}, id=f"every part, {name} {value}")


def test_every_parameter_has_another_value_somewhere():
    defaults = {name: str(declaration["Default"]) for name, declaration in load(ROOT / STACK)["Parameters"].items()}
    assert defaults.keys() - EVERY.keys() == {"Tracing"}
    assert [name for name, value in EVERY.items() if value == defaults[name]] == []


@pytest.mark.parametrize("parameters", list(parameter_sets()))
def test_module_creates_what_the_template_creates(parameters):
    assert list(TemplateSide(template(), parameters).differences(MODULE)) == []


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1", "ap-southeast-2"])
def test_module_agrees_in_other_partitions(region):
    side = TemplateSide(template(), EVERY, region=region, account="999999999999", tags={"team": "platform"})
    assert list(side.differences(MODULE)) == []


# The comparison fails if one side changes.


@cache
def sides():
    """The template in every partition with every part, with the defaults, and with some parts alone."""
    regions = (REGION, "cn-north-1", "us-gov-west-1")
    frequencies = load(ROOT / STACK)["Parameters"]["MaximumExecutionFrequency"]["AllowedValues"]
    return [
        *(TemplateSide(template(), EVERY, region=region, tags={"team": "platform"}) for region in regions),
        TemplateSide(template(), {}),
        TemplateSide(template(), {"Tracing": "PassThrough"}),
        *(TemplateSide(template(), {"Alarms": "true", "MaximumExecutionFrequency": one}) for one in frequencies),
    ]


def found(module):
    """The differences between a changed module and the template. A module that fails is different too."""
    try:
        for side in sides():
            yield from side.differences(module)
    except (TerraformError, Unsupported) as problem:
        yield f"error: {problem}"


CHANGES = {
    "an action less": ('          "iam:GetRolePolicy",\n', "", "read_role_policies policy Statement ReadRoles Action: "),
    "an action more": ('"logs:PutLogEvents",', '"logs:PutLogEvents", "logs:*",', "write_log policy Statement WriteOwnLogGroup Action: "),
    "a statement less": ('"report_findings"', '"findings"', "report_findings"),
    "a statement of another effect": ('Sid       = "RefuseNetworkToCode"\n        Effect    = "Deny"', 'Sid = "RefuseNetworkToCode"\n Effect = "Allow"', "RefuseNetworkToCode Effect: "),
    "a statement more": ("Statement = concat(\n      [", 'Statement = concat(\n      [{ Sid = "More" },', "Statement More: only in Terraform"),
    "a statement without its condition": ('Condition = { StringEquals = { "aws:ResourceOrgID" = "$${aws:PrincipalOrgID}" } }', "", "AssumeExecutionRole Condition: only in the template"),
    "an argument less": ("  enable_key_rotation     = true\n", "", "aws_kms_key.notifications enable_key_rotation: only in the template"),
    "an argument more": ("timeout          = 900", "timeout = 900\n  layers = []", "aws_lambda_function.function layers: only in Terraform"),
    "a block less": ("dead_letter_config {\n    arn = aws_sqs_queue.failures.arn\n  }", "", "dead_letter_config: only in the template"),
    "a resource less": ('resource "aws_lambda_permission" "config" {', 'resource "aws_lambda_permission" "config" {\n  count = 0', "aws_lambda_permission.config: only in the template"),
    "a resource more": ('data "aws_region"', 'resource "aws_sqs_queue" "other" {}\n\ndata "aws_region"', "aws_sqs_queue.other: only in Terraform"),
    "a resource always": ('count = var.tracing == "Active" ? 1 : 0', "count = 1", "write_traces: only in Terraform"),
    "another reference": ("destination = aws_sqs_queue.failures.arn", "destination = aws_sqs_queue.failures.url", "destination_config: "),
    "another resource's reference": ("source_identifier = aws_lambda_function.function.arn", "source_identifier = aws_sqs_queue.failures.arn", "source: "),
    "an order less": ("    aws_iam_role_policy.keep_failed_events,\n", "", "aws_lambda_function.function depends_on: "),
    "a parameter of the rule always": ('ClusterNames               = { value = var.cluster_names, default = "" }', 'ClusterNames = { value = var.cluster_names, default = "*" }', "input_parameters"),
    "an output less": ('output "rule_arn" {', 'output "arn" {', "output rule_arn: only in the template"),
    "an output of another value": ("value       = aws_sqs_queue.failures.url", "value       = aws_sqs_queue.failures.arn", "output failure_queue_url: "),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_changed_module_is_found(change):
    old, new, line = CHANGES[change]
    assert old in TEXT
    lines = list(found(Module(TEXT.replace(old, new, 1))))
    assert any(line in one for one in lines), lines


def literals(tree):
    """The texts and numbers of a syntax tree."""
    for child in tree.children:
        if isinstance(child, Tree):
            yield from literals(child)
        elif child.type in ("STRING_CHARS", "INT_LITERAL"):
            yield tree, child


def test_every_literal_of_the_module_counts():
    module = Module(TEXT)
    blocks = [*module.resources.values()]
    expressions = [*module.locals.values()]
    while blocks:
        block = blocks.pop()
        blocks += block.blocks
        expressions += block.attributes.values()
    places = [place for expression in expressions if isinstance(expression, Tree) for place in literals(expression)]
    assert len(places) > 300
    missed = []
    for tree, token in places:
        position = tree.children.index(token)
        tree.children[position] = Token(token.type, f"{token}9")
        if not any(found(module)):
            missed.append(f"{token} in line {token.line}")
        tree.children[position] = token
    assert not any(found(module))
    assert missed == []


def changed(change):
    content = copy.deepcopy(template())
    change(content["Resources"])
    return content


def role_statements(resources, policy):
    (found,) = (one for one in resources["FunctionRole"]["Properties"]["Policies"] if one.get("PolicyName") == policy)
    return found["PolicyDocument"]["Statement"]


TEMPLATE_CHANGES = {
    "a value": (lambda resources: resources["Function"]["Properties"].update(MemorySize=512), "memory_size: 512 in the template, 256 in Terraform"),
    "a statement more": (lambda resources: role_statements(resources, "write-log").append({"Sid": "More", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}), "write_log policy Statement More: only in the template"),
    "a statement less": (lambda resources: role_statements(resources, "find-node-roles").pop(), "ReadPodIdentityAssociations: only in Terraform"),
    "a policy less": (lambda resources: resources["FunctionRole"]["Properties"]["Policies"].pop(0), "aws_iam_role_policy.find_node_roles: only in Terraform"),
    "a property less": (lambda resources: resources["FailureQueue"]["Properties"].pop("MessageRetentionPeriod"), "message_retention_seconds: only in Terraform"),
    "a resource less": (lambda resources: resources.pop("ReadOwnVerdictsPolicy"), "read_own_verdicts: only in Terraform"),
    "an order more": (lambda resources: resources["FunctionEventInvokeConfig"].update(DependsOn="FailureQueuePolicy"), "depends_on: "),
}  # fmt: skip


@pytest.mark.parametrize("change", TEMPLATE_CHANGES)
def test_changed_template_is_found(change):
    function, line = TEMPLATE_CHANGES[change]
    lines = list(TemplateSide(changed(function), EVERY).differences(MODULE))
    assert any(line in one for one in lines), lines


@pytest.mark.parametrize(
    "change",
    [
        lambda resources: resources.update(Other={"Type": "AWS::SQS::Queue", "Properties": {}}),
        lambda resources: resources["Function"]["Properties"].update(EphemeralStorage={"Size": 512}),
        lambda resources: resources["Function"]["Properties"]["LoggingConfig"].update(Other="x"),
        lambda resources: resources["FailureQueue"].update(CreationPolicy={}),
        lambda resources: resources["FailureQueue"].update(DeletionPolicy="Retain"),
    ],
)
def test_part_of_the_template_in_no_table_is_an_error(change):
    with pytest.raises((KeyError, AssertionError, TypeError)):
        TemplateSide(changed(change), EVERY)


# Variables.


@pytest.fixture(scope="module")
def declared():
    return template()["Parameters"]


def test_variables_are_the_parameters(declared):
    assert MODULE.variables.keys() - OWN_VARIABLES == {snake(name) for name in declared}
    values = MODULE.variable_values(CODE)
    flags = {"true": True, "false": False}
    defaults = {snake(name): as_variable(name, one["Default"]) for name, one in declared.items() if "Default" in one}
    assert {name: values[name] for name in defaults} == {
        name: flags.get(value, value) if isinstance(value, str) else value for name, value in defaults.items()
    }


# Descriptions that name another thing than the template's.
OTHER_DESCRIPTIONS = {
    "architecture", "code_bucket", "code_key", "execution_role_name", "role_name_prefix", "security_group_ids",
    "subnet_ids",
}  # fmt: skip


def test_variables_have_the_descriptions_of_the_parameters(declared):
    names = re.compile(rf"\b({'|'.join(sorted(declared, key=len, reverse=True))})\b")
    for name, declaration in declared.items():
        description = MODULE.text_of(MODULE.variables[snake(name)], "description")
        own = names.sub(lambda match: snake(match[1]), declaration["Description"])
        assert (description == own) != (snake(name) in OTHER_DESCRIPTIONS), name


def test_refusal_says_what_the_template_says(declared):
    for name, declaration in declared.items():
        blocks = MODULE.variables[snake(name)].blocks
        # Terraform refuses other values of a bool with its own text.
        assert bool(blocks) != (declaration.get("AllowedValues") == ["true", "false"]), name
        if blocks:
            text = declaration["ConstraintDescription"]
            if name in LISTS:
                text = text.replace(", separated by commas without spaces", "")
            assert MODULE.text_of(blocks[0], "error_message") == f"{snake(name)} {text}"


def variable_cases():
    for case in value_cases():
        path, name, accepted, refused = case.values
        if path == PLAIN:
            # Empty means that the package is at zip_path.
            refused = [value for value in refused if value or name not in CODE_EXAMPLE]
            yield pytest.param(name, accepted, refused, id=name)


# Terraform converts these texts to a bool.
AS_BOOL = {"1": True, "0": False}


def given(name, value):
    """The values of all variables with this one."""
    others = {"notifications": True}
    if name in LISTS and value:
        others |= {snake(other): as_variable(other, EVERY[other]) for other in NEEDS[name]}
    return {**CODE, **others, snake(name): as_variable(name, value)}


@pytest.mark.parametrize(("name", "accepted", "refused"), list(variable_cases()))
def test_variable_accepts_what_the_parameter_accepts(name, accepted, refused):
    flag = not MODULE.variables[snake(name)].blocks
    for value in accepted:
        MODULE.variable_values(given(name, value))
    for value in refused:
        if flag and value in AS_BOOL:
            assert MODULE.variable_values(given(name, value))[snake(name)] is AS_BOOL[value]
            continue
        with pytest.raises(TerraformError, match=f"^{snake(name)} must be"):
            MODULE.variable_values(given(name, value))
            pytest.fail(f"{value!r} is accepted")


OWN_VALUES = {
    "name": (["a", "Eks-node-1", "x" * 37], ["", "1a", "a_b", "a b", "x" * 38]),
    "tags": ([{}, {"team": "platform"}], ["", ["a"], {"a": ["b"]}]),
}


@pytest.mark.parametrize("name", OWN_VALUES)
def test_own_variable_accepts_and_refuses(name):
    accepted, refused = OWN_VALUES[name]
    for value in accepted:
        MODULE.variable_values({**CODE, name: value})
    for value in refused:
        with pytest.raises(TerraformError, match=f"^{name} must be"):
            MODULE.variable_values({**CODE, name: value})


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"notification_email": "a@example.org"}, "notification_email needs notifications or alarms"),
        ({"subnet_ids": ["subnet-0a1b2c3d"]}, "subnet_ids needs security_group_ids"),
        ({"security_group_ids": ["sg-0a1b2c3d"]}, "security_group_ids needs subnet_ids"),
        ({"zip_path": "x.zip"}, "zip_path, or code_bucket with code_key, must be set, and not both"),
        ({"code_bucket": "", "code_key": ""}, "zip_path, or code_bucket with code_key, must be set, and not both"),
        ({"code_bucket": ""}, "code_bucket needs code_key"),
        ({"code_key": ""}, "code_bucket needs code_key"),
        ({"other": "x"}, "variables that the module does not have: other"),
    ],
)
def test_variables_that_do_not_fit_are_refused(values, error):
    with pytest.raises(TerraformError, match=error):
        MODULE.variable_values({**CODE, **values})


def test_zip_is_uploaded_when_its_bytes_change(tmp_path):
    package = tmp_path / "bootstrap.zip"
    hashes = set()
    for content in (b"one", b"two"):
        package.write_bytes(content)
        side = TemplateSide(template(), {})
        values = {"zip_path": str(package)}
        arguments = (
            MODULE.evaluated(values, side.data, side.attribute).resources["aws_lambda_function.function"].arguments
        )
        assert arguments["filename"] == str(package) and not {"s3_bucket", "s3_key"} & arguments.keys()
        hashes.add(arguments["source_code_hash"])
    assert len(hashes) == 2


def test_role_of_another_stack_has_another_name():
    side = TemplateSide(template(), {})
    resources = MODULE.evaluated({**CODE, "name": "second"}, side.data, side.attribute).resources
    assert resources["aws_iam_role.function"].arguments["name_prefix"] == "second-"
    assert resources["aws_cloudwatch_log_group.function"].arguments["name"] == "/aws/lambda/second"


def test_versions_have_a_lower_bound():
    (providers,) = MODULE.settings.blocks
    aws = MODULE.text_of(providers, "aws")
    assert aws == {"source": "hashicorp/aws", "version": ">= 6.0"}
    assert MODULE.text_of(MODULE.settings, "required_version") == ">= 1.9"


def test_example_of_the_readme_is_accepted():
    (example,) = re.findall(r"```hcl\nmodule .* \{\n(.*?)\n\}\n```", (FOLDER / "README.md").read_text(), re.DOTALL)
    values = Module(f"locals {{\n{example}\n}}\n")
    evaluated = {name: values.value_of(name) for name in values.locals}
    assert evaluated.pop("source").endswith("/deploy/terraform")
    MODULE.variable_values(evaluated)


# The evaluator refuses what it does not know, and what Terraform would refuse.


def value_of(expression):
    module = Module(f'output "x" {{\n  value = {expression}\n}}\n')
    return module.evaluated({}, {}, None).outputs["x"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"a-${true}-${1}-$${b}\\"\\\\"', 'a-true-1-${b}"\\'),
        ('[for k, v in { b = 1, a = 2 } : "${k}${v}" if v != 1]', ["a2"]),
        ('{ for v in [1, 2] : "k${v}" => v * 2 }', {"k1": 2, "k2": 4}),
        ('can(regex("^a$", "a\\n")) || !can(regex("^a$", "a"))', False),
        ('jsonencode({ b = [1, null], "a" = "<" })', '{"a":"\\u003c","b":[1,null]}'),
        ("concat([1], false ? [2] : [])[0] == 1 && one([]) == null", True),
        ('lookup({ a = "x" }, "b", "y")', "y"),
    ],
)
def test_expression_has_the_value_that_terraform_gives_it(expression, value):
    assert value_of(expression) == value


@pytest.mark.parametrize(
    "expression",
    ["1 + 2", "-1", "1.5", 'file("x")', "merge({}, {})", "max([1]...)", '"%{if true}a%{endif}"', "<<-EOT\n  a\n  EOT", '1 == "1"', 'regex("(?i)a", "a")', "[1].*.a"],
)  # fmt: skip
def test_expression_that_is_not_supported_is_an_error(expression):
    with pytest.raises(Unsupported):
        value_of(expression)


@pytest.mark.parametrize(
    "expression", ["var.x", "local.x", "data.aws_region.x.y", "aws_x.y.z", "{ a = 1 }.b", "[1][1]", 'tonumber("a")', '"${null}"', "one([1, 2])", "{ a = 1, a = 2 }", "!1"]
)  # fmt: skip
def test_expression_that_terraform_refuses_is_refused(expression):
    with pytest.raises(TerraformError):
        value_of(expression)


VARIABLE = 'variable "NAME" {\n  type = string\n  default = ""\n  nullable = false\n  validation {\n    condition = CONDITION\n    error_message = "x"\n  }\n}\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('resource "a_b" "c" {\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n', Unsupported),
        ('resource "a_b" "c" {\n  provider = x\n}\n', Unsupported),
        ('resource "a_b" "c" {\n  count = 2\n}\n', Unsupported),
        ('resource "a_b" "c" {\n  for_each = ["a"]\n}\n', Unsupported),
        ('resource "a_b" "c" {\n  depends_on = [a_b.d]\n}\n', TerraformError),
        ('resource "a_b" "c" {}\nresource "a_b" "c" {}\n', TerraformError),
        ('locals {\n  a = local.a\n}\noutput "b" {\n  value = local.a\n}\n', TerraformError),
        ('module "x" {\n  source = "y"\n}\n', Unsupported),
        ('variable "x" {\n  type = string\n  default = ""\n}\n', Unsupported),
        ('output "x" {\n  value = 1\n  sensitive = true\n}\n', Unsupported),
        (VARIABLE.replace("NAME", "a").replace("CONDITION", "var.a == var.b") + VARIABLE.replace("NAME", "b").replace("CONDITION", "var.a == var.b"), TerraformError),
        (VARIABLE.replace("NAME", "a").replace("CONDITION", "true"), TerraformError),
    ],
)  # fmt: skip
def test_block_that_is_not_supported_or_refused_is_an_error(text, error):
    with pytest.raises(error):
        Module(text).evaluated({}, {}, None)


# Terraform itself, where it is installed.

needs_terraform = pytest.mark.skipif(not shutil.which("terraform"), reason="Terraform is not installed")


@needs_terraform
@pytest.mark.parametrize("position", [0, 1, 3, 4, 5])
def test_terraform_evaluates_the_module_to_the_same(tmp_path, position):
    side = sides()[position]
    values = {**side.values, "tags": side.tags}
    planned = terraform_program.evaluated(tmp_path, MODULE, values, side.data, side.attribute)
    evaluated = side.evaluated(MODULE)
    assert list(differences(
        {address: normal(resource.arguments) for address, resource in planned.resources.items()},
        {address: normal(resource.arguments) for address, resource in evaluated.resources.items()},
    )) == []  # fmt: skip
    assert {name: planned.outputs.get(name) for name in evaluated.outputs} == evaluated.outputs


@needs_terraform
def test_terraform_accepts_and_refuses_the_same_values(tmp_path):
    cases = []
    for case in variable_cases():
        name, accepted, refused = case.values
        for kind, values in (
            ("accepts", accepted),
            ("refuses", refused if MODULE.variables[snake(name)].blocks else []),
        ):
            for number, value in enumerate(values):
                refusal = snake(name) if kind == "refuses" else None
                if not (refusal and MODULE.kind(snake(name)) == "number" and not re.fullmatch("-?[0-9]+", value)):
                    cases.append((f"{snake(name)}_{kind}_{number}", given(name, value), refusal))
    assert len(cases) > 150
    answers = terraform_program.refusals(tmp_path, MODULE, cases)
    assert [name for name, *_ in cases if not answers.get(name)] == []


# Values that other resources of the same configuration often give, such as a new key or a new subnet.
LATER = {
    "code_bucket": "LATER",
    "code_signing_config_arn": "LATER",
    "kms_key_arn": "LATER",
    "permissions_boundary": "LATER",
    "security_group_ids": "[LATER]",
    "subnet_ids": "[LATER]",
    "tags": "{ team = LATER }",
}


@needs_terraform
def test_plan_accepts_values_that_are_known_later(tmp_path):
    side = sides()[0]
    planned = terraform_program.plan_with_values_known_later(
        tmp_path, MODULE, side.values, LATER, side.data, side.attribute
    )
    assert f"Plan: {len(side.resources) + 1} to add" in re.sub(r"\x1b\[[0-9;]*m", "", planned)


@needs_terraform
def test_plan_refuses_a_count_that_is_known_later(tmp_path):
    side = sides()[0]
    module = Module(
        TEXT.replace("count = length(var.subnet_ids) == 0 ? 0 : 1", 'count = var.kms_key_arn == "" ? 0 : 1')
    )
    with pytest.raises(RuntimeError, match="Invalid count argument"):
        terraform_program.plan_with_values_known_later(tmp_path, module, side.values, LATER, side.data, side.attribute)


@needs_terraform
def test_module_is_formatted():
    ran = terraform_program.terraform(FOLDER, "fmt", "-check", "-diff")
    assert ran.returncode == 0, ran.stdout + ran.stderr
