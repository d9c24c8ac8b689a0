"""`deploy/remediation.yaml`: its document's own Python, run against moto's IAM with AWS's managed policies.

Systems Manager runs documents, and moto does not: what stands between the steps here (bindings, outputs, their types)
is ours, by https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html
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
from local.templates.resolve import TemplateError, resolved

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
    """A step's own exception, by whose words Systems Manager reports it."""


def bound(value, known):
    """A value with its `{{ … }}` filled; one that is nothing else keeps its type."""
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
    """Runs the document; returns its outputs. Raises StepFailed at the first step that fails."""
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
    """moto's IAM, the calls that the document made of it, and those that it refuses: (operation, policy) to an error code."""

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
        """Makes a role; returns its RoleId."""
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
    """One for all tests, because it takes a second to read AWS's managed policies."""
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


# What it changes.


@pytest.mark.parametrize("policy", REPLACED)
def test_a_writing_policy_is_replaced_by_pull_only(iam, policy):
    role_id = iam.role(WORKER, policy)
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached {iam.arn(policy)}"
    assert iam.attached() == {WORKER, PULL_ONLY}


def test_all_of_them_are_replaced_at_once(iam):
    role_id = iam.role(WORKER, *REPLACED, PULL_ONLY)
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached {', '.join(map(iam.arn, REPLACED))}"
    assert iam.attached() == {WORKER, PULL_ONLY}


def test_pull_only_is_attached_before_anything_is_detached(iam):
    remediate(iam.role(POWER_USER, FULL_ACCESS))
    assert [(operation, call["PolicyArn"]) for operation, call in iam.changes()] == [
        ("iam:AttachRolePolicy", iam.arn(PULL_ONLY)),
        ("iam:DetachRolePolicy", iam.arn(FULL_ACCESS)),
        ("iam:DetachRolePolicy", iam.arn(POWER_USER)),
    ]


def test_other_policies_stay(iam):
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


def test_the_role_is_found_among_many_by_its_id(iam):
    for number in range(120):
        iam.role(name=f"other-{number:03}")
    remediate(iam.role(POWER_USER, name="zzz-node", path="/teams/build/"))
    assert iam.attached("zzz-node") == {PULL_ONLY}
    assert {call["RoleName"] for _, call in iam.changes()} == {"zzz-node"}


@pytest.mark.parametrize("iam", ["cn-north-1"], indirect=True)
def test_policies_are_those_of_the_partition(iam):
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
    ids=["Fargate pods", "both", "a Deny admits nobody"],
)
def test_a_role_that_only_nodes_may_assume_is_remediated(iam, trust):
    remediate(iam.role(POWER_USER, trust=trust))
    assert iam.attached() == {PULL_ONLY}


# What it refuses, and with which words.

