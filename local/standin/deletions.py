"""Deletes the object of a call just before the call is answered: it was listed, and is gone when it is read.

It also saves and restores an account, so that many tests that delete can share one account.
"""

import copy

from moto.eks.models import eks_backends
from moto.iam.models import iam_backends


def delete(call):
    """Deletes the object that the parameters of `call` name. A policy of a role is deleted, not the role."""
    deletion = next(
        deletion
        for (service, parameter), deletion in DELETIONS.items()
        if service == call["service"] and parameter in call["parameters"]
    )
    deletion(call["account"], call["region"], call["parameters"])


def deletable():
    """The parameters that name an object to delete, as (service, parameter)."""
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
    # AWS managed policies can be detached, not deleted.
    if "::aws:policy/" not in policy.arn:
        del backend.managed_policies[policy.arn]


def _instance_profile(account, _region, parameters):
    del iam_backends[account]["aws"].instance_profiles[parameters["InstanceProfileName"]]


def _cluster(account, region, parameters):
    del eks_backends[account][region].clusters[parameters.get("name") or parameters["clusterName"]]


def _part_of_cluster(collection, key):
    def delete(account, region, parameters):
        del getattr(eks_backends[account][region].clusters[parameters["clusterName"]], collection)[parameters[key]]

    return delete


# By (service, parameter). If a call has several of these parameters, the first one in this order decides.
DELETIONS = {
    ("iam", "PolicyName"): _inline_policy,
    ("iam", "RoleName"): _role,
    ("iam", "PolicyArn"): _managed_policy,
    ("iam", "InstanceProfileName"): _instance_profile,
    ("eks", "nodegroupName"): _part_of_cluster("nodegroups", "nodegroupName"),
    ("eks", "fargateProfileName"): _part_of_cluster("fargate_profiles", "fargateProfileName"),
    ("eks", "principalArn"): _part_of_cluster("access_entries", "principalArn"),
    ("eks", "associationId"): _part_of_cluster("pod_identity_associations", "associationId"),
    ("eks", "addonName"): _part_of_cluster("addons", "addonName"),
    ("eks", "clusterName"): _cluster,
    ("eks", "name"): _cluster,
}


class AccountSnapshot:
    """A copy of the IAM and EKS objects of an account that `delete` can remove."""

    def __init__(self, account):
        self._account = account
        iam = iam_backends[account]["aws"]
        # AWS managed policies are many and never change, so they are not copied. Their attachment counts do change.
        self._aws_managed = {arn: policy for arn, policy in iam.managed_policies.items() if "::aws:policy/" in arn}
        self._counts = {
            arn: policy.attachment_count for arn, policy in self._aws_managed.items() if policy.attachment_count
        }
        others = {arn: policy for arn, policy in iam.managed_policies.items() if arn not in self._aws_managed}
        clusters = {region: backend.clusters for region, backend in eks_backends[account].items()}
        self._state = self._copy((iam.roles, iam.instance_profiles, others, clusters))

    def _copy(self, state):
        return copy.deepcopy(state, {id(policy): policy for policy in self._aws_managed.values()})

    def restore(self):
        iam = iam_backends[self._account]["aws"]
        iam.roles, iam.instance_profiles, others, clusters = self._copy(self._state)
        iam.managed_policies = {**self._aws_managed, **others}
        for arn, policy in self._aws_managed.items():
            policy.attachment_count = self._counts.get(arn, 0)
        for region, backend in eks_backends[self._account].items():
            backend.clusters = clusters.get(region, {})
