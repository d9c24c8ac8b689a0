"""CloudFormation's resource types in our templates: whether stack tags reach them, and which properties are fixed.

`make validate` compares this table with the resource schemas in cfn-lint (`tagging`, `createOnlyProperties`).
"""

from typing import NamedTuple


class ResourceType(NamedTuple):
    """`fixed` are the properties whose change replaces the resource."""

    takes_tags: bool
    fixed: frozenset = frozenset()


def _type(*fixed, tags):
    return ResourceType(tags, frozenset(fixed))


TYPES = {
    "AWS::CloudWatch::Alarm": _type("AlarmName", tags=True),
    "AWS::Config::ConfigRule": _type("ConfigRuleName", tags=False),
    "AWS::Config::OrganizationConfigRule": _type("OrganizationConfigRuleName", tags=False),
    "AWS::Config::RemediationConfiguration": _type("ConfigRuleName", tags=False),
    "AWS::Events::Rule": _type("Name", tags=True),
    "AWS::IAM::Policy": _type(tags=False),
    "AWS::IAM::Role": _type("Path", "RoleName", tags=True),
    "AWS::KMS::Key": _type(tags=True),
    "AWS::Lambda::EventInvokeConfig": _type("FunctionName", "Qualifier", tags=False),
    "AWS::Lambda::Function": _type("FunctionName", "PackageType", "TenancyConfig", tags=True),
    "AWS::Lambda::Permission": _type(
        "Action",
        "EventSourceToken",
        "FunctionName",
        "FunctionUrlAuthType",
        "InvokedViaFunctionUrl",
        "Principal",
        "PrincipalOrgID",
        "SourceAccount",
        "SourceArn",
        tags=False,
    ),
    "AWS::Logs::LogGroup": _type("LogGroupName", tags=True),
    "AWS::SNS::Subscription": _type("Endpoint", "Protocol", "TopicArn", tags=False),
    "AWS::SNS::Topic": _type("FifoTopic", "TopicName", tags=True),
    "AWS::SNS::TopicPolicy": _type(tags=False),
    "AWS::SQS::Queue": _type("FifoQueue", "QueueName", tags=True),
    "AWS::SQS::QueuePolicy": _type(tags=False),
    "AWS::SSM::Document": _type("DocumentType", "Name", tags=True),
}
