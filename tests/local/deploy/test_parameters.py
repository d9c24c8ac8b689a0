"""The templates' parameters: the values that each accepts, and the parameters that the rule gets from them.

The rule's parameters are compared with the rule's own table (`examples/parameters.rs`). Their values are those of
`tests/parameters.json`, which `tests/parameters.rs` tries on the rule.
"""

import json
import re
from functools import cache

import pytest
import yaml

from helpers import run_example
from local import ROOT
from local.lab import events
from local.templates.plain import CODE_EXAMPLE, plain
from local.templates.resolve import EVERY_PART, RULE_PARAMETERS, Loader, TemplateError, load, parameter_values, resolved

# An event for which the function makes one call.
DELETED = json.loads((events.FOLDER / "16-role-deleted.json").read_text())

PLAIN = "plain template"
STACK, ORGANIZATION, PACK = "template.yaml", "deploy/organization-rule.yaml", "deploy/conformance-pack.yaml"
OTHER_ACCOUNTS = {"ExecutionRoleName", "ExecutionRoleRegion", "AssumeRoleMode"}
# The templates that create a rule, and the rule's parameters that can be set in each.
RULE_TEMPLATES = {
    STACK: RULE_PARAMETERS.keys() - OTHER_ACCOUNTS,
    ORGANIZATION: RULE_PARAMETERS.keys(),
    PACK: RULE_PARAMETERS.keys(),
}
# https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigRule.html, InputParameters
CHARACTERS = 1024

ROLE = "arn:aws:iam::123456789012:role"
FLAG = (["true", "false"], ["", "yes", "True", "1"])
FREQUENCY = (["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"], ["", "Daily", "Two_Hours"])
FUNCTION = (
    ["arn:aws:lambda:eu-west-1:123456789012:function:x", "arn:aws-cn:lambda:cn-north-1:123456789012:function:x_y-z"],
    ["", "x", "arn:aws:lambda:eu-west-1:123456789012:function:x:1", "arn:aws:iam::123456789012:role/x"],
)

BOUNDARY = (
    ["", "arn:aws:iam::123456789012:policy/boundary", "arn:aws-cn:iam::123456789012:policy/a/b/boundary_1", "arn:aws:iam::aws:policy/PowerUserAccess"],
    ["boundary", "*", "arn:aws:iam::123456789012:role/x", "arn:aws:iam::123456789012:policy/", "arn:aws:iam::123456789012:policy/a/", "arn:aws:iam::1:policy/x", "arn:aws:iam::*:policy/x", "arn:aws:iam::123456789012:policy/x*", " arn:aws:iam::123456789012:policy/x"],
)  # fmt: skip
PATH = (
    ["", "/", "/security/", "/a/b-c/d_e+f=g,h.i@j/"],
    ["security", "/security", "security/", "//", "/a//b/", "/a b/", "/a*/", "/aws-service-role/x/"],
)
UUID = "1234abcd-12ab-34cd-56ef-1234567890ab"

