"""Accounts, regions, pods, account details, faults and limits in the stand-in."""

import json
import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from helpers import error_code, evaluation
from local.identifiers import ACCOUNT, FUNCTION_KEY, OTHER_ACCOUNT, REGION, REGIONS, issuer
from local.lab import account

POD = f"arn:aws:iam::{ACCOUNT}:role/pod"


@pytest.fixture
def eks(lab):
    """A client for a region that no other test uses, with a cluster `pods`."""
    eks = lab.client("eks", region="us-west-2")
    eks.create_cluster(name="pods", roleArn=POD, resourcesVpcConfig={}, accessConfig={"authenticationMode": "API"})
    yield eks
    eks.delete_cluster(name="pods")


@pytest.fixture
def as_function(lab):
    """Clients with the function's access key, or with keys from AssumeRole. Faults and limits apply to them."""

    def client(service, region=REGION, credentials=None):
        keys = credentials or {"AccessKeyId": FUNCTION_KEY, "SecretAccessKey": "local", "SessionToken": "local"}
        return boto3.client(
            service,
            endpoint_url=lab.aws,
            region_name=region,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        )

    return client


def test_pod_identity_associations_are_listed_and_described(eks):
    for number in range(3):
        eks.create_pod_identity_association(
            clusterName="pods",
            namespace="shop",
            serviceAccount=f"s{number}",
            roleArn=f"{POD}-{number}",
            targetRoleArn=f"{POD}-target",
        )
    pages = eks.get_paginator("list_pod_identity_associations").paginate(
        clusterName="pods", PaginationConfig={"PageSize": 2}
    )
    found = [association for page in pages for association in page["associations"]]
    assert len(found) == 3 and not any("roleArn" in association for association in found)
    answer = eks.describe_pod_identity_association(clusterName="pods", associationId=found[0]["associationId"])
    described = answer["association"]
    assert described["roleArn"].startswith(f"{POD}-") and described["targetRoleArn"] == f"{POD}-target"
    unknown = {"clusterName": "pods", "associationId": "a-0"}
    assert error_code(eks.describe_pod_identity_association, **unknown) == "ResourceNotFoundException"
    again = {"clusterName": "pods", "namespace": "shop", "serviceAccount": "s0", "roleArn": POD}
    assert error_code(eks.create_pod_identity_association, **again) == "ResourceInUseException"
    assert error_code(eks.list_pod_identity_associations, clusterName="unknown") == "ResourceNotFoundException"


def test_session_policy_of_an_association_is_described(eks):
    policy = json.dumps(account.document(account.allow("ecr:GetAuthorizationToken")))
    association = {"clusterName": "pods", "namespace": "shop", "serviceAccount": "limited", "roleArn": POD}
    for refused in ({"policy": policy}, {"policy": "{", "disableSessionTags": True}):
        code = error_code(eks.create_pod_identity_association, **association, **refused)
        assert code == "InvalidParameterException"
    created = eks.create_pod_identity_association(**association, policy=policy, disableSessionTags=True)
    named = {"clusterName": "pods", "associationId": created["association"]["associationId"]}
    described = eks.describe_pod_identity_association(**named)["association"]
    assert (described["policy"], described["disableSessionTags"]) == (policy, True)
    code = error_code(eks.update_pod_identity_association, **named, disableSessionTags=False)
    assert code == "InvalidParameterException"
    eks.update_pod_identity_association(**named, policy="", disableSessionTags=False, targetRoleArn=f"{POD}-target")
    described = eks.describe_pod_identity_association(**named)["association"]
    assert (described["policy"], described["targetRoleArn"]) == ("", f"{POD}-target")
    listed = eks.list_pod_identity_associations(clusterName="pods", serviceAccount="limited")["associations"]
    assert all("policy" not in summary for summary in listed)


