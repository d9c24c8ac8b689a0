"""Adds to moto's EKS what identifies node roles: access entries, Auto Mode and the authentication mode.

If a cluster's authentication mode supports access entries, EKS creates one for the role of each managed node group,
each Fargate profile and the Auto Mode configuration. This module does the same.
"""

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks import models, urls
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse

from local.identifiers import issuer
from local.standin import pages

DEFAULT_PAGE = 100
# The model allows any string. These are the types in the API reference of CreateAccessEntry.
ENTRY_TYPES = ("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "EC2", "FARGATE_LINUX", "HYBRID_LINUX", "HYPERPOD_LINUX")


def extend_moto():
    """Adds the operations to moto's EKS."""
    # One route for everything: the SDK's model maps each path to its operation, and a missing operation is an error.
    urls.url_paths.clear()
    urls.url_paths["{0}/(?P<path>.+)$"] = EKSResponse.dispatch
    models.paginated_list = lambda items, size, token: pages.page(
        sorted(items), token, size, "InvalidParameterException"
    )
    for operation in (create_access_entry, list_access_entries, describe_access_entry, delete_access_entry):
        setattr(EKSResponse, operation.__name__, operation)
    for name, then in (
        ("create_cluster", _save_modes),
        ("create_nodegroup", lambda self: _add_automatic_entry(self, self.params["nodeRole"], "EC2_LINUX")),
        (
            "create_fargate_profile",
            lambda self: _add_automatic_entry(self, self.params["podExecutionRoleArn"], "FARGATE_LINUX"),
        ),
    ):
        setattr(EKSResponse, name, _followed_by(getattr(EKSResponse, name), then))
    for name in ("list_nodegroups", "list_fargate_profiles"):
        setattr(EKSResponse, name, _if_cluster_exists(getattr(EKSResponse, name)))


def _if_cluster_exists(original):
    """moto answers HTTP 500 for a cluster that does not exist."""

    def call(self):
        named_cluster(self)
        return original(self)

    return call


def _followed_by(original, then):
    def both(self):
        answer = original(self)
        then(self)
        return answer

    return both


def _save_modes(self):
    backend, cluster = self.eks_backend, self.eks_backend.clusters[self.params["name"]]
    set_modes(backend, cluster, self.params.get("accessConfig", {}), self.params.get("computeConfig"))


def set_modes(backend, cluster, access, compute=None):
    """Sets the properties of a new cluster that moto ignores."""
    # CONFIG_MAP is the default of CreateCluster (CreateAccessConfigRequest, API reference).
    cluster.access_config = {
        "authenticationMode": access.get("authenticationMode", "CONFIG_MAP"),
        "bootstrapClusterCreatorAdminPermissions": access.get("bootstrapClusterCreatorAdminPermissions", True),
    }
    cluster.access_entries, cluster.pod_identity_associations, cluster.addons = {}, {}, {}
    # AWS draws the issuer at random. Here it is derived from the name, so that trust policies of pod roles can name it.
    cluster.identity = {"oidc": {"issuer": issuer(backend.region_name, cluster.name)}}
    if compute:
        cluster.compute_config = compute
        if compute.get("enabled") and compute.get("nodeRoleArn"):
            add_automatic_entry(backend, cluster, compute["nodeRoleArn"], "EC2")


def _add_automatic_entry(self, role_arn, kind):
    cluster = self.eks_backend.clusters[self.uri_match.get("name") or self.uri_match.get("clusterName")]
    add_automatic_entry(self.eks_backend, cluster, role_arn, kind)


def add_automatic_entry(backend, cluster, role_arn, kind):
    """Adds the access entry that EKS creates without a request, if the cluster supports entries and has none."""
    if _has_entries(cluster) and role_arn not in cluster.access_entries:
        _put_entry(backend, cluster, role_arn, kind, {})


def create_access_entry(self):
    cluster = _cluster_with_entries(self)
    principal, kind = self.params["principalArn"], self.params.get("type", "STANDARD")
    if kind not in ENTRY_TYPES:
        raise pages.AwsError("InvalidParameterException", f"The type {kind} is not one of {', '.join(ENTRY_TYPES)}.")
    if principal in cluster.access_entries:
        raise pages.AwsError(
            "ResourceInUseException", "The specified access entry resource is already in use on this cluster."
        )
    return ActionResult({"accessEntry": _put_entry(self.eks_backend, cluster, principal, kind, self.params)})


def list_access_entries(self):
    entries, token = pages.page(
        sorted(_cluster_with_entries(self).access_entries),
        self.params.get("nextToken"),
        self.params.get("maxResults") or DEFAULT_PAGE,
        "InvalidParameterException",
    )
    return ActionResult({"accessEntries": entries, "nextToken": token})


def describe_access_entry(self):
    return ActionResult({"accessEntry": _entry(self)})


def delete_access_entry(self):
    entry = _entry(self)
    del _cluster_with_entries(self).access_entries[entry["principalArn"]]
    return ActionResult({})


def _entry(self):
    principal = self.params["principalArn"]
    try:
        return _cluster_with_entries(self).access_entries[principal]
    except KeyError:
        raise pages.AwsError(
            "ResourceNotFoundException", f"The specified principalArn could not be found: {principal}."
        ) from None


def named_cluster(self):
    """The cluster that a request names. Raises AwsError if it does not exist."""
    cluster = self.eks_backend.clusters.get(self.params["clusterName"])
    if cluster is None:
        raise pages.AwsError("ResourceNotFoundException", f"No cluster found for name: {self.params['clusterName']}.")
    return cluster


def _cluster_with_entries(self):
    cluster = named_cluster(self)
    if not _has_entries(cluster):
        raise pages.AwsError(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] "
            "to perform this operation.",
        )
    return cluster


def _has_entries(cluster):
    return cluster.access_config["authenticationMode"] != "CONFIG_MAP"


def _put_entry(backend: EKSBackend, cluster, principal, kind, request):
    owner, name = principal.split(":")[4], principal.rsplit("/", 1)[-1]
    place = f"arn:{backend.partition}:eks:{backend.region_name}:{backend.account_id}"
    arn = f"{place}:access-entry/{cluster.name}/role/{owner}/{name}"
    if kind == "STANDARD":
        groups = request.get("kubernetesGroups", [])
        username = request.get("username", f"arn:aws:sts::{owner}:assumed-role/{name}/{{{{SessionName}}}}")
    else:
        groups, username = ["system:nodes"], "system:node:{{EC2PrivateDNSName}}"
    entry = {
        "clusterName": cluster.name,
        "principalArn": principal,
        "type": kind,
        "kubernetesGroups": groups,
        "username": username,
        "accessEntryArn": f"{arn}/{models.random.uuid4()}",
        "createdAt": utcnow(),
        "modifiedAt": utcnow(),
        "tags": request.get("tags", {}),
    }
    cluster.access_entries[principal] = entry
    return entry
