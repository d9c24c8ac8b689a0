"""Resolves a template as CloudFormation does: the SAM transform, loops, conditions, parameters and references.

    resolved(path, parameters) -> the template with only the resources that would be created

Names and ids that AWS would draw at random are invented, and always the same. An unsupported function or attribute, or
a reference to a resource whose condition is false, is an error. Source:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html and related pages.
"""

import copy
import json
import logging
import re
import uuid
from functools import cache
from pathlib import Path

import boto3
import yaml
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from local import ROOT
from local.identifiers import ACCOUNT, REGION

STACK = "eks-node-role-ecr-read-only"
# The location of the function's package, as `sam package` writes it.
PACKAGE = "s3://bucket/key"
SAM, LANGUAGE_EXTENSIONS = "AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"

# For each type: the property with the name, the value of Ref, and the values of GetAtt.
IDENTITIES = {
    "AWS::CloudWatch::Alarm": (
        "AlarmName",
        "{name}",
        {"Arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"},
    ),
    "AWS::Config::ConfigRule": (
        "ConfigRuleName",
        "{name}",
        {
            "Arn": "arn:{partition}:config:{region}:{account}:config-rule/config-rule-a1b2c3",
            "ConfigRuleId": "config-rule-a1b2c3",
        },
    ),
    "AWS::Config::OrganizationConfigRule": ("OrganizationConfigRuleName", "{name}", {}),
    "AWS::Events::Rule": ("Name", "{name}", {"Arn": "arn:{partition}:events:{region}:{account}:rule/{name}"}),
    "AWS::IAM::Role": ("RoleName", "{name}", {"Arn": "arn:{partition}:iam::{account}:role{path}{name}"}),
    "AWS::KMS::Key": (None, "{uuid}", {"KeyId": "{uuid}", "Arn": "arn:{partition}:kms:{region}:{account}:key/{uuid}"}),
    "AWS::Lambda::Function": (
        "FunctionName",
        "{name}",
        {"Arn": "arn:{partition}:lambda:{region}:{account}:function:{name}"},
    ),
    "AWS::Logs::LogGroup": (
        "LogGroupName",
        "{name}",
        {"Arn": "arn:{partition}:logs:{region}:{account}:log-group:{name}:*"},
    ),
    "AWS::SNS::Topic": (
        "TopicName",
        "arn:{partition}:sns:{region}:{account}:{name}",
        {"TopicArn": "arn:{partition}:sns:{region}:{account}:{name}", "TopicName": "{name}"},
    ),
    "AWS::SQS::Queue": (
        "QueueName",
        "https://sqs.{region}.{suffix}/{account}/{name}",
        {"Arn": "arn:{partition}:sqs:{region}:{account}:{name}", "QueueName": "{name}"},
    ),
    "AWS::SSM::Document": ("Name", "{name}", {}),
}


def made_up_name(logical):
    """The name of a resource whose template does not name it."""
    return f"{STACK}-{logical}-A1B2C3D4E5F6"


def made_up_uuid(name):
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


NO_VALUE = object()
logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it logs warnings about usage metrics


