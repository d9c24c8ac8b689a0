"""Creates the account of `account.py` in the stand-in, with the API calls that a person would make.

python -m local.lab.seed http://127.0.0.1:PORT
"""

import json
import sys

import boto3
from botocore.config import Config

from local.identifiers import ACCOUNT, OPERATOR_KEY, REGION, SUBNETS
from local.lab import account


def client(service, endpoint, region=REGION, key=OPERATOR_KEY):
    """A boto3 client for the stand-in. It does not retry, so that errors are visible immediately."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key="local",
        # Invalid requests are sent too: the stand-in must refuse them.
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )


def managed_arn(name):
    """The ARN of a customer managed policy of the account, or of the AWS managed policy with that name."""
    if any(p.name == name for p in account.POLICIES):
        return account.policy(name).arn
    return f"arn:aws:iam::aws:policy/{name}"


def create_policy(iam, policy):
    first, *later = policy.versions
    iam.create_policy(PolicyName=policy.name, PolicyDocument=json.dumps(first))
    for version in later:
        iam.create_policy_version(PolicyArn=policy.arn, PolicyDocument=json.dumps(version), SetAsDefault=True)


def create_role(iam, role):
    boundary = {"PermissionsBoundary": managed_arn(role.boundary)} if role.boundary else {}
    tags = [{"Key": key, "Value": value} for key, value in role.tags.items()]
    trust = json.dumps(role.trust)
    iam.create_role(RoleName=role.name, Path=role.path, AssumeRolePolicyDocument=trust, Tags=tags, **boundary)
    for name in role.managed:
        iam.attach_role_policy(RoleName=role.name, PolicyArn=managed_arn(name))
    for name, document in role.inline.items():
        iam.put_role_policy(RoleName=role.name, PolicyName=name, PolicyDocument=json.dumps(document))
    if role.instance_profile is not None:
        tags = [{"Key": key, "Value": value} for key, value in role.instance_profile.items()]
        iam.create_instance_profile(InstanceProfileName=role.name, Path=role.path, Tags=tags)
        iam.add_role_to_instance_profile(InstanceProfileName=role.name, RoleName=role.name)


def create_cluster(eks, cluster):
    compute = {}
    if cluster.auto_mode:
        arn = account.role(cluster.auto_mode).arn
        compute = {"computeConfig": {"enabled": True, "nodePools": ["general-purpose", "system"], "nodeRoleArn": arn}}
    eks.create_cluster(
        name=cluster.name,
        version="1.34",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/{cluster.name}-cluster",
        resourcesVpcConfig={"subnetIds": SUBNETS},
        accessConfig={"authenticationMode": cluster.mode},
        **compute,
    )
    for group, role in cluster.node_groups.items():
        create_node_group(eks, cluster.name, group, account.role(role).arn)
    for profile, role in cluster.fargate_profiles.items():
        eks.create_fargate_profile(
            clusterName=cluster.name,
            fargateProfileName=profile,
            podExecutionRoleArn=account.role(role).arn,
            subnets=SUBNETS,
            selectors=[{"namespace": profile}],
        )
    for role, kind in cluster.access_entries.items():
        eks.create_access_entry(clusterName=cluster.name, principalArn=account.role(role).arn, type=kind)
    for service_account, role in cluster.pod_identities.items():
        namespace, name = service_account.split(":")
        arn = account.role(role).arn
        eks.create_pod_identity_association(
            clusterName=cluster.name, namespace=namespace, serviceAccount=name, roleArn=arn
        )
    for addon, role in cluster.addons.items():
        eks.create_addon(clusterName=cluster.name, addonName=addon, serviceAccountRoleArn=account.role(role).arn)


def create_node_group(eks, cluster, group, role_arn):
    eks.create_nodegroup(clusterName=cluster, nodegroupName=group, nodeRole=role_arn, subnets=SUBNETS)


def seed(endpoint):
    iam = client("iam", endpoint)
    eks = {region: client("eks", endpoint, region) for region in {cluster.region for cluster in account.CLUSTERS}}
    for policy in account.POLICIES:
        create_policy(iam, policy)
    for role in account.ROLES:
        create_role(iam, role)
    for cluster in account.CLUSTERS:
        create_cluster(eks[cluster.region], cluster)


if __name__ == "__main__":
    seed(sys.argv[1])