# The values that each other parameter of a template accepts, and those that it refuses.
OTHERS = {
    STACK: {
        "RuleName": (["a", "eks-node-role_1", "x" * 64], ["", "a b", "a.b", "x" * 65]),
        "MaximumExecutionFrequency": FREQUENCY,
        "InstanceProfileChanges": FLAG,
        "Notifications": FLAG,
        "Alarms": FLAG,
        "NotificationEmail": (["", "platform+ecr@mail.example.org"], ["platform", "a@b", "@example.org", "a b@example.org", "a@b@example.org"]),
        "Architecture": (["x86_64", "arm64"], ["", "x86", "ARM64"]),
        "ReservedConcurrency": (["", "1", "10", "9999"], ["0", "-1", "01", "1.5", "10000", "many"]),
        "Tracing": (["Active", "PassThrough"], ["", "active", "true"]),
        "LogLevel": (["DEBUG", "INFO", "WARN", "ERROR"], ["", "TRACE", "FATAL", "info"]),
        "LogRetentionInDays": (["1", "90", "3653"], ["0", "91", "-1", "forever"]),
        "PermissionsBoundary": BOUNDARY,
        "RolePath": (PATH[0] + [f"/{'x' * 510}/"], PATH[1] + [f"/{'x' * 511}/"]),
        "RoleNamePrefix": (["", "platform-", "a+b=c,d.e@f_g", "x" * 32], ["a b", "a/b", "*", "x" * 33]),
        "KmsKeyArn": (
            ["", f"arn:aws:kms:eu-west-1:123456789012:key/{UUID}", f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-{'0a' * 16}"],
            ["alias/x", UUID, "*", "arn:aws:kms:eu-west-1:123456789012:alias/x", "arn:aws:kms:eu-west-1:123456789012:key/*", f"arn:aws:kms:*:123456789012:key/{UUID}", f"arn:aws:kms:eu-west-1:123456789012:key/{UUID},"],
        ),
        "SubnetIds": (
            ["", "subnet-0a1b2c3d", "subnet-0a1b2c3d4e5f60718", "subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d", ",".join(["subnet-0a1b2c3d"] * 16)],
            ["subnet", "subnet-", "subnet-0a1b2c3d4", "subnet-0A1B2C3D", "subnet-0a1b2c3d, subnet-0a1b2c3e", "subnet-0a1b2c3d,", "sg-0a1b2c3d", "*", ",".join(["subnet-0a1b2c3d"] * 17)],
        ),
        "SecurityGroupIds": (
            ["", "sg-0a1b2c3d", "sg-0a1b2c3d4e5f60718,sg-0a1b2c3d", ",".join(["sg-0a1b2c3d"] * 5)],
            ["sg-", "sg-0a1b2c3d4", "default", "sg-0a1b2c3d, sg-0a1b2c3e", "sg-0a1b2c3d,", "subnet-0a1b2c3d", ",".join(["sg-0a1b2c3d"] * 6)],
        ),
        "CodeSigningConfigArn": (
            ["", "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0a1b2c3d4e5f60718"],
            ["csc-0a1b2c3d4e5f60718", "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0a1b2c3d", "arn:aws:lambda:eu-west-1:123456789012:function:x", "*"],
        ),
    },
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
        "RolePath": (PATH[0] + [f"/{'x' * 398}/"], PATH[1] + [f"/{'x' * 399}/"]),
        "PermissionsBoundary": BOUNDARY,
    },
    ORGANIZATION: {
        "FunctionArn": FUNCTION,
        "RuleName": (["a", "eks-node-role_1", "x" * 40], ["", "a b", "a.b", "x" * 41]),
        "MaximumExecutionFrequency": FREQUENCY,
        "InstanceProfileChanges": FLAG,
        "ExcludedAccounts": (["", "111111111111", "111111111111,222222222222"], ["1", "*", "111111111111,", "111111111111;222222222222"]),
    },
    "deploy/remediation.yaml": {
        "RuleName": (["", "eks-node-role-ecr-read-only", "x" * 128], ["a b", "a.b", "x" * 129]),
        "Automatic": FLAG,
        "MaximumAutomaticAttempts": (["1", "25"], ["0", "26", "few"]),
        "RetryAttemptSeconds": (["60", "2678000"], ["59", "2678001"]),
        "PermissionsBoundary": BOUNDARY,
        "RolePath": (PATH[0] + [f"/{'x' * 510}/"], PATH[1] + [f"/{'x' * 511}/"]),
    },
}  # fmt: skip
# A value that only a template refuses, because it writes the value into JSON.
NOT_JSON = {(ORGANIZATION, "ExemptTag"): ['a"=b', 'a=b"', "a=b\\"]}


OTHERS[PLAIN] = {
    **OTHERS[STACK],
    "CodeBucket": (["abc", "artefacts-1.example", "x" * 63], ["", "ab", "x" * 64, "Artefacts", "s3://artefacts", "a_b", "-ab", "ab-", "a..b", "artefacts/", "arn:aws:s3:::artefacts"]),
    "CodeKey": (["bootstrap.zip", "1.0.0-rc.1/bootstrap-arm64.zip", "a/b=c/d_(e)!'*.zip", "x" * 1024], ["", "/bootstrap.zip", "s3://artefacts/bootstrap.zip", "https://example.org/x.zip", "a b.zip", "x" * 1025]),
}  # fmt: skip


@cache
def written(path):
    return yaml.load(plain(), Loader) if path == PLAIN else load(ROOT / path)


