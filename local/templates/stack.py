"""Creates stacks of the templates in moto's CloudFormation, with the types that moto skips or implements in part.

For these types, this module calls the API with the template's properties. So the SDK's model checks names and types of
the properties. This module decides only which call creates which type.
"""

import io
import json
import re
import zipfile

import boto3
from moto import mock_aws
from moto.cloudformation import parsing

from local.identifiers import REGION
from local.templates.plain import CODE_EXAMPLE
from local.templates.resolve import STACK, made_up_name, made_up_uuid, resolved


def _alarm(properties):
    boto3.client("cloudwatch", REGION).put_metric_alarm(**properties)
    return properties["AlarmName"], {}


def _config_rule(properties):
    config = boto3.client("config", REGION)
    config.put_config_rule(ConfigRule={**properties, "InputParameters": json.dumps(properties["InputParameters"])})
    name = properties["ConfigRuleName"]
    rule = config.describe_config_rules(ConfigRuleNames=[name])["ConfigRules"][0]
    return name, {"Arn": rule["ConfigRuleArn"], "ConfigRuleId": rule["ConfigRuleId"]}


def _event_invoke_config(properties):
    boto3.client("lambda", REGION).put_function_event_invoke_config(**properties)
    return f"{properties['FunctionName']}|{properties['Qualifier']}", {}


def _function(properties):
    # moto's CloudFormation model drops properties that it does not know, for example tracing.
    client, name = boto3.client("lambda", REGION), made_up_name("Function")
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}
    concurrency = properties.pop("ReservedConcurrentExecutions", None)
    arn = client.create_function(FunctionName=name, **{**properties, "Tags": tags})["FunctionArn"]
    if concurrency is not None:
        client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(concurrency))
    return name, {"Arn": arn}


def _key(properties):
    kms = boto3.client("kms", REGION)
    key = kms.create_key(Policy=json.dumps(properties["KeyPolicy"]), Description=properties["Description"])[
        "KeyMetadata"
    ]
    if properties["EnableKeyRotation"]:
        kms.enable_key_rotation(KeyId=key["KeyId"])
    return key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]}


def _log_group(properties):
    # moto's CloudFormation model drops the key.
    logs, name = boto3.client("logs", REGION), properties["LogGroupName"]
    logs.create_log_group(logGroupName=name, **({"kmsKeyId": key} if (key := properties.get("KmsKeyId")) else {}))
    logs.put_retention_policy(logGroupName=name, retentionInDays=properties["RetentionInDays"])
    (group,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name, {"Arn": group["arn"]}


def _queue_policy(properties):
    for url in properties["Queues"]:
        attributes = {"Policy": json.dumps(properties["PolicyDocument"])}
        boto3.client("sqs", REGION).set_queue_attributes(QueueUrl=url, Attributes=attributes)
    return properties["Queues"][0], {}


def _subscription(properties):
    return boto3.client("sns", REGION).subscribe(**properties, ReturnSubscriptionArn=True)["SubscriptionArn"], {}


def _topic_policy(properties):
    for arn in properties["Topics"]:
        policy = json.dumps(properties["PolicyDocument"])
        boto3.client("sns", REGION).set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return properties["Topics"][0], {}


CREATE_BY_TYPE = {
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Config::ConfigRule": _config_rule,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::EventInvokeConfig": _event_invoke_config,
    "AWS::Lambda::Function": _function,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::SNS::Subscription": _subscription,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SQS::QueuePolicy": _queue_policy,
}


class _Model:
    """The interface that moto expects of a resource type and of its resources."""

    def __init__(self, cloudformation_type, create):
        self.cloudformation_type, self._create = cloudformation_type, create

    def has_cfn_attr(self, attribute):
        return True

    def create_from_cloudformation_json(self, name, cloudformation_json, account, region, **more):
        resource = _Model(self.cloudformation_type, self._create)
        resource.physical_resource_id, resource.attributes = self._create(cloudformation_json["Properties"])
        return resource

    def is_created(self):
        return True

    def get_cfn_attribute(self, attribute):
        return self.attributes[attribute]


class Stack:
    """A stack of a template in a separate moto in this process. It exists inside the `with` block.

    `ids` maps logical ids to physical ids. moto resolves the references.
    """

    def __init__(self, path, parameters=None):
        self._template = resolved(path, parameters, references=False)
        self._moto = mock_aws()

    def __enter__(self):
        parsing.get_model_map().update({name: _Model(name, create) for name, create in CREATE_BY_TYPE.items()})
        types = {resource["Type"] for resource in self._template["Resources"].values()}
        if skipped := types - parsing.get_model_map().keys():
            raise NotImplementedError(f"moto's CloudFormation does not support {', '.join(sorted(skipped))}")
        self._moto.start()
        try:
            self._create()
        except BaseException:
            self._moto.stop()
            raise
        return self

    def __exit__(self, *_):
        self._moto.stop()

    def _create(self):
        s3, cloudformation = boto3.client("s3", REGION), boto3.client("cloudformation", REGION)
        s3.create_bucket(Bucket=CODE_EXAMPLE["CodeBucket"])
        for key in ("key", CODE_EXAMPLE["CodeKey"]):
            s3.put_object(Bucket=CODE_EXAMPLE["CodeBucket"], Key=key, Body=_zip())
        # Conditions and parameters are resolved first, because moto turns AWS::NoValue in a list into null.
        body = json.dumps(self._template)
        cloudformation.create_stack(StackName=STACK, TemplateBody=body, Capabilities=["CAPABILITY_NAMED_IAM"])
        resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        self.ids = {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in resources}
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def as_resolved(self, value):
        """The answer of an API, with the ids that `resolved` invents instead of moto's."""
        text = re.sub(rf"({STACK}-\w+)-[A-Z0-9]{{12}}\b", r"\1-A1B2C3D4E5F6", json.dumps(value))
        text = re.sub(r"config-rule/config-rule-\w+", "config-rule/config-rule-a1b2c3", text)
        if key := self.ids.get("NotificationKey"):
            text = text.replace(f":key/{key}", f":key/{made_up_uuid('NotificationKey')}")
        return json.loads(text)


def _zip():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as package:
        package.writestr("bootstrap", "")
    return content.getvalue()