TRUSTED_BY_OTHERS = [
    ("another service", allow({"Service": ["ec2.amazonaws.com", "codebuild.amazonaws.com"]}), "codebuild.amazonaws.com"),
    ("another account", [allow({"Service": "ec2.amazonaws.com"}), allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})], f"arn:aws:iam::{ACCOUNT}:root"),
    ("a pod's service account", allow({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"}), f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"),
    ("pods", allow({"Service": "pods.eks.amazonaws.com"}), "pods.eks.amazonaws.com"),
    ("anybody", allow("*"), "anybody"),
    ("any principal of AWS", allow({"AWS": "*"}), "*"),
    ("everybody but some", {"Effect": "Allow", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}, "everybody but some"),
    ("a service that only begins so", allow({"Service": "ec2.amazonaws.com.example.org"}), "ec2.amazonaws.com.example.org"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("trust", "who"), [case[1:] for case in TRUSTED_BY_OTHERS], ids=[case[0] for case in TRUSTED_BY_OTHERS]
)
def test_a_role_that_others_may_assume_is_refused(iam, trust, who):
    role_id = iam.role(POWER_USER, trust=trust)
    assert refusal(role_id) == (
        f"PlanChanges: role node is not only for EKS nodes: {who} may assume it too and may need to push: "
        "give the nodes a role of their own; nothing was changed"
    )
    assert iam.changes() == []


def test_a_role_that_is_gone_is_refused(iam):
    iam.role(POWER_USER)
    assert refusal("AROAGONE1234567890ABC") == (
        "FindRole: no role of this account has the id AROAGONE1234567890ABC: it is gone, and nothing was changed"
    )
    assert iam.changes() == []


@pytest.mark.parametrize(
    "policies",
    [(WORKER, PULL_ONLY), ("PowerUserAccess",), ("AdministratorAccess", WORKER), ()],
    ids=["it only pulls", "a broad policy", "an administrator", "none"],
)
def test_a_role_without_these_policies_is_refused(iam, policies):
    role_id = iam.role(*policies)
    assert refusal(role_id) == (
        f"PlanChanges: role node has none of the policies that are replaced ({', '.join(REPLACED)}): what it may do to Amazon ECR it is "
        "granted by others, which a person has to change; nothing was changed"
    )
    assert iam.changes() == []


def test_a_service_linked_role_is_refused(iam):
    role_id = iam.role(POWER_USER, path="/aws-service-role/ec2.amazonaws.com/")
    assert refusal(role_id) == "PlanChanges: role node belongs to an AWS service: nothing was changed"
    assert iam.changes() == []


def test_a_role_made_anew_under_its_name_is_refused(iam):
    plan = {}
    exec(STEPS["PlanChanges"]["inputs"]["Script"], plan)
    iam.role(POWER_USER)
    with pytest.raises(Exception, match=r"^role node was made anew since it was judged: nothing was changed$"):
        plan["plan_changes"]({"RoleId": "AROAOLD1234567890ABCD", "RoleName": "node"}, {})
    assert iam.changes() == []


def test_a_role_with_no_room_for_one_more_policy_is_refused(iam):
    role_id = iam.role(POWER_USER)
    iam.refused["AttachRolePolicy", PULL_ONLY] = "LimitExceeded"
    assert refusal(role_id) == (
        f"ReplacePolicies: role node has as many managed policies as the account's quota permits, so {PULL_ONLY} cannot be attached "
        "before the others are detached: detach one by hand; nothing was changed"
    )
    assert iam.attached() == {POWER_USER}


# Twice, and halfway.


def test_a_second_run_changes_nothing(iam):
    role_id = iam.role(WORKER, POWER_USER)
    remediate(role_id)
    iam.calls.clear()
    assert "has none of the policies that are replaced" in refusal(role_id)
    assert iam.changes() == []
    assert iam.attached() == {WORKER, PULL_ONLY}


def test_a_failure_halfway_leaves_pull_access_and_the_next_run_ends_it(iam):
    role_id = iam.role(FULL_ACCESS, POWER_USER)
    iam.refused["DetachRolePolicy", POWER_USER] = "AccessDenied"
    words = refusal(role_id)
    assert words.startswith(f"ReplacePolicies: {iam.arn(POWER_USER)} could not be detached from role node: ")
    assert "AccessDenied, says IAM" in words
    assert words.endswith(
        f"; {PULL_ONLY} is attached, and detached are: {iam.arn(FULL_ACCESS)}; it can be started again"
    )
    assert iam.attached() == {POWER_USER, PULL_ONLY}
    iam.refused.clear()
    remediate(role_id)
    assert iam.attached() == {PULL_ONLY}


def test_a_failure_of_attaching_leaves_everything(iam):
    role_id = iam.role(POWER_USER)
    iam.refused["AttachRolePolicy", PULL_ONLY] = "ServiceFailure"
    assert "ServiceFailure, says IAM" in refusal(role_id)
    assert iam.attached() == {POWER_USER}


def test_a_policy_that_somebody_else_has_just_detached_is_no_failure(iam):
    role_id = iam.role(FULL_ACCESS, POWER_USER)
    iam.refused["DetachRolePolicy", FULL_ACCESS] = "NoSuchEntity"
    assert remediate(role_id) == f"role node: attached {PULL_ONLY}, detached {iam.arn(POWER_USER)}"


# By which permissions.


def permitted(action, resource, policy_arn=None):
    """Whether the automation role's policy, in which nothing is denied, allows it."""
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


def test_the_automations_role_permits_every_call_and_no_more(iam):
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
def test_the_automations_role_permits_no_other_change(action, policy):
    assert not permitted(action, f"arn:aws:iam::{ACCOUNT}:role/node", policy and f"arn:aws:iam::aws:policy/{policy}")
    assert not permitted(
        "iam:AttachRolePolicy", "arn:aws:iam::210987654321:role/node", f"arn:aws:iam::aws:policy/{PULL_ONLY}"
    )


def test_only_this_accounts_automations_assume_the_role():
    (statement,) = RESOURCES["AutomationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "ssm.amazonaws.com"}
    # https://docs.aws.amazon.com/systems-manager/latest/userguide/cross-service-confused-deputy-prevention.html
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnLike": {"aws:SourceArn": f"arn:aws:ssm:*:{ACCOUNT}:automation-execution/*"},
    }


def actions(policy):
    statements = MANAGED[policy]["Document"]["Statement"]
    return {action for s in statements for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}


def test_policies_that_are_replaced_hold_nothing_that_a_node_needs():
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


def test_what_replaces_them_is_more_than_the_benchmark_names():
    """Which is why the template is not for a rule with AllowedAccess cis."""
    four = ["BatchCheckLayerAvailability", "BatchGetImage", "GetAuthorizationToken", "GetDownloadUrlForLayer"]
    assert actions(PULL_ONLY) - {f"ecr:{name}" for name in four} == {"ecr:BatchImportUpstreamImage"}


# The document and the configuration.


def test_document_is_one_that_systems_manager_takes():
    assert DOCUMENT["schemaVersion"] == "0.3"
    assert DOCUMENT["assumeRole"] == "{{ AutomationAssumeRole }}"
    assert len(json.dumps(DOCUMENT)) < 64 * 1024
    known = set(DOCUMENT["parameters"])
    for step in DOCUMENT["mainSteps"]:
        assert step["action"] == "aws:executeScript"
        assert step["onFailure"] == "Abort"
        assert step["inputs"]["Runtime"] == "python3.11"
        assert set(re.findall(r"\{\{ *([\w.]+) *\}\}", json.dumps(step["inputs"]["InputPayload"]))) <= known
        assert "{{" not in step["inputs"]["Script"], "Systems Manager would fill it in"
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
def test_document_takes_the_ids_of_roles(role_id, fits):
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


def test_remediation_is_manual_and_hands_over_the_roles_id():
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
def test_aws_config_takes_the_configuration(parameters):
    model = (
        boto3.Session()
        .client("config", REGION)
        .meta.service_model.operation_model("PutRemediationConfigurations")
        .input_shape
    )
    assert list(model_constraints.violations(model, {"RemediationConfigurations": [remediation(**parameters)]})) == []


def test_without_a_rule_there_is_what_a_person_starts_and_nothing_else():
    # AWS Config takes no remediation for rules of an organisation or a pack:
    # https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationConfigurations.html
    without = resolved(TEMPLATE, {"RuleName": ""})
    assert without["Resources"] == {name: RESOURCES[name] for name in ("Document", "AutomationRole")}
    assert without["Outputs"].keys() == {"DocumentName", "AutomationRoleArn"}
    with pytest.raises(TemplateError, match="Automatic is for the rule that RuleName names, and it names none"):
        resolved(TEMPLATE, {"RuleName": "", "Automatic": "true"})


def test_roles_that_are_refused_do_not_stop_the_others():
    # https://docs.aws.amazon.com/config/latest/APIReference/API_SsmControls.html: of a hundred, a hundred may fail.
    assert remediation()["ExecutionControls"]["SsmControls"]["ErrorPercentage"] == 100


def test_automatic_remediation_is_bounded():
    configuration = remediation(Automatic="true")
    assert configuration["Automatic"] is True
    assert (configuration["MaximumAutomaticAttempts"], configuration["RetryAttemptSeconds"]) == (2, 3600)
    assert "MaximumAutomaticAttempts" not in remediation()
    with pytest.raises(TemplateError):
        remediation(Automatic="yes")
