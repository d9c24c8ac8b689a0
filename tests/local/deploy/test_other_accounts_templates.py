"""Templates of `deploy/` for other accounts: member role, invoke permissions, organisation rule, conformance pack."""

import json

import boto3
import pytest

from helpers import actions, role_policies
from local import ROOT
from local.identifiers import ACCOUNT, REGION
from local.standin import model_constraints
from local.templates.resolve import EVERY_PART, load, resolved
from local.templates.stack import Stack

MEMBER = "210987654321"
DEPLOY = {path: ROOT / path for path in EVERY_PART if path.startswith("deploy/")}


def every_part(path, account=ACCOUNT, **more):
    return resolved(ROOT / path, {**EVERY_PART[path], **more}, account=account)["Resources"]


def client(service):
    return boto3.client(service, REGION)


def violations(service, operation, request):
    """The violations of the SDK's model in a request, with the limits of its members."""
    return list(
        model_constraints.violations(client(service).meta.service_model.operation_model(operation).input_shape, request)
    )


@pytest.fixture(scope="module")
def member_role():
    with Stack(DEPLOY["deploy/member-role.yaml"], EVERY_PART["deploy/member-role.yaml"]) as stack:
        return client("iam").get_role(RoleName=stack.ids["ExecutionRole"])["Role"]


