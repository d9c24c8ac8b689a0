"""`deploy/remediation.yaml`: the Python of its document, run on moto's IAM with the AWS managed policies.

moto cannot run documents of Systems Manager. So this module passes values between the steps as documented at
https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
"""

import fnmatch
import json
import re

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.iam.aws_managed_policies import aws_managed_policies_data

from local import ROOT
from local.identifiers import ACCOUNT, REGION
from local.standin import model_constraints
from local.templates.resolve import EVERY_PART, TemplateError, resolved

TEMPLATE = ROOT / "deploy/remediation.yaml"
RESOURCES = resolved(TEMPLATE)["Resources"]
DOCUMENT = RESOURCES["Document"]["Properties"]["Content"]
STEPS = {step["name"]: step for step in DOCUMENT["mainSteps"]}
MANAGED = json.loads(aws_managed_policies_data)

PULL_ONLY, WORKER = "AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy"
POWER_USER, FULL_ACCESS = "AmazonEC2ContainerRegistryPowerUser", "AmazonEC2ContainerRegistryFullAccess"
PUBLIC_FULL, PUBLIC_POWER = (
    "AmazonElasticContainerRegistryPublicFullAccess",
    "AmazonElasticContainerRegistryPublicPowerUser",
)
REPLACED = [FULL_ACCESS, POWER_USER, PUBLIC_FULL, PUBLIC_POWER]

TYPES = {"String": str, "StringList": list, "Boolean": bool, "Integer": int, "StringMap": dict}


class StepFailed(Exception):
    """An exception of a step. Systems Manager reports its text."""


def bound(value, known):
    """A value with each `{{ … }}` replaced. If the text is one `{{ … }}` only, the value keeps its type."""
    if isinstance(value, dict):
        return {key: bound(one, known) for key, one in value.items()}
    if isinstance(value, list):
        return [bound(one, known) for one in value]
    if isinstance(value, str):
        if whole := re.fullmatch(r"\{\{ *([\w.]+) *\}\}", value):
            return known[whole[1]]
        return re.sub(r"\{\{ *([\w.]+) *\}\}", lambda name: str(known[name[1]]), value)
    return value


def run(**parameters):
    """Runs the document and returns its outputs. Raises StepFailed at the first step that fails."""
    known = dict(parameters)
    for step in DOCUMENT["mainSteps"]:
        inputs = step["inputs"]
        events = json.loads(json.dumps(bound(inputs["InputPayload"], known)))
        script = {}
        exec(compile(inputs["Script"], step["name"], "exec"), script)
        try:
            payload = json.loads(json.dumps(script[inputs["Handler"]](events, {})))
        except Exception as failure:
            raise StepFailed(f"{step['name']}: {failure}") from failure
        for output in step["outputs"]:
            value = payload[output["Selector"].removeprefix("$.Payload.")]
            assert isinstance(value, TYPES[output["Type"]]), output
            known[f"{step['name']}.{output['Name']}"] = value
    return {name: known[name] for name in DOCUMENT["outputs"]}


class Iam:
    """moto's IAM, with the calls of the document in `calls`. `refused` maps (operation, policy) to an error code."""

    def __init__(self, session, monkeypatch, region):
        self.plain = session.client("iam", region)
        self.partition = session.get_partition_for_region(region)
        self.calls, self.refused = [], {}
        monkeypatch.setattr(boto3, "client", lambda service: self._watched(session.client(service, region)))

    def _watched(self, client):
        def before(params, model, **_):
            self.calls.append((f"iam:{model.name}", params))
            code = self.refused.get((model.name, params.get("PolicyArn", "").rsplit("/", 1)[-1]))
            if code:
                known = client.exceptions.from_code(code)
                raise (known or ClientError)({"Error": {"Code": code, "Message": f"{code}, says IAM"}}, model.name)

        client.meta.events.register("provide-client-params.iam.*", before)
        return client

    def arn(self, policy):
        return f"arn:{self.partition}:iam::aws:policy/{policy}"

    def role(self, *policies, name="node", trust=None, path="/"):
        """Creates a role and returns its RoleId."""
        trust = trust or allow({"Service": "ec2.amazonaws.com"})
        document = {"Version": "2012-10-17", "Statement": trust}
        role = self.plain.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(document))["Role"]
        for policy in policies:
            arn = policy if policy.startswith("arn:") else self.arn(policy)
            self.plain.attach_role_policy(RoleName=name, PolicyArn=arn)
        return role["RoleId"]

    def clear(self):
        for page in self.plain.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                name = role["RoleName"]
                for policy in self.plain.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                    self.plain.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
                for policy in self.plain.list_role_policies(RoleName=name)["PolicyNames"]:
                    self.plain.delete_role_policy(RoleName=name, PolicyName=policy)
                self.plain.delete_role(RoleName=name)

    def attached(self, name="node"):
        return {
            policy["PolicyName"] for policy in self.plain.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        }

    def changes(self):
        return [call for call in self.calls if not re.match("iam:(Get|List)", call[0])]


