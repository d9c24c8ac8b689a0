"""`local/templates/resolve.py` resolves templates as CloudFormation documents, and refuses everything else."""

import json

import pytest

from local.templates.resolve import TemplateError, resolved

HEAD = """
Parameters:
  Name: {Type: String, Default: '', MaxLength: 8, AllowedPattern: '^$|^[a-z]+$', ConstraintDescription: must be lower case.}
  Count: {Type: Number, Default: 2, MinValue: 1, MaxValue: 9}
  Size: {Type: Number, Default: 30, AllowedValues: [30, 60]}
  Accounts: {Type: CommaDelimitedList, Default: '111111111111, 222222222222', AllowedPattern: '^[0-9]{12}$'}
Mappings:
  Hosts:
    aws: {Console: console.aws.amazon.com}
    aws-cn: {Console: console.amazonaws.cn}
Conditions:
  HasName: !Not [!Equals [!Ref Name, '']]
  IsChina: !Equals [!Ref AWS::Partition, aws-cn]
  Both: !And [!Condition HasName, !Condition IsChina]
  Either: !Or [!Condition HasName, !Condition IsChina]
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Named: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub 'topic-${Count}'}}
  Optional: {Type: AWS::SNS::Topic, Condition: HasName}
"""

VALUES = [
    ("a parameter without a value has its default", "!Ref Name", {}, ""),
    ("a number is a number", "!Ref Count", {"Count": "5"}, 5),
    ("a list is split at its commas, without spaces", "!Ref Accounts", {}, ["111111111111", "222222222222"]),
    ("a queue's reference is its URL", "!Ref Queue", {}, "https://sqs.us-east-1.amazonaws.com/123456789012/eks-node-role-ecr-read-only-Queue-A1B2C3D4E5F6"),
    ("an attribute is written with a dot or as a list", "[!GetAtt Named.TopicName, 'Fn::GetAtt': [Named, TopicName]]", {}, ["topic-2", "topic-2"]),
    ("NoValue removes an element of a list", "[a, !If [HasName, b, !Ref AWS::NoValue], c]", {}, ["a", "c"]),
    ("NoValue removes an element from a Join", "!Join [',', [!If [HasName, a, !Ref AWS::NoValue], b, c]]", {}, "b,c"),
    ("NoValue removes a member of an object", "{a: 1, b: !If [HasName, 2, !Ref AWS::NoValue]}", {}, {"a": 1}),
    ("And and Or combine conditions", "[!If [Both, 1, 0], !If [Either, 1, 0]]", {"Name": "x"}, [0, 1]),
    ("Sub replaces parameters, attributes and its own variables, but not literals", "!Sub ['${Own} ${Count} ${Named.TopicName} ${!Kept} ${AWS::Region}', {Own: !Ref Size}]", {}, "30 2 topic-2 ${Kept} us-east-1"),
    ("a plain string keeps IAM variables", "${aws:PrincipalOrgID}", {}, "${aws:PrincipalOrgID}"),
    ("Join, Split and Select", "!Join ['-', [!Select [1, !Split [':', 'a:b:c']], !Ref Count]]", {}, "b-2"),
    ("FindInMap", "!FindInMap [Hosts, !Ref AWS::Partition, Console]", {}, "console.aws.amazon.com"),
    ("NoValue removes a member from ToJsonString", "!ToJsonString {a: !Ref Count, b: !Ref AWS::NoValue}", {}, '{"a":2}'),
]  # fmt: skip

REFUSED = [
    ("an unknown parameter", "x", {"Nome": "x"}, "parameters that the template does not have: Nome"),
    ("a value that the pattern matches only partly", "x", {"Name": "abC"}, "parameter `Name` must be lower case."),
    ("a value that is too long", "x", {"Name": "abcdefghi"}, "parameter `Name` must be lower case."),
    ("a value that is not listed", "x", {"Size": "31"}, "parameter `Size` has a value that is not allowed"),
    ("a number that is too large", "x", {"Count": "10"}, "parameter `Count` has a value that is not allowed"),
    ("text for a number", "x", {"Count": "few"}, "parameter `Count` has a value that is not allowed"),
    ("one wrong item of a list", "x", {"Accounts": "111111111111,2"}, "parameter `Accounts` has a value that is not allowed"),
    ("a resource whose condition is false", "!Ref Optional", {}, "a reference names `Optional`, which does not exist or has a false condition"),
    ("an unknown resource", "!Sub '${Misspelt}'", {}, "a reference names `Misspelt`, which does not exist or has a false condition"),
    ("an unknown attribute", "!GetAtt Queue.Colour", {}, "Colour of a resource of type `AWS::SQS::Queue` is not supported here"),
    ("an unknown function", "!ImportValue other", {}, "function `Fn::ImportValue` is not supported here"),
    ("an unknown condition", "!If [Misspelt, 1, 2]", {}, "condition `Misspelt` does not exist"),
    ("an unknown key of a mapping", "!FindInMap [Hosts, aws-us-gov, Console]", {}, "mapping `Hosts` has no `aws-us-gov`, `Console`"),
]  # fmt: skip


