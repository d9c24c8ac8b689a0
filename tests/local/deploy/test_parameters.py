"""What the templates' parameters take, what they refuse, and that the function takes what they take."""

import json
import re
from functools import cache

import pytest

from local import ROOT
from local.lab import events
from local.templates.resolve import EVERY_PART, TemplateError, load, parameter_values, resolved

# An event that costs the function one call.
DELETED = json.loads((events.FOLDER / "16-role-deleted.json").read_text())

ROLE = "arn:aws:iam::123456789012:role"
LIST_OF_ROLES = (
    ["legacy-node", "legacy-*, *-build", f"{ROLE}/teams/build", "arn:*:iam::*:role/nodes-*", "a+b=c.d@e_f"],
    ["a b", "team/node", ",", "a,", "a,,b", "nöde", '"a"', "node?", "arn:aws:iam::123456789012:user/x", "x" * 501],
)
ACTIONS = (
    ["ecr:ReplicateImage", "ecr:TagResource,ecr-public:TagResource", "ecr:TagResource , ecr:PutImage"],
    ["ecr:*", "ecr:Put*", "iam:GetRole", "ReplicateImage", "ecr:TagResource,", "ecr:TagResource;ecr:PutImage"],
)
REGIONS = (
    ["eu-west-1", "us-gov-east-1, us-isob-east-1", "cn-north-1 ,eu-west-1"],
    ["Ireland", "eu-west", "eu-west-1a", "eu-west-1,", "*"],
)
FLAG = (["true", "false"], ["", "yes", "True", "1"])
ACCESS = (["read-only", "pull-only", "cis"], ["", "read", "CIS"])
FREQUENCY = (["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"], ["", "Daily", "Two_Hours"])
FUNCTION = (
    ["arn:aws:lambda:eu-west-1:123456789012:function:x", "arn:aws-cn:lambda:cn-north-1:123456789012:function:x_y-z"],
    ["", "x", "arn:aws:lambda:eu-west-1:123456789012:function:x:1", "arn:aws:iam::123456789012:role/x"],
)
ROLE_PATH = (
    ["reader", "security/reader", "a/b/reader", "reader_+=,.@-1"],
    [
        "aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        "/reader",
        "reader/",
        "a//b",
        "re*der",
        "re der",
        f"{ROLE}/reader",
    ],
)

# Of each template, the values that each parameter takes, and those that it refuses. Empty is among those taken where
# the parameter may be left out.
PARAMETERS = {
    "template.yaml": {
        "AllowedAccess": ACCESS,
        "AdditionalAllowedActions": (["", *ACTIONS[0]], [*ACTIONS[1], "ecr:" + "x" * 897]),
        "RequirePullAccess": FLAG,
        "ClusterRegions": (["", *REGIONS[0]], REGIONS[1]),
        "ClusterNames": (["", "shop", "batch-*, pay_*", "*"], ["a b", "a.b", "a/b", ",", "a,", "a,,b", "x" * 501]),
        "NodeRoles": (["", *LIST_OF_ROLES[0]], LIST_OF_ROLES[1]),
        "ExemptRoles": (["", *LIST_OF_ROLES[0]], LIST_OF_ROLES[1]),
        "ExemptTag": (["", "ecr=yes", "a b:c/d=", "key=va=lue", "key=*"], ["ecr", "=yes", "k=" + "v" * 399]),
        "IncludeServiceAccountRoles": FLAG,
        "ExecutionRoleName": (["", *ROLE_PATH[0]], ROLE_PATH[1]),
        "RuleName": (["a", "eks-node-role_1", "x" * 64], ["", "a b", "a.b", "x" * 65]),
        "MaximumExecutionFrequency": FREQUENCY,
        "SecurityHubFindings": FLAG,
        "Notifications": FLAG,
        "Alarms": FLAG,
        "NotificationEmail": (["", "platform+ecr@mail.example.org"], ["platform", "a@b", "@example.org", "a b@example.org", "a@b@example.org"]),
        "Architecture": (["x86_64", "arm64"], ["", "x86", "ARM64"]),
        "ReservedConcurrency": (["", "1", "10", "9999"], ["0", "-1", "01", "1.5", "10000", "many"]),
        "Tracing": (["Active", "PassThrough"], ["", "active", "true"]),
        "LogLevel": (["DEBUG", "INFO", "WARN", "ERROR"], ["", "TRACE", "FATAL", "info"]),
        "LogRetentionInDays": (["1", "90", "3653"], ["0", "91", "-1", "forever"]),
    },
    "deploy/conformance-pack.yaml": {},
    "deploy/invoke-permissions.yaml": {
        "FunctionArn": FUNCTION,
        "AccountIds": (["111111111111", "111111111111,222222222222", "111111111111, 222222222222"], ["", "1", "111111111111,", "*", "o-a1b2c3d4e5"]),
    },
    "deploy/member-role.yaml": {
        "FunctionRoleArn": (
            [f"{ROLE}/x", f"{ROLE}/a/b-c", "arn:aws-us-gov:iam::123456789012:role/x"],
            ["", "*", "arn:aws:iam::123456789012:root", f"{ROLE}/*", "arn:aws:iam::*:role/x", "arn:aws:iam::123456789012:user/x"],
        ),
        "OrganizationId": (["o-a1b2c3d4e5"], ["", "*", "o-*", "o-short", "r-a1b2c3d4e5", "O-A1B2C3D4E5"]),
        "RoleName": (["eks-reader", "a+b=c,d.e@f_g"], ["", "security/reader", "*", "x" * 65]),
        "SecurityHubFindings": FLAG,
    },
    "deploy/organization-rule.yaml": {
        "FunctionArn": FUNCTION,
        "ExecutionRoleName": ROLE_PATH,
        "RuleName": (["a", "eks-node-role_1", "x" * 40], ["", "a b", "a.b", "x" * 41]),
        "MaximumExecutionFrequency": FREQUENCY,
        "AllowedAccess": ACCESS,
        "AdditionalAllowedActions": (["", *ACTIONS[0]], [*ACTIONS[1], "ecr:" + "x" * 397]),
        "RequirePullAccess": FLAG,
        "ClusterRegions": (["", *REGIONS[0]], REGIONS[1]),
        "SecurityHubFindings": FLAG,
        "ExcludedAccounts": (["", "111111111111", "111111111111,222222222222"], ["1", "*", "111111111111,", "111111111111;222222222222"]),
    },
    "deploy/remediation.yaml": {
        "RuleName": (["", "eks-node-role-ecr-read-only", "x" * 128], ["a b", "a.b", "x" * 129]),
        "Automatic": FLAG,
        "MaximumAutomaticAttempts": (["1", "25"], ["0", "26", "few"]),
        "RetryAttemptSeconds": (["60", "2678000"], ["59", "2678001"]),
    },
}  # fmt: skip