def test_addons_are_listed_and_described(eks):
    eks.create_addon(clusterName="pods", addonName="vpc-cni", serviceAccountRoleArn=f"{POD}-cni")
    by_pod_identity = [{"serviceAccount": "efs-csi", "roleArn": f"{POD}-efs"}]
    eks.create_addon(clusterName="pods", addonName="aws-efs-csi-driver", podIdentityAssociations=by_pod_identity)
    pages = eks.get_paginator("list_addons").paginate(clusterName="pods", PaginationConfig={"PageSize": 1})
    assert [page["addons"] for page in pages] == [["aws-efs-csi-driver"], ["vpc-cni"]]
    assert eks.describe_addon(clusterName="pods", addonName="vpc-cni")["addon"]["serviceAccountRoleArn"] == f"{POD}-cni"
    (association,) = eks.list_pod_identity_associations(clusterName="pods")["associations"]
    addon = eks.describe_addon(clusterName="pods", addonName="aws-efs-csi-driver")["addon"]
    assert addon["podIdentityAssociations"] == [association["associationArn"]]
    assert error_code(eks.describe_addon, clusterName="pods", addonName="unknown") == "ResourceNotFoundException"
    assert error_code(eks.create_addon, clusterName="pods", addonName="vpc-cni") == "ResourceInUseException"


def test_cluster_has_one_region_and_its_own_issuer(lab, eks):
    assert eks.list_clusters()["clusters"] == ["pods"]
    assert "pods" not in lab.client("eks").list_clusters()["clusters"]
    described = eks.describe_cluster(name="pods")["cluster"]
    assert described["identity"]["oidc"]["issuer"] == issuer("us-west-2", "pods")
    assert described["status"] == "ACTIVE"


def test_regions_are_paginated_with_their_status(lab):
    client = lab.client("account")
    pages = list(client.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 4}))
    assert {r["RegionName"]: r["RegionOptStatus"] for page in pages for r in page["Regions"]} == REGIONS
    assert len(pages) == 2
    enabled = client.list_regions(RegionOptStatusContains=["ENABLED", "ENABLED_BY_DEFAULT"])["Regions"]
    assert {r["RegionName"] for r in enabled} == {name for name, status in REGIONS.items() if status != "DISABLED"}
    assert error_code(client.list_regions, RegionOptStatusContains=["OPEN"]) == "ValidationException"
    assert error_code(client.list_regions, MaxResults=51) == "ValidationException"


def test_disabled_region_refuses_credentials(lab):
    assert error_code(lab.client("eks", region="me-south-1").list_clusters) == "UnrecognizedClientException"


def test_only_a_role_that_trusts_the_account_is_assumed(lab, as_function):
    lab.control("POST", "entities", {"account": OTHER_ACCOUNT, "roles": [
        {"name": "audit", "trust": account.ACCOUNT_TRUST}, {"name": "linked", "trust": account.trusted_by("config.amazonaws.com")},
    ]})  # fmt: skip
    sts = as_function("sts", "eu-west-1")

    def assume(name):
        return sts.assume_role(RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/{name}", RoleSessionName="audit")[
            "Credentials"
        ]

    for name in ("linked", "unknown"):
        assert error_code(assume, name=name) == "AccessDenied"
    there = as_function("iam", credentials=assume("audit"))
    assert sorted(role["RoleName"] for role in there.list_roles()["Roles"]) == ["audit", "linked"]
    calls = [(call["operation"], call["account"], call["region"]) for call in lab.calls()]
    assert calls[-2:] == [("AssumeRole", ACCOUNT, "eu-west-1"), ("ListRoles", OTHER_ACCOUNT, "us-east-1")]


def test_result_token_is_valid_in_its_account_only(lab, rule):
    config = lab.client("config")
    token = lab.new_token(rule, OTHER_ACCOUNT)
    code = error_code(config.put_evaluations, ResultToken=token, Evaluations=[evaluation()])
    assert code == "InvalidResultTokenException"
    assert lab.evaluations(rule, OTHER_ACCOUNT) == {}