class TemplateError(ValueError):
    """CloudFormation would refuse the template, or this module does not support it."""


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (`!Ref`) as long forms."""


def _short_form(loader, tag, node):
    value = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
        yaml.MappingNode: lambda node: loader.construct_mapping(node, deep=True),
    }[type(node)](node)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


Loader.add_multi_constructor("!", _short_form)


def load(path):
    """The template as written."""
    return copy.deepcopy(_parsed(_text(path)))


def _text(path):
    return Path(path).read_text(encoding="utf-8")


# Parsing and the transform take most of the time, and tests resolve the same text hundreds of times.
@cache
def _parsed(text):
    return yaml.load(text, Loader)


@cache
def _transformed(text, code):
    return _serverless(_parsed(text), json.loads(code))


# Values for the parameters that have none or that switch a part off. `EVERY_PART` adds the rule's parameters.
_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{made_up_name('Function')}"
_OTHER_PARAMETERS = {
    "template.yaml": {
        "Notifications": "true",
        "Alarms": "true",
        "NotificationEmail": "platform@example.org",
        "ReservedConcurrency": "10",
        "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/security/boundary",
        "RolePath": "/security/config/",
        "RoleNamePrefix": "platform-",
        "KmsKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{made_up_uuid('company')}",
        "SubnetIds": "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d",
        "SecurityGroupIds": "sg-0a1b2c3d4e5f60718",
        "CodeSigningConfigArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-0a1b2c3d4e5f60718",
    },
    "deploy/conformance-pack.yaml": {"FunctionArn": _FUNCTION},
    "deploy/invoke-permissions.yaml": {"FunctionArn": _FUNCTION, "AccountIds": "111111111111, 222222222222"},
    "deploy/member-role.yaml": {
        "FunctionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/{made_up_name('FunctionRole')}",
        "OrganizationId": "o-a1b2c3d4e5",
        "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/security/boundary",
        "RolePath": "/security/",
    },
    "deploy/organization-rule.yaml": {"FunctionArn": _FUNCTION, "ExcludedAccounts": "111111111111"},
    "deploy/remediation.yaml": {
        "Automatic": "true",
        "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/security/boundary",
        "RolePath": "/security/",
    },
}
# Values of the rule's parameters, as `tests/parameters.rs` describes them.
RULE_PARAMETERS = json.loads((ROOT / "tests" / "parameters.json").read_text(encoding="utf-8"))


def _examples(path):
    """A value other than the default for each parameter of the rule that the template has."""
    declared = load(ROOT / path)["Parameters"]
    return {name: values["example"] for name, values in RULE_PARAMETERS.items() if name in declared}


# Our templates, each with parameters that create every part of it.
EVERY_PART = {path: {**_examples(path), **others} for path, others in _OTHER_PARAMETERS.items()}


def transformed(path, code=PACKAGE):
    """The template after its SAM transform, if it has one. References and conditions stay.

    `code` is the location of the function's package.
    """
    return copy.deepcopy(_transformed(_text(path), json.dumps(code)))


def resolved(path, parameters=None, *, region=REGION, account=ACCOUNT, references=True):
    """The template as CloudFormation creates it with these parameters and the defaults of the others.

    With `references=False`, references to resources stay, for a caller that creates the resources and knows their ids.
    Raises TemplateError if CloudFormation would refuse the template.
    """
    template = load(path)
    transforms = template.get("Transform", [])
    values = parameter_values(template.get("Parameters", {}), parameters or {})
    if LANGUAGE_EXTENSIONS in ([transforms] if isinstance(transforms, str) else transforms):
        template = _serverless(_loops(template, values), PACKAGE)
    else:
        template = transformed(path)
    return _Resolver(template, values, region, account, references).result()


def _serverless(template, code):
    transforms = template.get("Transform", [])
    if SAM not in ([transforms] if isinstance(transforms, str) else transforms):
        return template
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code
    return Translator({}, Parser(), boto_session=boto3.Session(region_name=REGION)).translate(
        template, parameter_values={}
    )


def parameter_values(declared, given):
    """The values of all declared parameters. Raises TemplateError if CloudFormation would refuse one."""
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise TemplateError(f"parameters that the template does not have: {', '.join(unknown)}")
    values = {}
    for name, declaration in declared.items():
        if name not in given and "Default" not in declaration:
            raise TemplateError(f"parameter `{name}` has no value")
        if declaration["Type"] not in ("String", "Number", "CommaDelimitedList"):
            raise TemplateError(f"type `{declaration['Type']}` of parameter `{name}` is not supported here")
        text = str(given.get(name, declaration.get("Default")))
        is_list = declaration["Type"] == "CommaDelimitedList"
        # CloudFormation removes the space around each item.
        items = [item.strip() for item in text.split(",")] if is_list else [text]
        for item in items:
            _check_parameter(name, declaration, item)
        values[name] = items if is_list else int(text) if declaration["Type"] == "Number" else text
    return values


def _check_parameter(name, declaration, value):
    allowed = [str(one) for one in declaration.get("AllowedValues", [value])]
    pattern = declaration.get("AllowedPattern", r"(?s).*")
    shortest, longest = declaration.get("MinLength", 0), declaration.get("MaxLength", len(value))
    fits = value in allowed and re.fullmatch(pattern, value) and shortest <= len(value) <= longest
    if fits and declaration["Type"] == "Number":
        fits = (
            re.fullmatch(r"-?\d+", value)
            and declaration.get("MinValue", int(value)) <= int(value) <= declaration.get("MaxValue", int(value))
        )  # fmt: skip
    if not fits:
        raise TemplateError(
            f"parameter `{name}` {declaration.get('ConstraintDescription', 'has a value that is not allowed')}"
        )


def _loops(node, values):
    """Expands `Fn::ForEach::NAME: [identifier, collection, {key: value}]`."""
    if isinstance(node, list):
        return [_loops(one, values) for one in node]
    if not isinstance(node, dict):
        return node
    result = {}
    for key, value in node.items():
        if not key.startswith("Fn::ForEach::"):
            result[key] = _loops(value, values)
            continue
        identifier, collection, output = value
        if isinstance(collection, dict):
            collection = values[collection["Ref"]]
        for item in collection:
            for name, one in _loops(_with_identifier(output, identifier, item), values).items():
                if name in result:
                    raise TemplateError(f"`{name}` occurs twice")
                result[name] = one
    return result


def _with_identifier(node, identifier, item):
    if isinstance(node, str):
        return node.replace(f"${{{identifier}}}", item).replace(f"&{{{identifier}}}", re.sub(r"[^A-Za-z0-9]", "", item))
    if isinstance(node, list):
        return [_with_identifier(one, identifier, item) for one in node]
    if node == {"Ref": identifier}:
        return item
    if isinstance(node, dict):
        return {
            _with_identifier(key, identifier, item): _with_identifier(value, identifier, item)
            for key, value in node.items()
        }
    return node


class _Resolver:
    def __init__(self, template, values, region, account, references):
        self.template = template
        self.references = references
        partition = boto3.Session().get_partition_for_region(region)
        self.place = {
            "partition": partition,
            "region": region,
            "account": account,
            "suffix": "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com",
        }
        self.values = {
            **values,
            "AWS::AccountId": account,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::StackId": f"arn:{partition}:cloudformation:{region}:{account}:stack/{STACK}/{made_up_uuid(STACK)}",
            "AWS::StackName": STACK,
            "AWS::URLSuffix": self.place["suffix"],
        }

    def result(self):
        for rule in self.template.get("Rules", {}).values():
            if self.holds(rule.get("RuleCondition", True)):
                for assertion in rule["Assertions"]:
                    if not self.holds(assertion["Assert"]):
                        raise TemplateError(assertion["AssertDescription"])
        conditions = {name: self.holds(condition) for name, condition in self.template.get("Conditions", {}).items()}
        self.resources = self._enabled("Resources", conditions)
        result = {"Resources": {name: self._resource(resource) for name, resource in self.resources.items()}}
        if "Outputs" in self.template:
            result["Outputs"] = {
                name: self.value({key: value for key, value in output.items() if key != "Condition"})
                for name, output in self._enabled("Outputs", conditions).items()
            }
        return result

    def _enabled(self, section, conditions):
        return {
            name: entry
            for name, entry in self.template[section].items()
            if "Condition" not in entry or conditions[entry["Condition"]]
        }

    def _resource(self, resource):
        resource = {key: value for key, value in resource.items() if key != "Condition"}
        if "DependsOn" in resource:
            names = [resource["DependsOn"]] if isinstance(resource["DependsOn"], str) else resource["DependsOn"]
            # Per AWS the resource is then not created either (aws-attribute-condition). cfn-lint reports an error.
            if missing := [name for name in names if name not in self.resources]:
                raise TemplateError(f"`{missing[0]}` is in DependsOn, but does not exist or its condition is false")
        if "Properties" in resource:
            resource["Properties"] = self.value(resource["Properties"])
        return resource

    def value(self, node):
        """The value of a property, or NO_VALUE if the property is left out."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._function(function, argument)
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not NO_VALUE}

    def _function(self, function, argument):
        match function:
            case "Ref":
                return self.values[argument] if argument in self.values else self._reference(argument)
            case "Fn::GetAtt":
                return self._reference(*argument)
            case "Fn::If":
                name, yes, no = argument
                return self.value(yes if self.holds({"Condition": name}) else no)
            case "Fn::Sub":
                return self._substituted(*([argument] if isinstance(argument, str) else argument))
            case "Fn::Join":
                delimiter, parts = argument
                parts = self.value(parts)
                if any(isinstance(part, dict) for part in parts):
                    return {"Fn::Join": [delimiter, parts]}
                return delimiter.join(map(str, parts))
            case "Fn::Split":
                delimiter, text = argument
                text = self.value(text)
                return {"Fn::Split": [delimiter, text]} if isinstance(text, dict) else text.split(delimiter)
            case "Fn::Select":
                index, items = argument
                index, items = int(self.value(index)), self.value(items)
                return {"Fn::Select": [index, items]} if isinstance(items, dict) else items[index]
            case "Fn::FindInMap":
                mapping, first, second = (self.value(one) for one in argument)
                try:
                    return self.template["Mappings"][mapping][first][second]
                except KeyError as missing:
                    raise TemplateError(f"mapping `{mapping}` has no `{first}`, `{second}`") from missing
            case "Fn::ToJsonString":
                return json.dumps(self.value(argument), separators=(",", ":"))
        raise TemplateError(f"function `{function}` is not supported here")

    def _substituted(self, text, own=None):
        own = {name: self.value(value) for name, value in (own or {}).items()}
        unresolved = []

        def replacement(match):
            name = match[1]
            if name.startswith("!"):
                return match[0]
            if name in own:
                return str(own[name])
            value = self._function("Fn::GetAtt", name.split(".", 1)) if "." in name else self._function("Ref", name)
            if not isinstance(value, dict):
                return str(value)
            unresolved.append(name)
            return match[0]

        if any(isinstance(value, dict) for value in own.values()):
            raise TemplateError("an unresolved reference in the names of a Sub is not supported")
        text = re.sub(r"\$\{([^}]+)\}", replacement, text)
        return {"Fn::Sub": text} if unresolved else text.replace("${!", "${")

    def _reference(self, logical, attribute=None):
        if logical not in self.resources:
            raise TemplateError(f"a reference names `{logical}`, which does not exist or has a false condition")
        resource = self.resources[logical]
        named_by, ref, attributes = IDENTITIES.get(resource["Type"], (None, None, {}))
        form = ref if attribute is None else attributes.get(attribute)
        if form is None:
            raise TemplateError(
                f"{attribute or 'Ref'} of a resource of type `{resource['Type']}` is not supported here"
            )
        if not self.references:
            return {"Ref": logical} if attribute is None else {"Fn::GetAtt": [logical, attribute]}
        name = self._property(resource, named_by, made_up_name(logical))
        path = self._property(resource, "Path", "/")
        return form.format(name=name, path=path, uuid=made_up_uuid(logical), **self.place)

    def _property(self, resource, name, default):
        """The value of a property, or the default if the resource leaves it out."""
        value = self.value(resource.get("Properties", {}).get(name, default))
        return default if value is NO_VALUE else value

    def holds(self, condition):
        if isinstance(condition, bool):
            return condition
        ((function, argument),) = condition.items()
        match function:
            case "Condition":
                if argument not in self.template.get("Conditions", {}):
                    raise TemplateError(f"condition `{argument}` does not exist")
                return self.holds(self.template["Conditions"][argument])
            case "Fn::Not":
                return not self.holds(argument[0])
            case "Fn::And":
                return all(self.holds(one) for one in argument)
            case "Fn::Or":
                return any(self.holds(one) for one in argument)
            case "Fn::Equals":
                first, second = (self.value(one) for one in argument)
                return str(first) == str(second)
        raise TemplateError(f"function `{function}` is not supported in a condition")


def listed(value):
    """A policy element as a list. The element may be one value or a list."""
    return value if isinstance(value, list) else [value]