CASES = [
    pytest.param(path, name, *values, id=f"{path} {name}")
    for path, of in PARAMETERS.items()
    for name, values in of.items()
]
# What of template.yaml is a parameter of the rule under the same name.
OF_THE_RULE = sorted(
    resolved(ROOT / "template.yaml", EVERY_PART["template.yaml"])["Resources"]["Rule"]["Properties"]["InputParameters"]
)


@cache
def declared(path):
    return load(ROOT / path)["Parameters"]


def given(path, name, value):
    return parameter_values(declared(path), {**EVERY_PART[path], name: value})[name]


@pytest.mark.parametrize(("path", "name", "taken", "refused"), CASES)
def test_values(path, name, taken, refused):
    for value in taken:
        given(path, name, value)
    for value in refused:
        with pytest.raises(TemplateError, match=f"parameter `{name}` must be"):
            given(path, name, value)
            pytest.fail(f"{value!r} is taken")


@pytest.mark.parametrize("path", PARAMETERS)
def test_every_parameter_is_tried_and_says_what_it_takes(path):
    # Those of a conformance pack have a type and a default, and no patterns.
    constrained = {name for name, declaration in declared(path).items() if "ConstraintDescription" in declaration}
    assert PARAMETERS[path].keys() == constrained
    assert constrained == (set() if path == "deploy/conformance-pack.yaml" else declared(path).keys())
    assert all(declaration["Description"] for declaration in declared(path).values())


@pytest.mark.parametrize("path", ["template.yaml", "deploy/member-role.yaml", "deploy/remediation.yaml"])
def test_every_parameter_has_a_place_and_a_label_in_the_console(path):
    interface = load(ROOT / path)["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(interface["ParameterLabels"]) == sorted(declared(path))


def test_an_address_needs_a_topic():
    with pytest.raises(TemplateError, match="NotificationEmail is told nothing unless Notifications or Alarms is true"):
        resolved(ROOT / "template.yaml", {"NotificationEmail": "a@example.org"})


@pytest.mark.parametrize("name", OF_THE_RULE)
def test_function_takes_what_the_template_takes(lab, rule, name):
    for value in PARAMETERS["template.yaml"][name][0]:
        parameters = resolved(ROOT / "template.yaml", {name: value})["Resources"]["Rule"]["Properties"][
            "InputParameters"
        ]
        answer = lab.send({**DELETED, "ruleParameters": json.dumps(parameters)}, rule)
        assert answer.ok, f"{value!r}: {answer.error}"


def test_function_and_template_know_the_same_parameters():
    names = re.search(r"\[&str; \d+\] = \[(.*?)\];", (ROOT / "src/rule/parameters.rs").read_text(), re.DOTALL)[1]
    # The last three are for rules of other accounts than the function's.
    assert sorted(re.findall(r'"(\w+)"', names)) == sorted(
        [*OF_THE_RULE, "ExecutionRoleName", "ExecutionRoleRegion", "AssumeRoleMode"]
    )