class TestAccountDetails:
    @pytest.fixture
    def details(self, lab):
        iam = lab.client("iam")

        def details(*kinds, size=1000):
            filters = {"Filter": list(kinds)} if kinds else {}
            pages = iam.get_paginator("get_account_authorization_details").paginate(
                **filters, PaginationConfig={"PageSize": size}
            )
            return list(pages)

        return details

    def test_filter_selects_roles_or_policies(self, details):
        roles, policies = details("Role"), details("LocalManagedPolicy")
        assert roles[0]["RoleDetailList"] and not roles[0]["Policies"]
        assert policies[0]["Policies"] and not policies[0]["RoleDetailList"]
        assert all("::aws:policy/" not in policy["Arn"] for policy in policies[0]["Policies"])
        assert all("::aws:policy/" in policy["Arn"] for policy in details("AWSManagedPolicy")[0]["Policies"])

    def test_role_details_are_complete(self, details):
        details_of = {role["RoleName"]: role for page in details("Role", size=3) for role in page["RoleDetailList"]}
        for role in account.ROLES:
            detail = details_of[role.name]
            inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in detail["RolePolicyList"]}
            assert inline == role.inline
            assert {policy["PolicyName"] for policy in detail["AttachedManagedPolicies"]} == set(role.managed)
            assert bool(detail.get("PermissionsBoundary")) == bool(role.boundary)
            assert {tag["Key"]: tag["Value"] for tag in detail["Tags"]} == role.tags
            assert detail["AssumeRolePolicyDocument"] == role.trust

    def test_policy_details_have_all_versions(self, details):
        details_of = {
            policy["PolicyName"]: policy
            for page in details("LocalManagedPolicy", size=2)
            for policy in page["Policies"]
        }
        versions = {version["VersionId"]: version for version in details_of["image-cache"]["PolicyVersionList"]}
        assert {name: version["IsDefaultVersion"] for name, version in versions.items()} == {"v1": False, "v2": True}
        assert versions["v2"]["Document"] == account.policy("image-cache").versions[-1]

    def test_documents_are_percent_encoded(self, lab):
        seen = []
        iam = lab.client("iam")
        iam.meta.events.register("after-call", lambda http_response, **_: seen.append(http_response.text))
        iam.get_account_authorization_details(MaxItems=1000)
        iam.list_roles()
        assert [text.count('{"Version"') + text.count("&quot;Version&quot;") for text in seen] == [0, 0]

    def test_unknown_marker_is_refused(self, lab):
        assert error_code(lab.client("iam").get_account_authorization_details, Marker="unknown") == "InvalidInput"


def test_only_get_instance_profile_returns_tags(lab):
    iam = lab.client("iam")
    lab.control("POST", "entities", {"roles": [
        {"name": "tagged", "trust": account.EC2, "instance_profile": {"name": "tagged-profile", "tags": {"kubernetes.io/cluster/shop": "owned"}}},
    ]})  # fmt: skip
    try:
        (listed,) = iam.list_instance_profiles_for_role(RoleName="tagged")["InstanceProfiles"]
        assert listed["InstanceProfileName"] == "tagged-profile" and not listed.get("Tags")
        profile = iam.get_instance_profile(InstanceProfileName="tagged-profile")["InstanceProfile"]
        assert profile["Tags"] == [{"Key": "kubernetes.io/cluster/shop", "Value": "owned"}]
        assert [role["RoleName"] for role in profile["Roles"]] == ["tagged"]
        detail = iam.get_account_authorization_details(Filter=["Role"], MaxItems=1000)["RoleDetailList"][-1]
        assert [profile["InstanceProfileName"] for profile in detail["InstanceProfileList"]] == ["tagged-profile"]
    finally:
        iam.remove_role_from_instance_profile(InstanceProfileName="tagged-profile", RoleName="tagged")
        iam.delete_instance_profile(InstanceProfileName="tagged-profile")
        iam.delete_role(RoleName="tagged")


