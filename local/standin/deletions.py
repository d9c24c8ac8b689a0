"""Takes away what a call asks about just before it is answered: gone between being listed and being read.

Also keeps and puts back an account, so that one account serves many tests that delete.
"""

import copy

from moto.eks.models import eks_backends
from moto.iam.models import iam_backends


def delete(call):
    """Deletes what `call` asks about, as `aws` commands of somebody else would."""
    DELETIONS[call["service"], call["operation"]](call["account"], call["region"], call["parameters"])


def deletable():
    """The calls whose object can go."""
    return set(DELETIONS)


def _role(account, _region, parameters):
    backend = iam_backends[account]["aws"]
    role = backend.get_role(parameters["RoleName"])
    for policy in list(role.managed_policies.values()):
        policy.detach_from(role)
    for profile in backend.instance_profiles.values():
        profile.delete_role(role.name)
    del backend.roles[role.id]


def _inline_policy(account, _region, parameters):
    iam_backends[account]["aws"].delete_role_policy(parameters["RoleName"], parameters["PolicyName"])


def _managed_policy(account, _region, parameters):
    backend = iam_backends[account]["aws"]
    policy = backend.get_policy(parameters["PolicyArn"])
    for role in list(backend.roles.values()):
        if policy.arn in role.managed_policies:
            policy.detach_from(role)
        if role.permissions_boundary_arn == policy.arn:
            role.permissions_boundary_arn = None
    # AWS's own policies can be detached, not deleted.
    if "::aws:policy/" not in policy.arn:
        del backend.managed_policies[policy.arn]


def _instance_profile(account, _region, parameters):
    del iam_backends[account]["aws"].instance_profiles[parameters["InstanceProfileName"]]


def _cluster(account, region, parameters):
    del eks_backends[account][region].clusters[parameters.get("name") or parameters["clusterName"]]


def _of_cluster(things, key):
    def delete(account, region, parameters):
        del getattr(eks_backends[account][region].clusters[parameters["clusterName"]], things)[parameters[key]]

    return delete


DELETIONS = {
    **{
        ("iam", f): _role
        for f in ("GetRole", "ListRolePolicies", "ListAttachedRolePolicies", "ListInstanceProfilesForRole")
    },
    ("iam", "GetRolePolicy"): _inline_policy,
    **{("iam", f): _managed_policy for f in ("GetPolicy", "GetPolicyVersion", "ListEntitiesForPolicy")},
    ("iam", "GetInstanceProfile"): _instance_profile,
    **{
        ("eks", f): _cluster
        for f in (
            "DescribeCluster",
            "ListNodegroups",
            "ListFargateProfiles",
            "ListAccessEntries",
            "ListPodIdentityAssociations",
            "ListAddons",
        )
    },
    ("eks", "DescribeNodegroup"): _of_cluster("nodegroups", "nodegroupName"),
    ("eks", "DescribeFargateProfile"): _of_cluster("fargate_profiles", "fargateProfileName"),
    ("eks", "DescribeAccessEntry"): _of_cluster("access_entries", "principalArn"),
    ("eks", "DescribePodIdentityAssociation"): _of_cluster("pod_identity_associations", "associationId"),
    ("eks", "DescribeAddon"): _of_cluster("addons", "addonName"),
}


class Kept:
    """An account as it was: what of IAM and EKS can go."""

    def __init__(self, account):
        self._account = account
        iam = iam_backends[account]["aws"]
        # AWS's own policies are many and never change; how often each is attached does.
        self._own = {arn: policy for arn, policy in iam.managed_policies.items() if "::aws:policy/" in arn}
        self._counts = {arn: policy.attachment_count for arn, policy in self._own.items() if policy.attachment_count}
        others = {arn: policy for arn, policy in iam.managed_policies.items() if arn not in self._own}
        clusters = {region: backend.clusters for region, backend in eks_backends[account].items()}
        self._state = self._copy((iam.roles, iam.instance_profiles, others, clusters))

    def _copy(self, state):
        return copy.deepcopy(state, {id(policy): policy for policy in self._own.values()})

    def put_back(self):
        iam = iam_backends[self._account]["aws"]
        iam.roles, iam.instance_profiles, others, clusters = self._copy(self._state)
        iam.managed_policies = {**self._own, **others}
        for arn, policy in self._own.items():
            policy.attachment_count = self._counts.get(arn, 0)
        for region, backend in eks_backends[self._account].items():
            backend.clusters = clusters.get(region, {})