def declared(path):
    return written(path)["Parameters"]


def every_part(path):
    return {**EVERY_PART[STACK], **CODE_EXAMPLE} if path == PLAIN else EVERY_PART[path]


def value_cases():
    for path, others in OTHERS.items():
        values = dict(others)
        for name in RULE_PARAMETERS.keys() & declared(path).keys():
            of_rule = RULE_PARAMETERS[name]
            refused = [value for values in of_rule["refused"].values() for value in values]
            values[name] = (
                of_rule["accepted"],
                refused + of_rule["only the rule accepts"] + NOT_JSON.get((path, name), []),
            )
        for name, (accepted, refused) in sorted(values.items()):
            yield pytest.param(path, name, accepted, refused, id=f"{path} {name}")


def given(path, name, value):
    return parameter_values(declared(path), {**every_part(path), name: value})[name]


@pytest.mark.parametrize(("path", "name", "accepted", "refused"), list(value_cases()))
def test_values_are_accepted_or_refused(path, name, accepted, refused):
    for value in accepted:
        given(path, name, value)
    for value in refused:
        with pytest.raises(TemplateError, match=f"parameter `{name}` must be"):
            given(path, name, value)
            pytest.fail(f"{value!r} is accepted")


@pytest.mark.parametrize("path", OTHERS)
def test_every_parameter_has_values_and_help(path):
    assert OTHERS[path].keys() | (RULE_PARAMETERS.keys() & declared(path).keys()) == declared(path).keys()
    for declaration in declared(path).values():
        assert declaration["Description"] and declaration["ConstraintDescription"]


def test_pack_parameters_have_type_default_and_help_only():
    # As in the packs that AWS publishes; other attributes are not documented for packs.
    assert declared(PACK).keys() == RULE_PARAMETERS.keys() | {"FunctionArn", "InstanceProfileChanges"}
    for name, declaration in declared(PACK).items():
        assert declaration.keys() == {"Type", "Description"} | ({"Default"} if name != "FunctionArn" else set())


@pytest.mark.parametrize("path", [STACK, PLAIN, "deploy/member-role.yaml", "deploy/remediation.yaml"])
def test_console_shows_every_parameter_with_a_label(path):
    interface = written(path)["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(interface["ParameterLabels"]) == sorted(declared(path))


def test_email_without_a_topic_is_refused():
    with pytest.raises(TemplateError, match="NotificationEmail needs Notifications or Alarms to be true"):
        resolved(ROOT / STACK, {"NotificationEmail": "a@example.org"})


@pytest.mark.parametrize(("given", "missing"), [("SubnetIds", "SecurityGroupIds"), ("SecurityGroupIds", "SubnetIds")])
def test_half_a_vpc_configuration_is_refused(given, missing):
    with pytest.raises(TemplateError, match=f"{given} needs {missing}"):
        resolved(ROOT / STACK, {given: EVERY_PART[STACK][given]})


def test_stack_accepts_the_path_of_a_member_role():
    for path in PATH[0]:
        name = f"{path}eks-reader".removeprefix("/")
        assert given(STACK, "ExecutionRoleName", name) == name


# The parameters of the rule.


@pytest.fixture(scope="session")
def table():
    """The rule's own table of its parameters, by name."""
    return {parameter["name"]: parameter for parameter in run_example("parameters")}


def required(path):
    """Values of the parameters that have no default."""
    return {
        name: EVERY_PART[path][name] for name, declaration in declared(path).items() if "Default" not in declaration
    }


@cache
def template_default(path, name):
    return str(declared(path)[name]["Default"])


def input_parameters(path, parameters):
    """The parameters that the rule of a template gets, as an object."""
    resources = resolved(ROOT / path, {**required(path), **parameters})["Resources"]
    if path == ORGANIZATION:
        return json.loads(resources["Rule"]["Properties"]["OrganizationCustomRuleMetadata"]["InputParameters"])
    (rule,) = (resource for resource in resources.values() if resource["Type"] == "AWS::Config::ConfigRule")
    return rule["Properties"]["InputParameters"]


# Each parameter of the rule with each template in which it can be set.
of_each_template = pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in RULE_TEMPLATES.items() for name in sorted(names)]
)