def test_member_role_trusts_only_the_organisations_function(member_role):
    (statement,) = member_role["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"AWS": EVERY_PART["deploy/member-role.yaml"]["FunctionRoleArn"]},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    }


def test_member_role_has_the_default_name_of_the_rules(member_role):
    names = {
        load(path)["Parameters"]["ExecutionRoleName"]["Default"]
        for path in DEPLOY.values()
        if "ExecutionRoleName" in load(path)["Parameters"]
    }
    assert names == {member_role["RoleName"]}


def test_member_role_reads_what_the_function_reads():
    """`test_permissions.py` compares the actions of both roles with the code, this test the resources."""
    member = role_policies(every_part("deploy/member-role.yaml"), "ExecutionRole")
    home = role_policies(every_part("template.yaml"), "FunctionRole")
    for name in ("find-node-roles", "read-role-policies"):
        assert member[name] == home[name]


def test_member_role_imports_findings_only_with_the_parameter():
    everything, without = (
        every_part("deploy/member-role.yaml", SecurityHubFindings=flag) for flag in ("true", "false")
    )
    assert everything.keys() == without.keys()
    assert "report-findings" in role_policies(everything, "ExecutionRole")
    assert not [
        action
        for action in actions(role_policies(without, "ExecutionRole").values())
        if action.startswith("securityhub:")
    ]


def test_member_role_has_path_and_boundary(member_role):
    parameters = EVERY_PART["deploy/member-role.yaml"]
    assert member_role["Path"] == parameters["RolePath"]
    assert member_role["PermissionsBoundary"]["PermissionsBoundaryArn"] == parameters["PermissionsBoundary"]


def test_member_role_has_no_path_or_boundary_by_default():
    parameters = EVERY_PART["deploy/member-role.yaml"] | {"RolePath": "", "PermissionsBoundary": ""}
    role = resolved(DEPLOY["deploy/member-role.yaml"], parameters)["Resources"]["ExecutionRole"]["Properties"]
    assert not {"Path", "PermissionsBoundary"} & role.keys()


@pytest.mark.parametrize(
    ("path", "name"), [("", "reader"), ("/", "reader"), ("/security/", "security/reader"), ("/a/b/", "a/b/reader")]
)
def test_member_role_output_is_what_the_rules_take(path, name):
    parameters = {**EVERY_PART["deploy/member-role.yaml"], "RolePath": path, "RoleName": "reader"}
    outputs = resolved(DEPLOY["deploy/member-role.yaml"], parameters)["Outputs"]
    assert outputs["RoleName"]["Value"] == name
    with Stack(DEPLOY["deploy/member-role.yaml"], parameters) as stack:
        assert stack.outputs["RoleName"] == name


def test_member_role_names_its_own_account_only():
    documents = json.dumps(role_policies(every_part("deploy/member-role.yaml", MEMBER), "ExecutionRole"))
    assert MEMBER in documents
    assert ACCOUNT not in documents


def test_invoke_permission_exists_for_each_listed_account():
    # The function must exist: Lambda and moto accept permissions for existing functions only.
    with Stack(ROOT / "template.yaml") as stack:
        function = stack.outputs["FunctionArn"]
        for permission in every_part("deploy/invoke-permissions.yaml", FunctionArn=function).values():
            wanted = dict(permission["Properties"])
            client("lambda").add_permission(StatementId=f"of-{wanted['SourceAccount']}", **wanted)
        held = json.loads(client("lambda").get_policy(FunctionName=stack.ids["Function"])["Policy"])["Statement"]
    assert [statement["Condition"] for statement in held] == [
        {"StringEquals": {"AWS:SourceAccount": account}} for account in (ACCOUNT, "111111111111", "222222222222")
    ]
    assert {statement["Principal"]["Service"] for statement in held} == {"config.amazonaws.com"}


def organization_rule(**parameters):
    path = "deploy/organization-rule.yaml"
    return resolved(DEPLOY[path], {"FunctionArn": EVERY_PART[path]["FunctionArn"], **parameters})["Resources"]["Rule"][
        "Properties"
    ]


@pytest.mark.parametrize(
    "parameters", [{}, EVERY_PART["deploy/organization-rule.yaml"]], ids=["defaults", "every part"]
)
def test_organisation_rule_satisfies_the_api_model(parameters):
    assert violations("config", "PutOrganizationConfigRule", organization_rule(**parameters)) == []


def test_organisation_rule_excludes_the_given_accounts():
    assert "ExcludedAccounts" not in organization_rule()
    assert organization_rule(ExcludedAccounts="111111111111,222222222222")["ExcludedAccounts"] == [
        "111111111111",
        "222222222222",
    ]


def test_organisation_rule_accepts_long_values_together():
    longest = {
        "AdditionalAllowedActions": ",".join(["ecr:ReplicateImage"] * 21),
        "ClusterRegions": ",".join(["ap-southeast-1"] * 16),
        "ExecutionRoleName": "x" * 64,
    }
    assert violations("config", "PutOrganizationConfigRule", organization_rule(**longest)) == []


def test_organisation_rule_name_fits_the_compliance_api():
    # OrgConfigRule-NAME-SUFFIX, with a suffix of 8 characters. GetComplianceDetailsByConfigRule accepts 64.
    name = f"OrgConfigRule-{organization_rule(RuleName='x' * 40)['OrganizationConfigRuleName']}-a1b2c3d4"
    assert violations("config", "GetComplianceDetailsByConfigRule", {"ConfigRuleName": name}) == []


def pack_rule(**parameters):
    path = "deploy/conformance-pack.yaml"
    (rule,) = resolved(DEPLOY[path], {"FunctionArn": EVERY_PART[path]["FunctionArn"], **parameters})[
        "Resources"
    ].values()
    return rule["Properties"]


def test_pack_satisfies_the_api_model():
    text = DEPLOY["deploy/conformance-pack.yaml"].read_text()
    assert violations("config", "PutConformancePack", {"ConformancePackName": "x", "TemplateBody": text}) == []
    # A pack has rules and parameters: https://docs.aws.amazon.com/config/latest/developerguide/custom-conformance-pack.html
    template = load(DEPLOY["deploy/conformance-pack.yaml"])
    assert template.keys() <= {"Parameters", "Conditions", "Resources"}
    assert {resource["Type"] for resource in template["Resources"].values()} == {"AWS::Config::ConfigRule"}


@pytest.mark.parametrize("parameters", [{}, EVERY_PART["deploy/conformance-pack.yaml"]], ids=["defaults", "every part"])
def test_pack_rule_satisfies_the_api_model(parameters):
    rule = pack_rule(**parameters)
    assert (
        violations(
            "config", "PutConfigRule", {"ConfigRule": {**rule, "InputParameters": json.dumps(rule["InputParameters"])}}
        )
        == []
    )


@pytest.mark.parametrize("of", ["pack", "organisation"])
def test_rules_of_other_accounts_have_the_same_triggers(of):
    own = every_part("template.yaml")["Rule"]["Properties"]
    if of == "pack":
        assert pack_rule()["Scope"] == own["Scope"]
        assert pack_rule()["Source"]["SourceDetails"] == own["Source"]["SourceDetails"]
    else:
        metadata = organization_rule()["OrganizationCustomRuleMetadata"]
        assert metadata["ResourceTypesScope"] == own["Scope"]["ComplianceResourceTypes"]
        assert metadata["OrganizationConfigRuleTriggerTypes"] == [
            detail["MessageType"] for detail in own["Source"]["SourceDetails"]
        ]


@pytest.mark.parametrize("path", EVERY_PART)
def test_every_checkov_exception_has_a_reason(path):
    for name, resource in load(ROOT / path)["Resources"].items():
        if name.startswith("Fn::ForEach::"):
            continue
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert skip.keys() == {"id", "comment"}, name
            assert len(skip["comment"].split()) >= 5, f"{name}: {skip}"
