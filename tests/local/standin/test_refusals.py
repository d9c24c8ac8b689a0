"""The stand-in refuses what AWS refuses, and its answers have pages. Otherwise a passing test would prove little."""

import json

import pytest

from helpers import error_code, evaluation
from local.lab import account


@pytest.fixture
def config(lab):
    return lab.client("config")


@pytest.fixture
def eks(lab):
    return lab.client("eks")


@pytest.fixture
def iam(lab):
    return lab.client("iam")


@pytest.mark.parametrize(
    "evaluations, code",
    [
        ([evaluation(n) for n in range(101)], "ValidationException"),
        ([evaluation(Annotation="")], "ValidationException"),
        ([evaluation(Annotation="x" * 257)], "ValidationException"),
        ([evaluation("x" * 765)], "ValidationException"),
        ([evaluation(verdict="MAYBE")], "ValidationException"),
        ([{"ComplianceResourceType": "AWS::IAM::Role"}], "ValidationException"),
        ([evaluation(verdict="INSUFFICIENT_DATA")], "InvalidParameterValueException"),
    ],
    ids=[
        "101 evaluations",
        "empty annotation",
        "long annotation",
        "long id",
        "unknown verdict",
        "missing fields",
        "INSUFFICIENT_DATA",
    ],
)
def test_invalid_put_evaluations_is_refused(lab, config, rule, evaluations, code):
    assert error_code(config.put_evaluations, ResultToken=lab.new_token(rule), Evaluations=evaluations) == code
    assert lab.evaluations(rule) == {}


def test_put_evaluations_accepts_the_maximum(lab, config, rule):
    config.put_evaluations(
        ResultToken=lab.new_token(rule), Evaluations=[evaluation(n, Annotation="x" * 256) for n in range(100)]
    )
    assert len(lab.evaluations(rule)) == 100


def test_unknown_result_token_is_refused(config):
    code = error_code(config.put_evaluations, ResultToken="unknown", Evaluations=[evaluation()])
    assert code == "InvalidResultTokenException"


def test_test_mode_accepts_any_token_and_stores_nothing(lab, config, rule):
    lab.new_token(rule)
    answer = config.put_evaluations(ResultToken="TESTMODE", TestMode=True, Evaluations=[evaluation()])
    assert answer["FailedEvaluations"] == []
    assert lab.evaluations(rule) == {}


def test_failed_evaluations_are_not_stored(lab, config, rule):
    lab.control("POST", "faults", {"failed_evaluations": 1})
    answer = config.put_evaluations(ResultToken=lab.new_token(rule), Evaluations=[evaluation(1), evaluation(2)])
    assert [e["ComplianceResourceId"] for e in answer["FailedEvaluations"]] == ["AROA1"]
    assert set(lab.evaluations(rule)) == {"AROA2"}


def test_compliance_details_are_paginated(lab, config, rule):
    verdicts = ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"]
    config.put_evaluations(
        ResultToken=lab.new_token(rule), Evaluations=[evaluation(n, verdicts[n % 3]) for n in range(60)]
    )
    call = config.get_compliance_details_by_config_rule
    assert len(call(ConfigRuleName=rule)["EvaluationResults"]) == 10
    first = call(ConfigRuleName=rule, Limit=30)
    second = call(ConfigRuleName=rule, Limit=30, NextToken=first["NextToken"])
    assert "NextToken" not in second
    kinds = [e["ComplianceType"] for e in first["EvaluationResults"] + second["EvaluationResults"]]
    assert (len(kinds), set(kinds)) == (40, {"COMPLIANT", "NON_COMPLIANT"})
    assert len(call(ConfigRuleName=rule, Limit=100, ComplianceTypes=["NON_COMPLIANT"])["EvaluationResults"]) == 20


@pytest.mark.parametrize(
    "parameters, code",
    [
        ({"Limit": 101}, "ValidationException"),
        ({"NextToken": "unknown"}, "InvalidNextTokenException"),
        ({"ConfigRuleName": "unknown"}, "NoSuchConfigRuleException"),
        ({"ComplianceTypes": ["INSUFFICIENT_DATA"]}, "InvalidParameterValueException"),
    ],
    ids=str,
)
def test_invalid_compliance_details_is_refused(lab, config, rule, parameters, code):
    lab.new_token(rule)
    assert error_code(config.get_compliance_details_by_config_rule, **{"ConfigRuleName": rule, **parameters}) == code


def test_access_entries_include_automatic_ones(eks):
    """The created entries, and those that EKS adds for Auto Mode, node groups and Fargate profiles."""
    pages = eks.get_paginator("list_access_entries").paginate(clusterName="payments", PaginationConfig={"PageSize": 2})
    found = {
        arn.rsplit("/", 1)[-1]: eks.describe_access_entry(clusterName="payments", principalArn=arn)["accessEntry"][
            "type"
        ]
        for page in pages
        for arn in page["accessEntries"]
    }
    assert found == {**account.CLUSTERS[0].access_entries, "payments-auto-node": "EC2"}
    gateway = eks.describe_access_entry(clusterName="shop", principalArn=account.role("shop-gateway-node").arn)
    assert gateway["accessEntry"]["type"] == "EC2_LINUX"
    jobs = eks.describe_access_entry(clusterName="shop", principalArn=account.role("shop-jobs-pod-execution").arn)
    assert jobs["accessEntry"]["type"] == "FARGATE_LINUX"


