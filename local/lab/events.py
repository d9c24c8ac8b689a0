"""The events of AWS Config: the sample events in `events/`, and builders with which tests make their own.

    python -m local.lab.events      writes the files in `events/` again, from the account of `account.py`

A file is what Lambda gives the function, whole: `cargo lambda invoke --data-file events/01-scheduled.json`.
Their result token is TESTMODE, at which the function sets TestMode and nothing is stored; the demo puts a fresh
token in its place.
"""

import copy
import json
from urllib.parse import quote

from local import ROOT
from local.identifiers import ACCOUNT, REGION, unique_id
from local.lab import account

FOLDER = ROOT / "events"
RULE = "eks-node-role-ecr-read-only"
CREATED = "2026-03-02T08:00:00.000Z"
# Roles that the account does not hold, and why the rule no longer speaks of them.
OUTSIDE = {
    "edge-node": "this region does not record IAM roles",
    "sandbox-node": "the role left the rule's scope",
    "retired-node": "the role was deleted",
}
CAPTURED = "2026-11-20T09:30:12.345Z"
NOTIFIED = "2026-11-20T09:30:14.678Z"


def encoded(document):
    """A policy document as AWS Config holds it: percent-encoded per RFC 3986."""
    return quote(json.dumps(document), safe="-_.~")


def event(invoking_event, parameters=None, left_scope=False, token="TESTMODE", rule=RULE):
    """The Lambda event around an invoking event."""
    return {
        "version": "1.0",
        "invokingEvent": json.dumps(invoking_event),
        "ruleParameters": json.dumps(parameters or {}),
        "resultToken": token,
        "eventLeftScope": left_scope,
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig",
        "configRuleArn": f"arn:aws:config:{REGION}:{ACCOUNT}:config-rule/config-rule-a1b2c3",
        "configRuleName": rule,
        "configRuleId": "config-rule-a1b2c3",
        "accountId": ACCOUNT,
        "evaluationMode": "DETECTIVE",
    }


def scheduled(at=NOTIFIED):
    return {
        "awsAccountId": ACCOUNT,
        "notificationCreationTime": at,
        "messageType": "ScheduledNotification",
        "recordVersion": "1.0",
    }


def snapshot_delivered():
    name = f"{ACCOUNT}_Config_{REGION}_ConfigSnapshot_20261120T093000Z_4f8c1f0e-3c55-4b5e-9b0a-0a8f6a1d7c11.json.gz"
    return {
        "configSnapshotId": "4f8c1f0e-3c55-4b5e-9b0a-0a8f6a1d7c11",
        "s3ObjectKey": f"AWSLogs/{ACCOUNT}/Config/{REGION}/2026/11/20/ConfigSnapshot/{name}",
        "s3Bucket": f"config-bucket-{ACCOUNT}",
        "notificationCreationTime": NOTIFIED,
        "messageType": "ConfigurationSnapshotDeliveryCompleted",
        "recordVersion": "1.3",
    }


def changed(item):
    return {
        "configurationItemDiff": None,
        "configurationItem": item,
        "notificationCreationTime": NOTIFIED,
        "messageType": "ConfigurationItemChangeNotification",
        "recordVersion": "1.3",
    }


def oversized(item):
    """What comes in place of an item that is too large for a message: its identity alone."""
    kept = (
        "configurationItemVersion", "configurationItemCaptureTime", "configurationStateId", "awsAccountId",
        "configurationItemStatus", "resourceType", "resourceId", "resourceName", "ARN", "awsRegion",
        "availabilityZone", "configurationStateMd5Hash", "resourceCreationTime",
    )  # fmt: skip
    return {
        "configurationItemSummary": {"changeType": "UPDATE", **{key: item[key] for key in kept}},
        "notificationCreationTime": NOTIFIED,
        "messageType": "OversizedConfigurationItemChangeNotification",
        "recordVersion": "1.0",
    }


def item(kind, identity, name, arn, configuration, status="OK", region=REGION, relationships=(), tags=None):
    return {
        "relatedEvents": [],
        "relationships": list(relationships),
        "configuration": configuration,
        "supplementaryConfiguration": {},
        "tags": tags or {},
        "configurationItemVersion": "1.3",
        "configurationItemCaptureTime": CAPTURED,
        "configurationStateId": 1795253412345,
        "awsAccountId": ACCOUNT,
        "configurationItemStatus": status,
        "resourceType": kind,
        "resourceId": identity,
        "resourceName": name,
        "ARN": arn,
        "awsRegion": region,
        "availabilityZone": "Not Applicable",
        "configurationStateMd5Hash": "",
        "resourceCreationTime": CREATED,
    }


