"""Adds to moto's EKS what identifies pod roles: Pod Identity associations and add-ons.

Each cluster stores them in `pod_identity_associations`, by id, and in `addons`, by name.
"""

import hashlib
import json

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks.responses import EKSResponse

from local.standin import pages
from local.standin.eks import named_cluster

DEFAULT_PAGE = 100

# The members of an association that UpdatePodIdentityAssociation can change.
CHANGEABLE = ("roleArn", "targetRoleArn", "disableSessionTags", "policy")


def create_pod_identity_association(self):
    cluster = named_cluster(self)
    requested = {name: self.params.get(name) for name in ("namespace", "serviceAccount", "tags", *CHANGEABLE)}
    _check_session_policy(requested)
    for stored in cluster.pod_identity_associations.values():
        if all(stored[key] == requested[key] for key in ("namespace", "serviceAccount")):
            raise pages.AwsError("ResourceInUseException", f"Association already exists: {stored['associationId']}")
    return ActionResult({"association": put_association(self.eks_backend, cluster, **requested)})


def _check_session_policy(association):
    """A session policy is JSON. It goes only with `disableSessionTags`, as the page of the operation says."""
    policy = association["policy"]
    if not policy:
        return
    if not association["disableSessionTags"]:
        raise pages.AwsError("InvalidParameterException", "disableSessionTags must be true if there is a policy.")
    try:
        json.loads(policy)
    except ValueError as error:
        raise pages.AwsError("InvalidParameterException", f"The policy is not valid JSON: {error}") from error


def put_association(
    backend,
    cluster,
    namespace,
    serviceAccount,
    roleArn,
    targetRoleArn=None,
    disableSessionTags=None,
    policy=None,
    tags=None,
    ownerArn=None,
):
    digest = hashlib.sha256(f"{cluster.name}/{namespace}/{serviceAccount}".encode()).hexdigest()
    identity = f"a-{digest[:17]}"
    place = f"arn:{backend.partition}:eks:{backend.region_name}:{backend.account_id}"
    arn = f"{place}:podidentityassociation/{cluster.name}/{identity}"
    association = {
        "clusterName": cluster.name,
        "namespace": namespace,
        "serviceAccount": serviceAccount,
        "roleArn": roleArn,
        "targetRoleArn": targetRoleArn,
        "disableSessionTags": bool(disableSessionTags),
        "policy": policy,
        "associationArn": arn,
        "associationId": identity,
        "tags": tags or {},
        "createdAt": utcnow(),
        "modifiedAt": utcnow(),
        "ownerArn": ownerArn,
    }
    cluster.pod_identity_associations[identity] = association
    return association


def list_pod_identity_associations(self):
    associations = named_cluster(self).pod_identity_associations
    namespace, service_account = self.params.get("namespace"), self.params.get("serviceAccount")
    found, token = _page(self, [
        associations[identity]
        for identity in sorted(associations)
        if namespace in (None, associations[identity]["namespace"])
        and service_account in (None, associations[identity]["serviceAccount"])
    ])  # fmt: skip
    # The summary has neither role nor policy in the model. Only DescribePodIdentityAssociation returns them.
    return ActionResult({"associations": found, "nextToken": token})


def describe_pod_identity_association(self):
    return ActionResult(
        {"association": _find(named_cluster(self).pod_identity_associations, self.params["associationId"])}
    )


def update_pod_identity_association(self):
    association = _find(named_cluster(self).pod_identity_associations, self.params["associationId"])
    changes = {name: self.params[name] for name in CHANGEABLE if name in self.params}
    _check_session_policy({**association, **changes})
    association.update(changes, modifiedAt=utcnow())
    return ActionResult({"association": association})


def delete_pod_identity_association(self):
    associations = named_cluster(self).pod_identity_associations
    return ActionResult(
        {"association": associations.pop(_find(associations, self.params["associationId"])["associationId"])}
    )


def create_addon(self):
    cluster, name = named_cluster(self), self.params["addonName"]
    if name in cluster.addons:
        raise pages.AwsError("ResourceInUseException", "Addon already exists.")
    return ActionResult({"addon": put_addon(self.eks_backend, cluster, **self.params)})


def put_addon(backend, cluster, addonName, serviceAccountRoleArn=None, podIdentityAssociations=(), **_more):
    """Creates an add-on. Its Pod Identity associations are associations of the cluster; the add-on lists their ARNs."""
    arn = f"arn:{backend.partition}:eks:{backend.region_name}:{backend.account_id}:addon/{cluster.name}/{addonName}"
    associations = [
        put_association(backend, cluster, "kube-system", each["serviceAccount"], each["roleArn"], ownerArn=arn)
        for each in podIdentityAssociations
    ]
    cluster.addons[addonName] = {
        "addonName": addonName,
        "clusterName": cluster.name,
        "status": "ACTIVE",
        "addonVersion": "v1.0.0-eksbuild.1",
        "addonArn": arn,
        "createdAt": utcnow(),
        "modifiedAt": utcnow(),
        "serviceAccountRoleArn": serviceAccountRoleArn,
        "podIdentityAssociations": [association["associationArn"] for association in associations],
    }
    return cluster.addons[addonName]


def list_addons(self):
    names, token = _page(self, sorted(named_cluster(self).addons))
    return ActionResult({"addons": names, "nextToken": token})


def describe_addon(self):
    return ActionResult({"addon": _find(named_cluster(self).addons, self.params["addonName"])})


def _page(self, items):
    return pages.page(
        items, self.params.get("nextToken"), self.params.get("maxResults") or DEFAULT_PAGE, "InvalidParameterException"
    )


def _find(collection, name):
    if name not in collection:
        raise pages.AwsError("ResourceNotFoundException", f"No {name} found.")
    return collection[name]


def extend_moto():
    """Adds the operations to moto's EKS."""
    for operation in (
        create_pod_identity_association,
        list_pod_identity_associations,
        describe_pod_identity_association,
        update_pod_identity_association,
        delete_pod_identity_association,
        create_addon,
        list_addons,
        describe_addon,
    ):
        setattr(EKSResponse, operation.__name__, operation)
