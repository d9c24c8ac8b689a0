"""Adds to moto's IAM: pages, permissions boundaries in ListEntitiesForPolicy, stable ids and encoded documents."""

import copy

from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend, Policy, Role
from moto.iam.responses import IamResponse

from local.identifiers import unique_id
from local.standin import pages

DEFAULT_PAGE = 100
# EntityType in the model. Without a filter, GetAccountAuthorizationDetails returns all of them.
FILTERS = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")
# Documents that AWS percent-encodes and moto does not (API reference of GetAccountAuthorizationDetails).
ENCODED = (
    "GetPolicyVersionResponse.PolicyVersion.Document",
    "Roles.Role.AssumeRolePolicyDocument",  # of ListRoles, and of the roles in instance profiles
    "RoleDetailList.RoleDetail.AssumeRolePolicyDocument",
    "ManagedPolicyDetail.PolicyVersionList.PolicyVersion.Document",
)


def _page(self, items):
    return pages.page(items, self.params.get("Marker"), self.params.get("MaxItems") or DEFAULT_PAGE, "InvalidInput")


def list_role_policies(self):
    names, marker = _page(self, list(self.backend.list_role_policies(self.params["RoleName"])))
    return ActionResult({"PolicyNames": names, "IsTruncated": bool(marker), "Marker": marker})


def list_attached_role_policies(self):
    prefix = self.params.get("PathPrefix", "/")
    attached = self.backend.get_role(self.params["RoleName"]).managed_policies.values()
    found, marker = _page(self, [p for p in attached if p.path.startswith(prefix)])
    policies = [{"PolicyName": p.name, "PolicyArn": p.arn} for p in found]
    return ActionResult({"AttachedPolicies": policies, "IsTruncated": bool(marker), "Marker": marker})


def list_roles(self):
    prefix = self.params.get("PathPrefix", "/")
    found, marker = _page(self, [role for role in self.backend.roles.values() if role.path.startswith(prefix)])
    return ActionResult({"Roles": found, "IsTruncated": bool(marker), "Marker": marker})


def list_instance_profiles(self):
    prefix = self.params.get("PathPrefix", "/")
    return _profiles(self, [p for p in self.backend.instance_profiles.values() if p.path.startswith(prefix)])


def list_instance_profiles_for_role(self):
    return _profiles(self, self.backend.get_role(self.params["RoleName"]).instance_profile_list)


def _profiles(self, profiles):
    found, marker = _page(self, [_without_tags(profile) for profile in profiles])
    return ActionResult({"InstanceProfiles": found, "IsTruncated": bool(marker), "Marker": marker})


def _without_tags(profile):
    """Lists leave tags out. Only GetInstanceProfile returns them (API reference of ListInstanceProfiles)."""
    bare = copy.copy(profile)
    bare.tags = []
    return bare


def list_entities_for_policy(self):
    """Roles, users and groups that use a policy. `PolicyUsageFilter` selects attachments or boundaries."""
    self.backend.get_policy(self.params["PolicyArn"])
    arn, usage = self.params["PolicyArn"], self.params.get("PolicyUsageFilter")
    prefix, kind = self.params.get("PathPrefix", "/"), self.params.get("EntityFilter")

    def uses(entity):
        attached = usage != "PermissionsBoundary" and arn in entity.managed_policies
        boundary = usage != "PermissionsPolicy" and arn == getattr(entity, "permissions_boundary_arn", None)
        return entity.path.startswith(prefix) and (attached or boundary)

    entities_by_kind = {
        "Group": self.backend.groups.values(),
        "Role": self.backend.roles.values(),
        "User": self.backend.users.values(),
    }
    users = [(k, e) for k, entities in entities_by_kind.items() if kind in (None, k) for e in entities if uses(e)]
    found, marker = _page(self, users)
    result = {
        f"Policy{k}s": [{f"{k}Name": e.name, f"{k}Id": e.id} for kind_, e in found if kind_ == k]
        for k in entities_by_kind
    }
    return ActionResult({**result, "IsTruncated": bool(marker), "Marker": marker})


