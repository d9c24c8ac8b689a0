"""Creates thousands of roles, policies and clusters directly in moto's backends. API calls would take minutes.

The body of `POST /local/entities`:

    {"account", "region", "policies": [{"name", "document"}],
     "roles": [{"name", "trust", "path", "managed": [ARN], "inline": {name: document}, "boundary": ARN, "tags": {},
                "instance_profile": {"name", "tags": {}}}],
     "clusters": [{"name", "mode", "node_groups": {name: role ARN}, "fargate_profiles": {name: role ARN},
                   "access_entries": {ARN: type}, "pod_identities": {"namespace:service account": role ARN},
                   "addons": {name: role ARN}}]}
"""

import json

from moto.eks.models import eks_backends
from moto.iam.models import iam_backends

from local.identifiers import ACCOUNT, REGION, SUBNETS
from local.standin.eks import add_automatic_entry, set_modes
from local.standin.eks_pods import put_addon, put_association


def create(account=ACCOUNT, region=REGION, policies=(), roles=(), clusters=()):
    iam, eks = iam_backends[account]["aws"], eks_backends[account][region]
    for policy in policies:
        iam.create_policy("", "/", json.dumps(policy["document"]), policy["name"], [])
    for role in roles:
        _create_role(iam, **role)
    for cluster in clusters:
        _create_cluster(eks, **cluster)


def _create_role(iam, name, trust, path="/", managed=(), inline=None, boundary=None, tags=None, instance_profile=None):
    role = iam.create_role(name, json.dumps(trust), path, boundary, "", _tags(tags), "3600")
    for arn in managed:
        iam.managed_policies[arn].attach_to(role)
    for policy, document in (inline or {}).items():
        role.put_policy(policy, json.dumps(document))
    if instance_profile:
        iam.create_instance_profile(instance_profile["name"], path, [name], _tags(instance_profile.get("tags")))


def _tags(tags):
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _create_cluster(
    eks, name, mode, node_groups=None, fargate_profiles=None, access_entries=None, pod_identities=None, addons=None
):
    role = f"arn:{eks.partition}:iam::{eks.account_id}:role/{name}-cluster"
    cluster = eks.create_cluster(name, role, {"subnetIds": list(SUBNETS)})
    set_modes(eks, cluster, {"authenticationMode": mode})
    for group, arn in (node_groups or {}).items():
        eks.create_nodegroup(cluster_name=name, node_role=arn, nodegroup_name=group, subnets=list(SUBNETS))
        add_automatic_entry(eks, cluster, arn, "EC2_LINUX")
    for profile, arn in (fargate_profiles or {}).items():
        eks.create_fargate_profile(profile, name, [{"namespace": profile}], arn, subnets=list(SUBNETS))
        add_automatic_entry(eks, cluster, arn, "FARGATE_LINUX")
    for service_account, arn in (pod_identities or {}).items():
        put_association(eks, cluster, *service_account.split(":"), arn)
    for addon, arn in (addons or {}).items():
        put_addon(eks, cluster, addon, arn)
    for principal, kind in (access_entries or {}).items():
        add_automatic_entry(eks, cluster, principal, kind)