def role_item(role, write=encoded, status="OK"):
    """The configuration item of a role; `write` says how its documents are held."""
    attached = [{"policyName": name, "policyArn": _managed_arn(name)} for name in role.managed]
    boundary = (
        {"permissionsBoundaryArn": _managed_arn(role.boundary), "permissionsBoundaryType": "Policy"}
        if role.boundary
        else None
    )
    tags = [{"key": key, "value": value} for key, value in (role.instance_profile or {}).items()]
    profile = {
        "path": role.path,
        "instanceProfileName": role.name,
        "instanceProfileId": unique_id("AIPA", role.name),
        "arn": f"arn:aws:iam::{ACCOUNT}:instance-profile{role.path}{role.name}",
        "createDate": CREATED,
        "roles": [],
        "tags": tags,
    }
    configuration = {
        "path": role.path,
        "roleName": role.name,
        "roleId": role.id,
        "arn": role.arn,
        "createDate": CREATED,
        "assumeRolePolicyDocument": write(role.trust),
        "instanceProfileList": [profile] if role.instance_profile is not None else [],
        "rolePolicyList": [
            {"policyName": name, "policyDocument": write(document)} for name, document in role.inline.items()
        ],
        "attachedManagedPolicies": attached,
        "permissionsBoundary": boundary,
        "tags": [{"key": key, "value": value} for key, value in role.tags.items()],
        "roleLastUsed": None,
    }
    relationships = [
        {
            "resourceId": account.policy(name).id,
            "resourceName": name,
            "resourceType": "AWS::IAM::Policy",
            "name": "Is attached to CustomerManagedPolicy",
        }
        for name in role.managed
        if _customer_managed(name)
    ]
    return item(
        "AWS::IAM::Role", role.id, role.name, role.arn, configuration, status, "global", relationships, dict(role.tags)
    )


def gone(role, status="ResourceDeleted"):
    """The item of a role that was deleted, or that this region does not record: its id and status, all else null."""
    emptied = item("AWS::IAM::Role", role.id, None, None, None, status, "global")
    return {**emptied, "configurationStateMd5Hash": None, "resourceCreationTime": None, "availabilityZone": None}


def policy_item(policy):
    """The configuration item of a customer managed policy, newest version first, as IAM lists them."""
    users = [role for role in account.ROLES if policy.name in role.managed]
    versions = [
        {
            "document": encoded(document),
            "versionId": f"v{number}",
            "isDefaultVersion": number == len(policy.versions),
            "createDate": CREATED,
        }
        for number, document in enumerate(policy.versions, 1)
    ]
    configuration = {
        "policyName": policy.name,
        "policyId": policy.id,
        "arn": policy.arn,
        "path": "/",
        "defaultVersionId": f"v{len(policy.versions)}",
        "attachmentCount": len(users),
        "permissionsBoundaryUsageCount": sum(role.boundary == policy.name for role in account.ROLES),
        "isAttachable": True,
        "description": None,
        "createDate": CREATED,
        "updateDate": CREATED,
        "tags": [],
        "policyVersionList": versions[::-1],
    }
    relationships = [
        {
            "resourceId": role.id,
            "resourceName": role.name,
            "resourceType": "AWS::IAM::Role",
            "name": "Is attached to Role",
        }
        for role in users
    ]
    return item(
        "AWS::IAM::Policy",
        policy.id,
        policy.name,
        policy.arn,
        configuration,
        region="global",
        relationships=relationships,
    )


def cluster_item(cluster):
    arn = f"arn:aws:eks:{cluster.region}:{ACCOUNT}:cluster/{cluster.name}"
    configuration = {
        "Name": cluster.name,
        "Arn": arn,
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/{cluster.name}-cluster",
        "Version": "1.34",
        "AccessConfig": {"AuthenticationMode": cluster.mode},
    }
    return item("AWS::EKS::Cluster", cluster.name, cluster.name, arn, configuration, region=cluster.region)