# What the rules of other accounts always get.
ROLE_NAME = {"ExecutionRoleName": "eks-node-role-ecr-read-only"}
ALWAYS = {STACK: {}, ORGANIZATION: ROLE_NAME, PACK: ROLE_NAME}


def test_table_and_values_have_the_same_parameters(table):
    assert table.keys() == RULE_PARAMETERS.keys()
    assert {name for name, parameter in table.items() if parameter["usedIn"] == "other accounts"} == OTHER_ACCOUNTS


@pytest.mark.parametrize("path", RULE_TEMPLATES)
def test_every_rule_parameter_can_be_set(path):
    assert RULE_TEMPLATES[path] <= declared(path).keys()
    every_part = {name: value for name, value in EVERY_PART[path].items() if name in RULE_TEMPLATES[path]}
    assert input_parameters(path, EVERY_PART[path]) == every_part


@of_each_template
def test_template_default_is_the_rules_default(table, path, name):
    assert template_default(path, name) == ALWAYS[path].get(name, table[name]["default"])


@pytest.mark.parametrize("path", RULE_TEMPLATES)
def test_defaults_are_left_out(table, path):
    assert input_parameters(path, {}) == ALWAYS[path]
    defaults = {name: table[name]["default"] for name in RULE_TEMPLATES[path] - ALWAYS[path].keys()}
    assert input_parameters(path, defaults) == ALWAYS[path]


@of_each_template
def test_other_values_are_passed_alone(table, path, name):
    for value in [*RULE_PARAMETERS[name]["accepted"], RULE_PARAMETERS[name]["example"]]:
        passed = {} if value == table[name]["default"] else {name: value}
        if name == "ExecutionRoleName":
            # Without a name, another parameter names the role.
            mode = {} if value else {"AssumeRoleMode": "true"}
            assert input_parameters(path, {name: value, **mode}) == {**passed, **mode}
        else:
            assert input_parameters(path, {name: value}) == {**ALWAYS[path], **passed}, value


def test_execution_role_name_is_never_left_out_as_a_default():
    for path in (ORGANIZATION, PACK):
        assert input_parameters(path, ROLE_NAME) == ROLE_NAME
    with pytest.raises(TemplateError, match="ExecutionRoleName can be empty only with AssumeRoleMode=true"):
        input_parameters(ORGANIZATION, {"ExecutionRoleName": ""})


@pytest.mark.parametrize("path", RULE_TEMPLATES)
def test_function_accepts_what_the_rule_gets(lab, rule, path):
    parameters = input_parameters(path, EVERY_PART[path])
    answer = lab.send({**DELETED, "ruleParameters": json.dumps(parameters)}, rule)
    # The lab has no role of that name. The function reads the parameters before it assumes the role.
    expected = "NoCredentials" if "ExecutionRoleName" in parameters else None
    assert (answer.payload or {}).get("errorType") == expected, answer.error


# The length of the parameters.

# A parameter of the rule that is a list has 200 characters. These are older, or one tag or its key.
LONGER = {
    STACK: {
        "AdditionalAllowedActions": 900,
        "ClusterRegions": 500,
        "ClusterNames": 500,
        "NodeRoles": 500,
        "ExemptRoles": 500,
        "ExemptTag": 400,
        "ExemptUntilTag": 128,
        "ExecutionRoleName": 500,
    },
    ORGANIZATION: {"AdditionalAllowedActions": 400, "ClusterRegions": 250, "ExemptTag": 400, "ExemptUntilTag": 128},
}
LENGTHS = {
    path: {
        name: declaration["MaxLength"]
        for name, declaration in declared(path).items()
        if "MaxLength" in declaration and name in RULE_PARAMETERS
    }
    for path in LONGER
}


def longest(name, length):
    """A value of this length that the rule accepts: an example, with its last character repeated."""
    example = next(value for value in RULE_PARAMETERS[name]["accepted"] if value and "*" not in value)
    return example.ljust(length, example[-1])


def length_of(parameters):
    return len(json.dumps(parameters, separators=(",", ":")))


@pytest.mark.parametrize("path", LENGTHS)
def test_lists_have_a_maximum_length(table, path):
    lists = {name for name in RULE_TEMPLATES[path] if table[name]["kind"].startswith(("list of", "tag"))}
    assert lists <= LENGTHS[path].keys()
    assert LENGTHS[path] == {name: LONGER[path].get(name, 200) for name in LENGTHS[path]}


