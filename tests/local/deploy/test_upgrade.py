"""An update of a stack replaces no resource, and the rule keeps its name and so its verdicts.

The stacks are those of version 0.1.0 and of template.yaml. The updates are to template.yaml and to the plain template.
"""

from pathlib import Path

import pytest

from local import ROOT
from local.templates.plain import CODE_EXAMPLE
from local.templates.resolve import EVERY_PART, load, resolved
from local.templates.resource_types import TYPES

FIRST = Path(__file__).with_name("template-0.1.0.yaml")
TEMPLATE = ROOT / "template.yaml"
# Policies of version 0.1.0 that are in the role itself today, under the other name.
MOVED = {
    "FindingsPolicy": ("import-findings", "report-findings"),
    "AssumeExecutionRolePolicy": ("assume-execution-role", "assume-member-roles"),
}
# What distinguishes the plain template: where the package is, and no tag of SAM.
OF_PLAIN = {"Function": {"Code", "Tags"}}


def parameters_of(path):
    """Parameters that create every part, without those of a later version."""
    return {name: value for name, value in EVERY_PART["template.yaml"].items() if name in load(path)["Parameters"]}


EVERY_OLD_PART = parameters_of(FIRST)
UPDATES = [
    # from, to the plain template, parameters, changed properties
    pytest.param(FIRST, False, {}, {}, id="0.1.0 to SAM, defaults"),
    pytest.param(FIRST, True, {}, OF_PLAIN, id="0.1.0 to plain, defaults"),
    pytest.param(FIRST, False, EVERY_OLD_PART, {"FunctionRole": {"Policies"}}, id="0.1.0 to SAM, every part"),
    pytest.param(FIRST, True, EVERY_OLD_PART, {"FunctionRole": {"Policies"}, **OF_PLAIN}, id="0.1.0 to plain, every part"),
    pytest.param(TEMPLATE, True, {}, OF_PLAIN, id="SAM to plain, defaults"),
    pytest.param(TEMPLATE, True, parameters_of(TEMPLATE), OF_PLAIN, id="SAM to plain, every part"),
]  # fmt: skip


def before_and_after(source, to_plain, parameters, plain_path=None):
    path, code = (plain_path, CODE_EXAMPLE) if to_plain else (TEMPLATE, {})
    after = resolved(path, {**parameters, **code})
    return resolved(source, parameters)["Resources"], after["Resources"]


def changed(before, after):
    """The names of the properties that differ."""
    names = before["Properties"].keys() | after["Properties"].keys()
    return {name for name in names if before["Properties"].get(name) != after["Properties"].get(name)}


@pytest.mark.parametrize(("source", "to_plain", "parameters", "expected"), UPDATES)
def test_update_changes_only_the_expected(plain_path, source, to_plain, parameters, expected):
    before, after = before_and_after(source, to_plain, parameters, plain_path)
    assert after.keys() == before.keys() - (MOVED.keys() if source == FIRST else set())
    changes = {name: names for name in after if (names := changed(before[name], after[name]))}
    assert changes == expected
    for name, resource in after.items():
        assert {k: v for k, v in resource.items() if k not in ("Properties", "Metadata")} == {
            k: v for k, v in before[name].items() if k not in ("Properties", "Metadata")
        }


@pytest.mark.parametrize(("source", "to_plain", "parameters", "expected"), UPDATES)
def test_update_replaces_no_resource(plain_path, source, to_plain, parameters, expected):
    before, after = before_and_after(source, to_plain, parameters, plain_path)
    for name, resource in after.items():
        assert resource["Type"] == before[name]["Type"]
        assert not changed(before[name], resource) & TYPES[resource["Type"]].fixed, name
    assert after["Rule"] == before["Rule"]


@pytest.mark.parametrize("path", EVERY_PART)
def test_type_of_every_resource_is_in_the_table(path):
    types = {resource["Type"] for resource in resolved(ROOT / path, EVERY_PART[path])["Resources"].values()}
    assert types - TYPES.keys() == set()


REPLACING = {"RuleName": "Rule", "RolePath": "FunctionRole", "RoleNamePrefix": "FunctionRole"}
# A value other than the default for each parameter.
OTHER_VALUES = {
    **EVERY_PART["template.yaml"],
    "RuleName": "another",
    "InstanceProfileChanges": "true",
    "MaximumExecutionFrequency": "One_Hour",
    "Architecture": "arm64",
    "Tracing": "PassThrough",
    "LogLevel": "WARN",
    "LogRetentionInDays": "30",
}


@pytest.mark.parametrize(("parameter", "resource"), REPLACING.items())
def test_parameter_that_replaces_a_resource_says_so(parameter, resource):
    given = {parameter: OTHER_VALUES[parameter]}
    before, after = (resolved(TEMPLATE, parameters)["Resources"][resource] for parameters in ({}, given))
    assert changed(before, after) & TYPES[after["Type"]].fixed
    assert "replaces the" in load(TEMPLATE)["Parameters"][parameter]["Description"]


def test_no_other_parameter_replaces_a_resource():
    assert OTHER_VALUES.keys() == load(TEMPLATE)["Parameters"].keys()
    others = {name: value for name, value in OTHER_VALUES.items() if name not in REPLACING}
    before, after = (resolved(TEMPLATE, parameters)["Resources"] for parameters in ({}, others))
    for name in after.keys() & before.keys():
        assert not changed(before[name], after[name]) & TYPES[after[name]["Type"]].fixed, name


def test_moved_policies_have_new_names():
    """CloudFormation adds the policies of the role first, and then deletes the old policies by name."""
    before, after = before_and_after(FIRST, False, EVERY_OLD_PART)
    names = {policy["PolicyName"] for policy in after["FunctionRole"]["Properties"]["Policies"]}
    for logical, (old, new) in MOVED.items():
        assert before[logical]["Properties"]["PolicyName"] == old
        assert new in names and old not in names
        (inline,) = (p for p in after["FunctionRole"]["Properties"]["Policies"] if p["PolicyName"] == new)
        assert inline["PolicyDocument"] == before[logical]["Properties"]["PolicyDocument"]


def test_parameters_create_every_resource_of_the_first_version():
    assert resolved(FIRST, EVERY_OLD_PART)["Resources"].keys() == load(FIRST)["Resources"].keys()


# The other templates with new parameters: the resources of version 0.1.0, with their fixed properties.
RULE = "eks-node-role-ecr-read-only"
FIRST_OTHERS = {
    "deploy/member-role.yaml": {"ExecutionRole": ("AWS::IAM::Role", {"RoleName": RULE})},
    "deploy/remediation.yaml": {
        "Document": ("AWS::SSM::Document", {"DocumentType": "Automation"}),
        "AutomationRole": ("AWS::IAM::Role", {}),
        "Remediation": ("AWS::Config::RemediationConfiguration", {"ConfigRuleName": RULE}),
    },
}


@pytest.mark.parametrize("path", FIRST_OTHERS)
def test_update_of_another_template_replaces_no_resource(path):
    new = {"PermissionsBoundary", "RolePath"}
    parameters = {name: value for name, value in EVERY_PART[path].items() if name not in new}
    resources = resolved(ROOT / path, parameters)["Resources"]
    assert {
        name: (
            resource["Type"],
            {key: value for key, value in resource["Properties"].items() if key in TYPES[resource["Type"]].fixed},
        )
        for name, resource in resources.items()
    } == FIRST_OTHERS[path]