def template(folder, text):
    path = folder / "template.yaml"
    path.write_text(text)
    return path


def value(folder, text, parameters, **place):
    written = HEAD + f"  Tested: {{Type: AWS::SSM::Parameter, Properties: {{Value: {text}}}}}\n"
    return resolved(template(folder, written), parameters, **place)["Resources"]["Tested"]["Properties"]["Value"]


@pytest.mark.parametrize(
    ("text", "parameters", "expected"), [case[1:] for case in VALUES], ids=[case[0] for case in VALUES]
)
def test_expression_has_the_expected_value(tmp_path, text, parameters, expected):
    text = json.dumps(text) if text.startswith("$") else text
    assert value(tmp_path, text, parameters) == expected


@pytest.mark.parametrize(
    ("text", "parameters", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_invalid_expression_is_refused(tmp_path, text, parameters, words):
    with pytest.raises(TemplateError) as refused:
        value(tmp_path, text, parameters)
    assert str(refused.value) == words


def test_partition_and_domain_follow_from_the_region(tmp_path):
    text = "!Sub '${AWS::Partition} ${AWS::URLSuffix} ${AWS::AccountId}'"
    assert (
        value(tmp_path, text, {}, region="cn-north-1", account="210987654321") == "aws-cn amazonaws.com.cn 210987654321"
    )


def test_false_condition_creates_nothing(tmp_path):
    more = """
Outputs:
  Always: {Value: !Ref Named}
  Sometimes: {Condition: HasName, Value: !Ref Optional}
"""
    without, with_name = (resolved(template(tmp_path, HEAD + more), {"Name": name}) for name in ("", "x"))
    assert without["Outputs"] == {"Always": {"Value": "arn:aws:sns:us-east-1:123456789012:topic-2"}}
    assert with_name["Resources"].keys() - without["Resources"].keys() == {"Optional"}
    assert with_name["Outputs"].keys() == {"Always", "Sometimes"}


def test_dependency_on_a_false_condition_is_refused(tmp_path):
    path = template(tmp_path, HEAD + "  Waits: {Type: AWS::SQS::Queue, DependsOn: [Queue, Optional]}\n")
    assert resolved(path, {"Name": "x"})["Resources"]["Waits"] == {
        "Type": "AWS::SQS::Queue",
        "DependsOn": ["Queue", "Optional"],
    }
    with pytest.raises(TemplateError, match="`Optional` is in DependsOn, but does not exist or its condition is false"):
        resolved(path)


def test_loop_creates_one_resource_for_each_item(tmp_path):
    loop = """
  Fn::ForEach::Queues:
    - Account
    - !Ref Accounts
    - Queue${Account}:
        Type: AWS::SQS::Queue
        Properties: {QueueName: !Sub '${Account}-${Count}', Tags: [!Ref Account]}
"""
    written = HEAD + loop
    queues = resolved(
        template(tmp_path, "Transform: AWS::LanguageExtensions\n" + written), {"Accounts": "123456789012"}
    )
    assert queues["Resources"]["Queue123456789012"] == {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": "123456789012-2", "Tags": ["123456789012"]},
    }
    with pytest.raises(TemplateError, match="`Queue123456789012` occurs twice"):
        resolved(
            template(tmp_path, "Transform: AWS::LanguageExtensions\n" + written),
            {"Accounts": "123456789012,123456789012"},
        )


def test_rule_is_asserted_if_its_condition_holds(tmp_path):
    rule = """
Rules:
  NameNeedsCount:
    RuleCondition: !Not [!Equals [!Ref Name, '']]
    Assertions:
      - {Assert: !Equals [!Ref Count, 3], AssertDescription: a name needs three}
"""
    path = template(tmp_path, HEAD + rule)
    resolved(path)
    resolved(path, {"Name": "x", "Count": "3"})
    with pytest.raises(TemplateError, match="a name needs three"):
        resolved(path, {"Name": "x"})


def test_sam_transform_keeps_conditions(tmp_path):
    sam = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Architecture: {Type: String, Default: arm64}
  Limit: {Type: String, Default: ''}
Conditions:
  HasLimit: !Not [!Equals [!Ref Limit, '']]
Resources:
  Function:
    Type: AWS::Serverless::Function
    Metadata: {checkov: {skip: [{id: CKV_AWS_1, comment: kept}]}}
    Properties:
      CodeUri: .
      Handler: bootstrap
      Runtime: provided.al2023
      Role: arn:aws:iam::123456789012:role/x
      Architectures: [!Ref Architecture]
      ReservedConcurrentExecutions: !If [HasLimit, !Ref Limit, !Ref AWS::NoValue]
"""
    function = resolved(template(tmp_path, sam))["Resources"]["Function"]
    assert function["Type"] == "AWS::Lambda::Function"
    assert function["Properties"]["Architectures"] == ["arm64"]
    assert "ReservedConcurrentExecutions" not in function["Properties"]
    assert function["Metadata"]["checkov"]["skip"] == [{"id": "CKV_AWS_1", "comment": "kept"}]
