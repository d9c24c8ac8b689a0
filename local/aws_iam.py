"""What moto's IAM lacks: pages, boundaries in ListEntitiesForPolicy, ids that stay the same, encoded documents."""

import pages
from account import unique_id
from moto.core.responses import ActionResult
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

DEFAULT_PAGE = 100


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


def list_entities_for_policy(self):
    """Roles, users and groups that use a policy; `PolicyUsageFilter` tells attachments from boundaries."""
    self.backend.get_policy(self.params["PolicyArn"])
    arn, usage = self.params["PolicyArn"], self.params.get("PolicyUsageFilter")
    prefix, kind = self.params.get("PathPrefix", "/"), self.params.get("EntityFilter")

    def uses(entity):
        attached = usage != "PermissionsBoundary" and arn in entity.managed_policies
        boundary = usage != "PermissionsPolicy" and arn == getattr(entity, "permissions_boundary_arn", None)
        return entity.path.startswith(prefix) and (attached or boundary)

    held = {
        "Group": self.backend.groups.values(),
        "Role": self.backend.roles.values(),
        "User": self.backend.users.values(),
    }
    users = [(k, e) for k, entities in held.items() if kind in (None, k) for e in entities if uses(e)]
    found, marker = _page(self, users)
    result = {
        f"Policy{k}s": [{f"{k}Name": e.name, f"{k}Id": e.id} for kind_, e in found if kind_ == k] for k in held
    }
    return ActionResult({**result, "IsTruncated": bool(marker), "Marker": marker})


def get_account_authorization_details(self):
    details = self.backend.get_account_authorization_details(self.params.get("Filter", []))
    lists = {
        "UserDetailList": details["users"],
        "GroupDetailList": details["groups"],
        "RoleDetailList": details["roles"],
        "Policies": [p for p in details["managed_policies"] if p.attachment_count or "::aws:policy/" not in p.arn],
    }
    found, marker = _page(self, [(name, entity) for name, entities in lists.items() for entity in entities])
    result = {name: [e for n, e in found if n == name] for name in lists}
    return ActionResult({**result, "IsTruncated": bool(marker), "Marker": marker})


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


def plant(backend, document, role=None, policy_name=None, policy_arn=None):
    """Puts a document past IAM's checks, so that tests can show what a reader does with one that IAM would refuse."""
    if policy_arn:
        policy = backend.get_policy(policy_arn)
        next(v for v in policy.versions if v.is_default).document = document
    elif policy_name:
        backend.get_role(role).policies[policy_name] = document
    else:
        backend.get_role(role).assume_role_policy_document = document


def complete():
    """Adds to and corrects moto's IAM."""
    encode = IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER["GetRolePolicyResponse.PolicyDocument"]
    IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER["GetPolicyVersionResponse.PolicyVersion.Document"] = encode
    for operation in (list_role_policies, list_attached_role_policies, list_entities_for_policy, get_account_authorization_details):
        setattr(IamResponse, operation.__name__, operation)
    IAMBackend.create_role = _with_stable_role_id(IAMBackend.create_role)
    IAMBackend.create_policy = _with_stable_policy_id(IAMBackend.create_policy)
