"""Events of AWS Config: the sample events in `events/`, and functions with which tests build their own.

    python -m local.lab.events      writes the files in `events/` again, from the account of `account.py`

Each file is a complete Lambda event: `cargo lambda invoke --data-file events/01-scheduled.json`. The result token in
the files is TESTMODE. With it the function sets TestMode, and AWS Config stores nothing. The demo replaces the token.
"""

import copy
import json
from urllib.parse import quote

from local import ROOT
from local.identifiers import ACCOUNT, REGION, unique_id
from local.lab import account

FOLDER = ROOT / "events"
RULE = "eks-node-role-ecr-read-only"
SERVICE_LINKED_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
CREATED = "2026-03-02T08:00:00.000Z"
# Roles that exist only in events, and why they get NOT_APPLICABLE.
OUTSIDE_ACCOUNT = {
    "edge-node": "this region does not record IAM roles",
    "sandbox-node": "the role left the rule's scope",
    "retired-node": "the role was deleted",
}
CAPTURED = "2026-11-20T09:30:12.345Z"
NOTIFIED = "2026-11-20T09:30:14.678Z"


def encoded(document):
    """A policy document in the format of AWS Config: percent-encoded per RFC 3986."""
    return quote(json.dumps(document), safe="-_.~")


def event(invoking_event, parameters=None, left_scope=False, token="TESTMODE", rule=RULE):
    """The Lambda event that contains an invoking event."""
    return {
        "version": "1.0",
        "invokingEvent": json.dumps(invoking_event),
        "ruleParameters": json.dumps(parameters or {}),
        "resultToken": token,
        "eventLeftScope": left_scope,
        "executionRoleArn": SERVICE_LINKED_ROLE,
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
    """The message for an item that is too large for a notification. It has only the identity of the resource."""
    identity_fields = (
        "configurationItemVersion", "configurationItemCaptureTime", "configurationStateId", "awsAccountId",
        "configurationItemStatus", "resourceType", "resourceId", "resourceName", "ARN", "awsRegion",
        "availabilityZone", "configurationStateMd5Hash", "resourceCreationTime",
    )  # fmt: skip
    return {
        "configurationItemSummary": {"changeType": "UPDATE", **{key: item[key] for key in identity_fields}},
        "notificationCreationTime": NOTIFIED,
        "messageType": "OversizedConfigurationItemChangeNotification",
        "recordVersion": "1.0",
    }


def configuration_item(
    kind, identity, name, arn, configuration, status="OK", region=REGION, relationships=(), tags=None
):
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
    """The configuration item of a role. `write` encodes its policy documents."""
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
    return configuration_item(
        "AWS::IAM::Role", role.id, role.name, role.arn, configuration, status, "global", relationships, dict(role.tags)
    )


def deleted_role_item(role, status="ResourceDeleted"):
    """The item of a role that was deleted, or is not recorded in this region. Only id and status have values."""
    deleted = configuration_item("AWS::IAM::Role", role.id, None, None, None, status, "global")
    return {**deleted, "configurationStateMd5Hash": None, "resourceCreationTime": None, "availabilityZone": None}


def policy_item(policy):
    """The configuration item of a customer managed policy. The newest version is first, as in IAM."""
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
    return configuration_item(
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
    return configuration_item(
        "AWS::EKS::Cluster", cluster.name, cluster.name, arn, configuration, region=cluster.region
    )


def fargate_profile_item(cluster, profile):
    """The item of a Fargate profile. Its id and name are CloudFormation's primary identifier: `cluster|profile`."""
    identity = f"{cluster.name}|{profile}"
    unique = "0ac1d8b4-1f6e-4f0b-9d0a-000000000001"
    arn = f"arn:aws:eks:{cluster.region}:{ACCOUNT}:fargateprofile/{cluster.name}/{profile}/{unique}"
    configuration = {
        "ClusterName": cluster.name,
        "FargateProfileName": profile,
        "PodExecutionRoleArn": account.role(cluster.fargate_profiles[profile]).arn,
        "Arn": arn,
    }
    return configuration_item("AWS::EKS::FargateProfile", identity, identity, arn, configuration, region=cluster.region)


def finding(rule, role_id, account_id=ACCOUNT, region=REGION, at=NOTIFIED, **more):
    """A Security Hub finding of `rule` for a role, with the fields that make it a finding of the function."""
    return {
        "SchemaVersion": "2018-10-08",
        "Id": f"{RULE}/{account_id}/{rule}/{role_id}",
        "ProductArn": f"arn:aws:securityhub:{region}:{account_id}:product/{account_id}/default",
        "GeneratorId": f"{RULE}/{rule}",
        "AwsAccountId": account_id,
        "CreatedAt": at,
        "UpdatedAt": at,
        "FindingProviderFields": {"Severity": {"Label": "HIGH"}, "Types": ["Software and Configuration Checks"]},
        "Title": "an earlier finding",
        "Description": "an earlier finding",
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


def role_outside_account(name):
    """A role that exists only in an event: deleted, not recorded, or out of the rule's scope."""
    return account.Role(name, "", account.NOT_APPLICABLE, OUTSIDE_ACCOUNT[name])


def samples():
    """All sample events by file name. The demo sends them in the order of the names."""
    role, policy, cluster = account.role, account.policy, account.CLUSTERS[1]
    out_of_scope = changed(role_item(role_outside_account("sandbox-node")))
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
        "role-not-recorded": event(
            changed(deleted_role_item(role_outside_account("edge-node"), "ResourceNotRecorded"))
        ),
        "role-left-scope": event(out_of_scope, left_scope=True),
        "role-deleted": event(changed(deleted_role_item(role_outside_account("retired-node"))), left_scope=True),
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