@pytest.mark.parametrize(
    "operation, parameters, code",
    [
        ("list_access_entries", {"clusterName": "batch"}, "InvalidRequestException"),
        (
            "create_access_entry",
            {"clusterName": "batch", "principalArn": account.ROLES[0].arn},
            "InvalidRequestException",
        ),
        (
            "create_access_entry",
            {"clusterName": "shop", "principalArn": account.ROLES[0].arn},
            "ResourceInUseException",
        ),
        (
            "create_access_entry",
            {"clusterName": "shop", "principalArn": "arn:x", "type": "EC2_UNKNOWN"},
            "InvalidParameterException",
        ),
        ("describe_access_entry", {"clusterName": "shop", "principalArn": "arn:x"}, "ResourceNotFoundException"),
        ("list_access_entries", {"clusterName": "unknown"}, "ResourceNotFoundException"),
        ("list_nodegroups", {"clusterName": "shop", "maxResults": 101}, "InvalidParameterException"),
        ("list_clusters", {"nextToken": "unknown"}, "InvalidParameterException"),
        ("describe_cluster", {"name": "unknown"}, "ResourceNotFoundException"),
    ],
)
def test_invalid_eks_call_is_refused(eks, operation, parameters, code):
    assert error_code(getattr(eks, operation), **parameters) == code


@pytest.mark.parametrize("cluster", account.CLUSTERS, ids=lambda cluster: cluster.name)
def test_cluster_has_its_mode_and_auto_mode_role(lab, cluster):
    described = lab.client("eks", region=cluster.region).describe_cluster(name=cluster.name)["cluster"]
    assert described["accessConfig"]["authenticationMode"] == cluster.mode
    node_role = described.get("computeConfig", {}).get("nodeRoleArn")
    assert node_role == (account.role(cluster.auto_mode).arn if cluster.auto_mode else None)


def test_eks_lists_are_paginated(eks):
    groups = eks.get_paginator("list_nodegroups").paginate(clusterName="shop", PaginationConfig={"PageSize": 4})
    assert [len(page["nodegroups"]) for page in groups] == [4, 2]
    clusters = eks.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 1})
    assert [page["clusters"] for page in clusters] == [["batch"], ["payments"], ["shop"]]


def test_entities_for_policy_filters_by_usage(iam):
    def users(name, **parameters):
        answer = iam.list_entities_for_policy(PolicyArn=account.policy(name).arn, **parameters)
        return sorted(role["RoleName"] for role in answer["PolicyRoles"])

    assert users("node-boundary") == ["payments-fraud-node", "payments-ledger-node"]
    assert users("node-boundary", PolicyUsageFilter="PermissionsBoundary") == users("node-boundary")
    assert users("node-boundary", PolicyUsageFilter="PermissionsPolicy") == []
    assert users("image-cache", PolicyUsageFilter="PermissionsPolicy", EntityFilter="Role") == ["shop-cache-node"]
    assert users("image-cache", EntityFilter="User") == []
    assert len(users("node-boundary", MaxItems=1)) == 1


def test_account_details_are_paginated(iam):
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 5}))
    assert all(
        sum(len(page[key]) for key in ("RoleDetailList", "Policies", "UserDetailList", "GroupDetailList")) <= 5
        for page in pages
    )
    names = [role["RoleName"] for page in pages for role in page["RoleDetailList"]]
    assert sorted(names) == sorted(role.name for role in account.ROLES)


def test_ids_are_the_same_as_in_the_events(iam):
    for role in account.ROLES:
        assert iam.get_role(RoleName=role.name)["Role"]["RoleId"] == role.id
    for policy in account.POLICIES:
        assert iam.get_policy(PolicyArn=policy.arn)["Policy"]["PolicyId"] == policy.id


def test_documents_are_percent_encoded(lab):
    """boto3 decodes the documents, so this test reads the HTTP responses."""
    seen = []
    iam = lab.client("iam")
    iam.meta.events.register("after-call", lambda http_response, **_: seen.append(http_response.text))
    policy, role = account.policy("image-cache"), account.role("batch-worker-node")
    iam.get_policy_version(PolicyArn=policy.arn, VersionId="v2")
    iam.get_role_policy(RoleName=role.name, PolicyName="own-repository")
    iam.get_role(RoleName=role.name)
    assert all("%7B%22Version%22" in text for text in seen)


def test_calls_of_others_are_not_recorded(lab, iam):
    iam.get_role(RoleName=account.ROLES[0].name)
    assert lab.calls() == []


def test_invalid_policy_document_is_refused(iam):
    document = json.dumps(account.document({"Effect": "Perhaps", "Action": "ecr:*", "Resource": "*"}))
    assert error_code(iam.create_policy, PolicyName="odd", PolicyDocument=document) == "MalformedPolicyDocument"