def allow(principal, **more):
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.fixture(scope="module")
def moto():
    """One for all tests, because reading the AWS managed policies takes a second."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        yield boto3.Session()


@pytest.fixture
def iam(moto, monkeypatch, request):
    iam = Iam(moto, monkeypatch, getattr(request, "param", REGION))
    yield iam
    iam.clear()


def refusal(role_id):
    with pytest.raises(StepFailed) as failed:
        run(RoleId=role_id, AutomationAssumeRole="unused")
    return str(failed.value)


def remediate(role_id):
    return run(RoleId=role_id, AutomationAssumeRole="unused")["ReplacePolicies.Result"]


# Changes.


@pytest.mark.parametrize("policy", REPLACED)
def test_write_policy_is_replaced_with_pull_only(iam, policy):
    role_id = iam.role(WORKER, policy)
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached {iam.arn(policy)}"
    assert iam.attached() == {WORKER, PULL_ONLY}


def test_all_write_policies_are_replaced_together(iam):
    role_id = iam.role(WORKER, *REPLACED, PULL_ONLY)
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached {', '.join(map(iam.arn, REPLACED))}"
    assert iam.attached() == {WORKER, PULL_ONLY}


def test_pull_only_is_attached_before_others_are_detached(iam):
    remediate(iam.role(POWER_USER, FULL_ACCESS))
    assert [(operation, call["PolicyArn"]) for operation, call in iam.changes()] == [
        ("iam:AttachRolePolicy", iam.arn(PULL_ONLY)),
        ("iam:DetachRolePolicy", iam.arn(FULL_ACCESS)),
        ("iam:DetachRolePolicy", iam.arn(POWER_USER)),
    ]


def test_other_policies_are_kept(iam):
    document = json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ecr:PutImage", "Resource": "*"}}
    )
    own = iam.plain.create_policy(PolicyName=POWER_USER, PolicyDocument=document)["Policy"]["Arn"]
    role_id = iam.role("PowerUserAccess", POWER_USER, own)
    iam.plain.put_role_policy(RoleName="node", PolicyName="inline", PolicyDocument=document)
    remediate(role_id)
    held = {
        policy["PolicyArn"] for policy in iam.plain.list_attached_role_policies(RoleName="node")["AttachedPolicies"]
    }
    assert held == {own, iam.arn("PowerUserAccess"), iam.arn(PULL_ONLY)}
    assert iam.plain.list_role_policies(RoleName="node")["PolicyNames"] == ["inline"]


def test_role_is_found_by_its_id_among_many(iam):
    for number in range(120):
        iam.role(name=f"other-{number:03}")
    remediate(iam.role(POWER_USER, name="zzz-node", path="/teams/build/"))
    assert iam.attached("zzz-node") == {PULL_ONLY}
    assert {call["RoleName"] for _, call in iam.changes()} == {"zzz-node"}


@pytest.mark.parametrize("iam", ["cn-north-1"], indirect=True)
def test_policies_have_the_arns_of_the_partition(iam):
    role_id = iam.role(POWER_USER, trust=allow({"Service": "ec2.amazonaws.com.cn"}))
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached arn:aws-cn:iam::aws:policy/{POWER_USER}"
    assert iam.attached() == {PULL_ONLY}


@pytest.mark.parametrize(
    "trust",
    [
        allow({"Service": "eks-fargate-pods.amazonaws.com"}),
        [
            allow({"Service": "ec2.amazonaws.com"}),
            allow({"Service": ["eks-fargate-pods.amazonaws.com", "ec2.amazonaws.com"]}),
        ],
        [allow({"Service": "ec2.amazonaws.com"}), {"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"}],
    ],
    ids=["Fargate pods", "both", "a Deny statement"],
)
def test_role_that_only_nodes_assume_is_remediated(iam, trust):
    remediate(iam.role(POWER_USER, trust=trust))
    assert iam.attached() == {PULL_ONLY}


# Refusals.

TRUSTED_BY_OTHERS = [
    ("another service", allow({"Service": ["ec2.amazonaws.com", "codebuild.amazonaws.com"]}), "codebuild.amazonaws.com"),
    ("another account", [allow({"Service": "ec2.amazonaws.com"}), allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], f"arn:aws:iam::{ACCOUNT}:root"),
    ("a pod's service account", allow({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"}), f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"),
    ("pods", allow({"Service": "pods.eks.amazonaws.com"}), "pods.eks.amazonaws.com"),
    ("any principal", allow("*"), "any principal"),
    ("any AWS principal", allow({"AWS": "*"}), "*"),
    ("all principals except some", {"Effect": "Allow", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}, "all principals except some"),
    ("a service whose name only starts like EC2", allow({"Service": "ec2.amazonaws.com.example.org"}), "ec2.amazonaws.com.example.org"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("trust", "who"), [case[1:] for case in TRUSTED_BY_OTHERS], ids=[case[0] for case in TRUSTED_BY_OTHERS]
)
def test_role_that_others_may_assume_is_refused(iam, trust, who):
    role_id = iam.role(POWER_USER, trust=trust)
    assert refusal(role_id) == (
        f"PlanChanges: role node is not only for EKS nodes: {who} may assume it too and may need to push. "
        "Create a separate role for the nodes; nothing was changed"
    )
    assert iam.changes() == []


def test_deleted_role_is_refused(iam):
    iam.role(POWER_USER)
    assert refusal("AROAGONE1234567890ABC") == (
        "FindRole: no role in this account has the id AROAGONE1234567890ABC: it was deleted; nothing was changed"
    )
    assert iam.changes() == []


@pytest.mark.parametrize(
    "policies",
    [(WORKER, PULL_ONLY), ("PowerUserAccess",), ("AdministratorAccess", WORKER), ()],
    ids=["it only pulls", "a broad policy", "an administrator", "none"],
)
def test_role_without_write_policies_is_refused(iam, policies):
    role_id = iam.role(*policies)
    assert refusal(role_id) == (
        f"PlanChanges: role node has none of the policies that this remediation replaces ({', '.join(REPLACED)}). "
        "Other policies grant its access to Amazon ECR; a person must change them; nothing was changed"
    )
    assert iam.changes() == []


def test_service_linked_role_is_refused(iam):
    role_id = iam.role(POWER_USER, path="/aws-service-role/ec2.amazonaws.com/")
    assert (
        refusal(role_id)
        == "PlanChanges: role node is service-linked: only its AWS service can change it; nothing was changed"
    )
    assert iam.changes() == []


def test_recreated_role_is_refused(iam):
    plan = {}
    exec(STEPS["PlanChanges"]["inputs"]["Script"], plan)
    iam.role(POWER_USER)
    with pytest.raises(
        Exception, match=r"^role node was deleted and created again after its evaluation; nothing was changed$"
    ):
        plan["plan_changes"]({"RoleId": "AROAOLD1234567890ABCD", "RoleName": "node"}, {})
    assert iam.changes() == []


def test_role_with_maximum_number_of_policies_is_refused(iam):
    role_id = iam.role(POWER_USER)
    iam.refused["AttachRolePolicy", PULL_ONLY] = "LimitExceeded"
    assert refusal(role_id) == (
        f"ReplacePolicies: role node already has the maximum number of managed policies, so {PULL_ONLY} cannot be "
        "attached. Detach one policy by hand; nothing was changed"
    )
    assert iam.attached() == {POWER_USER}


# Second runs, and failures between two steps.


def test_second_run_changes_nothing(iam):
    role_id = iam.role(WORKER, POWER_USER)
    remediate(role_id)
    iam.calls.clear()
    assert "has none of the policies that this remediation replaces" in refusal(role_id)
    assert iam.changes() == []
    assert iam.attached() == {WORKER, PULL_ONLY}


def test_failed_detach_keeps_pull_access_and_can_be_repeated(iam):
    role_id = iam.role(FULL_ACCESS, POWER_USER)
    iam.refused["DetachRolePolicy", POWER_USER] = "AccessDenied"
    words = refusal(role_id)
    assert words.startswith(f"ReplacePolicies: role node: could not detach {iam.arn(POWER_USER)}: ")
    assert "AccessDenied, says IAM" in words
    assert words.endswith(f"; attached {PULL_ONLY}, detached {iam.arn(FULL_ACCESS)}; start the remediation again")
    assert iam.attached() == {POWER_USER, PULL_ONLY}
    iam.refused.clear()
    remediate(role_id)
    assert iam.attached() == {PULL_ONLY}


def test_failed_attach_changes_nothing(iam):
    role_id = iam.role(POWER_USER)
    iam.refused["AttachRolePolicy", PULL_ONLY] = "ServiceFailure"
    assert "ServiceFailure, says IAM" in refusal(role_id)
    assert iam.attached() == {POWER_USER}


def test_policy_already_detached_is_not_an_error(iam):
    role_id = iam.role(FULL_ACCESS, POWER_USER)
    iam.refused["DetachRolePolicy", FULL_ACCESS] = "NoSuchEntity"
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached {iam.arn(POWER_USER)}"


# Permissions.


def permitted(action, resource, policy_arn=None):
    """Whether the automation role's policy allows the action. The policy has no Deny."""
    (policy,) = RESOURCES["AutomationRole"]["Properties"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        condition = statement.get("Condition", {"ArnEquals": {"iam:PolicyARN": policy_arn}})
        assert condition.keys() == {"ArnEquals"} and condition["ArnEquals"].keys() == {"iam:PolicyARN"}
        arns = condition["ArnEquals"]["iam:PolicyARN"]
        if (
            action in actions
            and fnmatch.fnmatchcase(resource, statement["Resource"])
            and policy_arn in (arns if isinstance(arns, list) else [arns])
        ):
            return True
    return False


def test_role_permits_exactly_the_calls(iam):
    remediate(iam.role(WORKER, *REPLACED))
    asked = {(action, call.get("PolicyArn")) for action, call in iam.calls}
    role = f"arn:aws:iam::{ACCOUNT}:role/node"
    for action, policy_arn in asked:
        assert permitted(action, "*" if action == "iam:ListRoles" else role, policy_arn), (action, policy_arn)
    (policy,) = RESOURCES["AutomationRole"]["Properties"]["Policies"]
    granted = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        arns = statement.get("Condition", {}).get("ArnEquals", {}).get("iam:PolicyARN")
        for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
            granted |= {(action, arn) for arn in (arns if isinstance(arns, list) else [arns])}
    assert granted == asked


@pytest.mark.parametrize(
    ("action", "policy"),
    [
        ("iam:AttachRolePolicy", "AdministratorAccess"),
        ("iam:AttachRolePolicy", POWER_USER),
        ("iam:DetachRolePolicy", WORKER),
        ("iam:DetachRolePolicy", PULL_ONLY),
        ("iam:PutRolePolicy", None),
    ],
)
def test_role_permits_no_other_change(action, policy):
    assert not permitted(action, f"arn:aws:iam::{ACCOUNT}:role/node", policy and f"arn:aws:iam::aws:policy/{policy}")
    assert not permitted(
        "iam:AttachRolePolicy", "arn:aws:iam::210987654321:role/node", f"arn:aws:iam::aws:policy/{PULL_ONLY}"
    )


def test_role_is_assumed_by_automations_of_this_account_only():
    (statement,) = RESOURCES["AutomationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ssm.amazonaws.com"}
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/cross-service-confused-deputy-prevention.html
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ssm:*:{ACCOUNT}:automation-execution/*"},
    }


def test_role_has_path_and_boundary_if_given():
    parameters = EVERY_PART["deploy/remediation.yaml"]
    role = resolved(TEMPLATE, parameters)["Resources"]["AutomationRole"]["Properties"]
    assert role["Path"] == parameters["RolePath"]
    assert role["PermissionsBoundary"] == parameters["PermissionsBoundary"]
    assert not {"Path", "PermissionsBoundary", "RoleName"} & RESOURCES["AutomationRole"]["Properties"].keys()


def actions(policy):
    statements = MANAGED[policy]["Document"]["Statement"]
    return {action for s in statements for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}


def test_replaced_policies_hold_nothing_that_a_node_needs():
    script = {}
    exec(STEPS["PlanChanges"]["inputs"]["Script"], script)
    assert sorted(script["REPLACEABLE"]) == REPLACED
    others = {
        FULL_ACCESS: {"cloudtrail:LookupEvents", "iam:CreateServiceLinkedRole"},
        POWER_USER: set(),
        PUBLIC_FULL: {"sts:GetServiceBearerToken"},
        PUBLIC_POWER: {"sts:GetServiceBearerToken"},
    }
    for name in REPLACED:
        assert {action for action in actions(name) if not re.match("ecr(-public)?:", action)} == others[name]


def test_new_policy_allows_more_than_the_benchmark():
    """So the template is not for a rule with AllowedAccess=cis."""
    four = ["BatchCheckLayerAvailability", "BatchGetImage", "GetAuthorizationToken", "GetDownloadUrlForLayer"]
    assert actions(PULL_ONLY) - {f"ecr:{name}" for name in four} == {"ecr:BatchImportUpstreamImage"}


# The document and the configuration.


def test_document_follows_the_schema_of_systems_manager():
    assert DOCUMENT["schemaVersion"] == "0.3"
    assert DOCUMENT["assumeRole"] == "{{ AutomationAssumeRole }}"
    assert len(json.dumps(DOCUMENT)) < 64 * 1024
    known = set(DOCUMENT["parameters"])
    for step in DOCUMENT["mainSteps"]:
        assert step["action"] == "aws:executeScript"
        assert step["onFailure"] == "Abort"
        assert step["inputs"]["Runtime"] == "python3.11"
        assert set(re.findall(r"\{\{ *([\w.]+) *\}\}", json.dumps(step["inputs"]["InputPayload"]))) <= known
        assert "{{" not in step["inputs"]["Script"], "Systems Manager would replace it"
        known |= {f"{step['name']}.{output['Name']}" for output in step["outputs"]}
    assert set(DOCUMENT["outputs"]) <= known


@pytest.mark.parametrize(
    ("role_id", "fits"),
    [
        ("AROARZPUZDIKLGEBOXREB", True),
        ("node", False),
        ("AIDARZPUZDIKLGEBOXREB", False),
        ("AROARZPUZDIKLGEBOXREB\n", False),
    ],
)
def test_document_accepts_ids_of_roles_only(role_id, fits):
    assert (
        re.search(DOCUMENT["parameters"]["RoleId"]["allowedPattern"].replace("$", r"\Z"), role_id) is not None
    ) is fits


def test_moto_stores_the_document(moto):
    ssm = moto.client("ssm", REGION)
    ssm.create_document(
        Name="remediation", DocumentType="Automation", DocumentFormat="JSON", Content=json.dumps(DOCUMENT)
    )
    held = ssm.describe_document(Name="remediation")["Document"]
    assert [parameter["Name"] for parameter in held["Parameters"]] == ["RoleId", "AutomationAssumeRole"]


def remediation(**parameters):
    return resolved(TEMPLATE, parameters)["Resources"]["Remediation"]["Properties"]


def test_remediation_is_manual_and_passes_the_role_id():
    configuration = remediation()
    assert configuration["Automatic"] is False
    assert configuration["ConfigRuleName"] == "eks-node-role-ecr-read-only"
    assert configuration["ResourceType"] == "AWS::IAM::Role"
    assert configuration["TargetType"] == "SSM_DOCUMENT"
    assert configuration["Parameters"].keys() == DOCUMENT["parameters"].keys()
    assert configuration["Parameters"]["RoleId"] == {"ResourceValue": {"Value": "RESOURCE_ID"}}
    role = resolved(TEMPLATE)["Outputs"]["AutomationRoleArn"]["Value"]
    assert configuration["Parameters"]["AutomationAssumeRole"] == {"StaticValue": {"Values": [role]}}


@pytest.mark.parametrize(
    "parameters", [{}, {"Automatic": "true", "MaximumAutomaticAttempts": "25", "RetryAttemptSeconds": "2678000"}]
)
def test_configuration_satisfies_the_api_model(parameters):
    model = (
        boto3.Session()
        .client("config", REGION)
        .meta.service_model.operation_model("PutRemediationConfigurations")
        .input_shape
    )
    assert list(model_constraints.violations(model, {"RemediationConfigurations": [remediation(**parameters)]})) == []


def test_without_rule_only_document_and_role_are_created():
    # AWS Config accepts no remediation for rules of an organisation or a pack:
    # https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationConfigurations.html
    without = resolved(TEMPLATE, {"RuleName": ""})
    assert without["Resources"] == {name: RESOURCES[name] for name in ("Document", "AutomationRole")}
    assert without["Outputs"].keys() == {"DocumentName", "AutomationRoleArn"}
    with pytest.raises(TemplateError, match="Automatic needs a RuleName"):
        resolved(TEMPLATE, {"RuleName": "", "Automatic": "true"})


def test_refused_roles_do_not_stop_the_others():
    # https://docs.aws.amazon.com/config/latest/APIReference/API_SsmControls.html: 100 % of the roles may fail.
    assert remediation()["ExecutionControls"]["SsmControls"]["ErrorPercentage"] == 100


def test_automatic_remediation_has_limited_attempts():
    configuration = remediation(Automatic="true")
    assert configuration["Automatic"] is True
    assert (configuration["MaximumAutomaticAttempts"], configuration["RetryAttemptSeconds"]) == (2, 3600)
    assert "MaximumAutomaticAttempts" not in remediation()
    with pytest.raises(TemplateError):
        remediation(Automatic="yes")