def get_account_authorization_details(self):
    """Users, groups, roles, then policies: those of the account, and AWS managed policies that are attached."""
    backend, wanted = self.backend, self.params.get("Filter") or FILTERS
    policies = [p for p in backend.managed_policies.values() if _policy_kind(p) in wanted]
    lists = {
        "UserDetailList": backend.users.values() if "User" in wanted else [],
        "GroupDetailList": backend.groups.values() if "Group" in wanted else [],
        "RoleDetailList": backend.roles.values() if "Role" in wanted else [],
        "Policies": [p for p in policies if p.attachment_count or _policy_kind(p) == "LocalManagedPolicy"],
    }
    found, marker = _page(self, [(name, entity) for name, entities in lists.items() for entity in entities])
    result = {name: [_detail(e) for n, e in found if n == name] for name in lists}
    return ActionResult({**result, "IsTruncated": bool(marker), "Marker": marker})


def _policy_kind(policy):
    return "AWSManagedPolicy" if "::aws:policy/" in policy.arn else "LocalManagedPolicy"


def _detail(entity):
    """AWS does not document whether instance profiles in role details have tags. Here they have none."""
    if isinstance(entity, Policy):
        return {
            "PolicyName": entity.name,
            "PolicyId": entity.id,
            "Arn": entity.arn,
            "Path": entity.path,
            "DefaultVersionId": entity.default_version_id,
            "AttachmentCount": entity.attachment_count,
            "IsAttachable": True,
            "CreateDate": entity.create_date,
            "UpdateDate": entity.update_date,
            "PolicyVersionList": [
                {
                    "Document": v.document,
                    "VersionId": v.version_id,
                    "IsDefaultVersion": v.is_default,
                    "CreateDate": v.create_date,
                }
                for v in entity.versions
            ],
        }
    if not isinstance(entity, Role):
        return entity
    return {
        "Path": entity.path,
        "RoleName": entity.name,
        "RoleId": entity.id,
        "Arn": entity.arn,
        "CreateDate": entity.create_date,
        "AssumeRolePolicyDocument": entity.assume_role_policy_document,
        "InstanceProfileList": [_without_tags(profile) for profile in entity.instance_profile_list],
        "RolePolicyList": entity.role_policy_list,
        "AttachedManagedPolicies": entity.attached_managed_policies,
        "PermissionsBoundary": entity.permissions_boundary,
        "Tags": entity.tags or [],
    }


def _with_stable_role_id(create):
    def create_role(self, role_name, *args, **kwargs):
        role = create(self, role_name, *args, **kwargs)
        del self.roles[role.id]
        role.id = unique_id("AROA", role_name)
        self.roles[role.id] = role
        return role

    return create_role


def _with_stable_policy_id(create):
    def create_policy(self, *args, **kwargs):
        policy = create(self, *args, **kwargs)
        policy.id = unique_id("ANPA", policy.name)
        return policy

    return create_policy


def replace_document(backend, document, role=None, policy_name=None, policy_arn=None):
    """Stores a document without IAM's checks, so that tests can use documents that IAM would refuse."""
    if policy_arn:
        policy = backend.get_policy(policy_arn)
        next(v for v in policy.versions if v.is_default).document = document
    elif policy_name:
        backend.get_role(role).policies[policy_name] = document
    else:
        backend.get_role(role).assume_role_policy_document = document


def extend_moto():
    """Extends and corrects moto's IAM."""
    encode = IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER["GetRolePolicyResponse.PolicyDocument"]
    IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER |= dict.fromkeys(ENCODED, encode)
    for operation in (
        list_roles,
        list_role_policies,
        list_attached_role_policies,
        list_instance_profiles,
        list_instance_profiles_for_role,
        list_entities_for_policy,
        get_account_authorization_details,
    ):
        setattr(IamResponse, operation.__name__, operation)
    IAMBackend.create_role = _with_stable_role_id(IAMBackend.create_role)
    IAMBackend.create_policy = _with_stable_policy_id(IAMBackend.create_policy)