def fargate_profile_item(cluster, profile):
    """AWS Config's id and name of a Fargate profile: `cluster|profile`, which is CloudFormation's primary identifier."""
    identity = f"{cluster.name}|{profile}"
    arn = f"arn:aws:eks:{cluster.region}:{ACCOUNT}:fargateprofile/{cluster.name}/{profile}/0ac1d8b4-1f6e-4f0b-9d0a-000000000001"
    configuration = {
        "ClusterName": cluster.name,
        "FargateProfileName": profile,
        "PodExecutionRoleArn": account.role(cluster.fargate_profiles[profile]).arn,
        "Arn": arn,
    }
    return item("AWS::EKS::FargateProfile", identity, identity, arn, configuration, region=cluster.region)


def finding(rule, role_id, account_id=ACCOUNT, region=REGION, at=NOTIFIED, **more):
    """A finding of `rule` in AWS Security Hub on the role of this id, as far as it has to be one of the function's."""
    return {
        "SchemaVersion": "2018-10-08",
        "Id": f"{RULE}/{account_id}/{rule}/{role_id}",
        "ProductArn": f"arn:aws:securityhub:{region}:{account_id}:product/{account_id}/default",
        "GeneratorId": f"{RULE}/{rule}",
        "AwsAccountId": account_id,
        "CreatedAt": at,
        "UpdatedAt": at,
        "FindingProviderFields": {"Severity": {"Label": "HIGH"}, "Types": ["Software and Configuration Checks"]},
        "Title": "what was found before",
        "Description": "what was found before",
        "Remediation": {"Recommendation": {"Text": "what to do", "Url": "https://docs.aws.amazon.com/"}},
        "Compliance": {"Status": "FAILED"},
        "RecordState": "ACTIVE",
        "Resources": [{"Type": "AwsIamRole", "Id": f"arn:aws:iam::{account_id}:role/{role_id}"}],
        **more,
    }


def nested(document):
    return copy.deepcopy(document)


def _customer_managed(name):
    return any(policy.name == name for policy in account.POLICIES)


def _managed_arn(name):
    return account.policy(name).arn if _customer_managed(name) else f"arn:aws:iam::aws:policy/{name}"


def outside(name):
    """A role that only an event knows: deleted, unrecorded or out of the rule's scope."""
    return account.Role(name, "", account.NOT_APPLICABLE, OUTSIDE[name])


def samples():
    """Every sample event by its file's name. The names sort in the order in which the demo sends them."""
    role, policy, cluster = account.role, account.policy, account.CLUSTERS[1]
    out_of_scope = changed(role_item(outside("sandbox-node")))
    pods = {"pod-identity": "shop-cart-pod", "service-account": "batch-builder-pod"}
    cases = {
        "scheduled": event(scheduled()),
        "snapshot-delivered": event(snapshot_delivered()),
        "role-changed-compliant": event(changed(role_item(role("shop-web-node")))),
        "role-changed-non-compliant": event(changed(role_item(role("batch-worker-node")))),
        "role-changed-plain-documents": event(changed(role_item(role("batch-report-node"), write=json.dumps))),
        "role-changed-nested-documents": event(changed(role_item(role("payments-fraud-node"), write=nested))),
        "role-changed-lambda-role": event(changed(role_item(role("thumbnail-function")))),
        "role-changed-unused-ec2-role": event(changed(role_item(role("ci-runner")))),
        "role-changed-person": event(changed(role_item(role("support-engineer")))),
        "role-oversized": event(oversized(role_item(role("shop-build-node")))),
        "policy-changed-attached": event(changed(policy_item(policy("image-cache")))),
        "policy-changed-boundary": event(changed(policy_item(policy("node-boundary")))),
        "cluster-changed": event(changed(cluster_item(cluster))),
        "role-not-recorded": event(changed(gone(outside("edge-node"), "ResourceNotRecorded"))),
        "role-left-scope": event(out_of_scope, left_scope=True),
        "role-deleted": event(changed(gone(outside("retired-node"))), left_scope=True),
        "fargate-profile-changed": event(changed(fargate_profile_item(cluster, "jobs"))),
        "role-changed-self-managed": event(changed(role_item(role("shop-legacy-node")))),
        "role-changed-of-access-entries-only": event(changed(role_item(role("payments-former-node")))),
        **{f"role-changed-{by}": event(changed(role_item(role(name)))) for by, name in pods.items()},
    }
    return {f"{number:02}-{name}": case for number, (name, case) in enumerate(cases.items(), 1)}


def render(sample):
    return json.dumps(sample, indent=2) + "\n"


def main():
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.json"):
        stale.unlink()
    for name, sample in samples().items():
        (FOLDER / f"{name}.json").write_text(render(sample))


if __name__ == "__main__":
    main()