class TestFaults:
    """Faults and limits apply only to calls of the function."""

    @pytest.fixture
    def inject(self, lab):
        return lambda operation="GetRole", **fault: lab.inject_fault("iam", operation, **fault)

    @pytest.fixture
    def read(self, as_function):
        return lambda role=account.ROLES[0]: as_function("iam").get_role(RoleName=role.name)["Role"]["RoleId"]

    def test_error_occurs_once_for_matching_parameters(self, lab, inject, read):
        inject(code="Throttling", status=400, where={"RoleName": account.ROLES[1].name})
        assert read() == account.ROLES[0].id
        assert error_code(read, role=account.ROLES[1]) == "Throttling"
        assert read(account.ROLES[1]) == account.ROLES[1].id
        assert [fault["fired"] for fault in lab.control("GET", "faults")] == [1]

    def test_calls_of_others_get_no_error(self, lab, inject):
        inject(code="Throttling", status=400, times=None)
        assert lab.client("iam").get_role(RoleName=account.ROLES[0].name)

    def test_reset_breaks_the_connection_once(self, inject, read):
        inject(kind="reset")
        with pytest.raises((ConnectionError, HTTPClientError)):
            read()
        assert read() == account.ROLES[0].id

    def test_malformed_answer_is_cut_short(self, inject, read):
        inject(kind="malformed")
        with pytest.raises(Exception, match=r"invalid XML|parse"):
            read()

    def test_slow_answer_comes_late(self, inject, read):
        inject(kind="slow", seconds=0.5)
        begun = time.monotonic()
        assert read() == account.ROLES[0].id
        assert time.monotonic() - begun > 0.5

    def test_later_pages_fails_only_after_the_first(self, lab, inject, as_function):
        inject(operation="ListRoles", code="ServiceFailure", status=500, later_pages=True, times=None)
        iam = as_function("iam")
        first = iam.list_roles(MaxItems=1)
        assert error_code(iam.list_roles, Marker=first["Marker"]) == "ServiceFailure"

    def test_deleted_object_is_restored_from_the_snapshot(self, lab, inject, read):
        lab.control("POST", "snapshot")
        inject(kind="deleted")
        try:
            assert error_code(read) == "NoSuchEntity"
            assert error_code(read) == "NoSuchEntity"
        finally:
            lab.control("PUT", "snapshot")
        assert read() == account.ROLES[0].id
        attached = lab.client("iam").list_attached_role_policies(RoleName=account.ROLES[0].name)["AttachedPolicies"]
        assert {policy["PolicyName"] for policy in attached} == set(account.ROLES[0].managed)

    def test_limits_delay_and_throttle_calls(self, lab, read):
        lab.control("POST", "limits", {"latency_ms": 100, "per_second": {"iam": 2}, "burst": 1})
        try:
            begun = time.monotonic()
            assert read() == account.ROLES[0].id
            assert time.monotonic() - begun >= 0.1
            with pytest.raises(ClientError, match="Rate exceeded"):
                read()
            time.sleep(0.5)
            assert read() == account.ROLES[0].id
        finally:
            lab.control("POST", "limits", {})


def test_bulk_entities_read_like_api_entities(lab):
    """Bulk creation does not use the API, but its objects must read the same."""
    lab.control("POST", "snapshot")
    try:
        roles = [
            {
                "name": f"bulk-{n:03}",
                "trust": account.EC2,
                "managed": ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"],
                "inline": {"p": account.document(account.allow("ecr:*"))},
            }
            for n in range(100)
        ]
        arn = f"arn:aws:iam::{ACCOUNT}:role/bulk-"
        clusters = [
            {
                "name": "bulk",
                "mode": "API_AND_CONFIG_MAP",
                "node_groups": {"g": f"{arn}000"},
                "access_entries": {f"{arn}001": "EC2"},
            }
        ]
        lab.control("POST", "entities", {"region": "eu-central-1", "roles": roles, "clusters": clusters})
        iam, eks = lab.client("iam"), lab.client("eks", region="eu-central-1")
        assert iam.get_role_policy(RoleName="bulk-099", PolicyName="p")["PolicyDocument"] == roles[0]["inline"]["p"]
        assert eks.list_access_entries(clusterName="bulk")["accessEntries"] == [f"{arn}000", f"{arn}001"]
        assert eks.describe_nodegroup(clusterName="bulk", nodegroupName="g")["nodegroup"]["nodeRole"] == f"{arn}000"
    finally:
        lab.control("PUT", "snapshot")