@pytest.mark.parametrize("path", LENGTHS)
def test_longest_values_are_accepted_and_longer_refused(path):
    for name, length in LENGTHS[path].items():
        given(path, name, longest(name, length))
        with pytest.raises(TemplateError, match=f"parameter `{name}` must be .*{length} characters at most"):
            given(path, name, longest(name, length + 1))


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in LENGTHS.items() for name in names])
def test_one_longest_value_fits(path, name):
    assert length_of(input_parameters(path, {name: longest(name, LENGTHS[path][name])})) <= CHARACTERS


def test_longest_new_lists_of_an_organisation_fit_with_all_flags():
    flags = {name: "true" for name, values in RULE_PARAMETERS.items() if "`true` or `false`" in values["refused"]}
    lists = {name: longest(name, LENGTHS[ORGANIZATION][name]) for name in ("ClusterNames", "NodeRoles", "ExemptRoles")}
    parameters = {
        **flags,
        **lists,
        "AllowedAccess": "pull-only",
        "ExemptTag": "ecr-exempt=yes",
        "ExemptUntilTag": "ecr-exempt-until",
    }
    assert length_of(input_parameters(ORGANIZATION, parameters)) <= CHARACTERS
    # Two long lists more do not fit. AWS Config refuses such a rule.
    more = {name: longest(name, LENGTHS[ORGANIZATION][name]) for name in ("AdditionalAllowedActions", "ClusterRegions")}
    assert length_of(input_parameters(ORGANIZATION, {**parameters, **more})) > CHARACTERS


@pytest.mark.parametrize("path", RULE_TEMPLATES)
def test_help_names_the_limit_and_the_tag(path):
    assert "1,024 characters" in declared(path)["AdditionalAllowedActions"]["Description"]
    assert re.search(r"use ExemptTag: .*1,024 characters", declared(path)["ExemptRoles"]["Description"])
    assert "One tag exempts any number of roles" in declared(path)["ExemptTag"]["Description"]
    assert "the last day, in UTC" in declared(path)["ExemptUntilTag"]["Description"]


# The reference page.


def page_tables():
    """The rows of the page's tables under each heading, as `{column: cell}`."""
    tables, columns = {}, None
    for line in (ROOT / "docs" / "reference" / "parameters.md").read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] if line.startswith("|") else []
        if line.startswith("## "):
            heading = line[3:]
            tables[heading] = []
        elif not cells:
            columns = None
        elif columns is None:
            columns = cells
        elif not set(cells[0]) <= set("-: "):
            tables[heading].append(dict(zip(columns, cells, strict=True)))
    return tables


def code(cell):
    """The text of a cell that is code, or None."""
    found = re.fullmatch(r"`([^`]*)`", cell)
    return found and found[1]


def test_page_agrees_with_the_rule(table):
    rows = {code(row["parameter"]): row for row in page_tables()["Rule parameters"]}
    assert rows.keys() == table.keys()
    for name, row in rows.items():
        # A default without a value is described in words.
        assert (code(row["default"]) or "") == table[name]["default"], name
        in_stack = "yes" if name in RULE_TEMPLATES[STACK] else "no"
        assert (row["stack"], row["organisation"]) == (in_stack, "yes"), name


def test_page_agrees_with_the_templates():
    stack = {code(row["parameter"]): row for row in page_tables()["Parameters of the stack"]}
    assert stack.keys() == declared(STACK).keys() - RULE_TEMPLATES[STACK]
    for name, row in stack.items():
        assert (code(row["default"]) or "") == template_default(STACK, name), name
    organisation = {code(row["parameter"]): row for row in page_tables()["Parameters of the organisation's templates"]}
    where = {"both": {ORGANIZATION, PACK}, "organisation rule": {ORGANIZATION}}
    for path in (ORGANIZATION, PACK):
        own = {name for name, row in organisation.items() if path in where[row["in"]]}
        assert own == declared(path).keys() - RULE_PARAMETERS.keys()
    for name, row in organisation.items():
        assert (code(row["default"]) or "") == str(declared(ORGANIZATION)[name].get("Default", "")), name
