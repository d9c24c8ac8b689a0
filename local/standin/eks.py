"""What moto's EKS lacks of the facts that show a node's role: access entries, Auto Mode, the authentication mode.

As EKS does, a cluster whose authentication mode has access entries gets one for the role of each managed node
group, Fargate profile and Auto Mode configuration, without being asked.
"""

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.eks import models, urls
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse

from local.identifiers import issuer
from local.standin import pages

DEFAULT_PAGE = 100
# The model leaves the type a free string; the API reference of CreateAccessEntry names these.
ENTRY_TYPES = ("STANDARD", "EC2_LINUX", "EC2_WINDOWS", "EC2", "FARGATE_LINUX", "HYBRID_LINUX", "HYPERPOD_LINUX")


def complete():
    """Adds the operations to moto's EKS."""
    # One route for everything: the SDK's model knows which operation a path is, and one that is missing says so.
    urls.url_paths.clear()
    urls.url_paths["{0}/(?P<path>.+)$"] = EKSResponse.dispatch
    models.paginated_list = lambda items, size, token: pages.page(
        sorted(items), token, size, "InvalidParameterException"
    )
    for operation in (create_access_entry, list_access_entries, describe_access_entry, delete_access_entry):
        setattr(EKSResponse, operation.__name__, operation)
    for name, then in (
        ("create_cluster", _keep_modes),
        ("create_nodegroup", lambda self: _grant(self, self.params["nodeRole"], "EC2_LINUX")),
        ("create_fargate_profile", lambda self: _grant(self, self.params["podExecutionRoleArn"], "FARGATE_LINUX")),
    ):
        setattr(EKSResponse, name, _followed_by(getattr(EKSResponse, name), then))
    for name in ("list_nodegroups", "list_fargate_profiles"):
        setattr(EKSResponse, name, _of_a_cluster(getattr(EKSResponse, name)))


def _of_a_cluster(original):
    """moto answers HTTP 500 to these two about a cluster that does not exist."""

    def ask(self):
        named_cluster(self)
        return original(self)

    return ask


def _followed_by(original, then):
    def both(self):
        answer = original(self)
        then(self)
        return answer

    return both


def _keep_modes(self):
    backend, cluster = self.eks_backend, self.eks_backend.clusters[self.params["name"]]
    set_modes(backend, cluster, self.params.get("accessConfig", {}), self.params.get("computeConfig"))


def set_modes(backend, cluster, access, compute=None):
    """Gives a new cluster what moto drops."""
    # CONFIG_MAP is what CreateCluster chooses when nothing is said (CreateAccessConfigRequest, API reference).
    cluster.access_config = {
        "authenticationMode": access.get("authenticationMode", "CONFIG_MAP"),
        "bootstrapClusterCreatorAdminPermissions": access.get("bootstrapClusterCreatorAdminPermissions", True),
    }
    cluster.access_entries, cluster.pod_identity_associations, cluster.addons = {}, {}, {}
    # Derived, where AWS draws it at random, so that the trust policies of pods' roles can name it.
    cluster.identity = {"oidc": {"issuer": issuer(backend.region_name, cluster.name)}}
    if compute:
        cluster.compute_config = compute
        if compute.get("enabled") and compute.get("nodeRoleArn"):
            grant(backend, cluster, compute["nodeRoleArn"], "EC2")


def _grant(self, role_arn, kind):
    cluster = self.eks_backend.clusters[self.uri_match.get("name") or self.uri_match.get("clusterName")]
    grant(self.eks_backend, cluster, role_arn, kind)


def grant(backend, cluster, role_arn, kind):
    """The access entry that EKS makes by itself, where there can be one and there is none."""
    if _has_entries(cluster) and role_arn not in cluster.access_entries:
        _put_entry(backend, cluster, role_arn, kind, {})


def create_access_entry(self):
    cluster = _cluster_with_entries(self)
    principal, kind = self.params["principalArn"], self.params.get("type", "STANDARD")
    if kind not in ENTRY_TYPES:
        raise pages.Refusal("InvalidParameterException", f"The type {kind} is not one of {', '.join(ENTRY_TYPES)}.")
    if principal in cluster.access_entries:
        raise pages.Refusal(
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
        raise pages.Refusal(
            "ResourceNotFoundException", f"The specified principalArn could not be found: {principal}."
        ) from None


def named_cluster(self):
    """The cluster that a call is about."""
    cluster = self.eks_backend.clusters.get(self.params["clusterName"])
    if cluster is None:
        raise pages.Refusal("ResourceNotFoundException", f"No cluster found for name: {self.params['clusterName']}.")
    return cluster


def _cluster_with_entries(self):
    cluster = named_cluster(self)
    if not _has_entries(cluster):
        raise pages.Refusal(
            "InvalidRequestException",
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
        )
    return cluster


def _has_entries(cluster):
    return cluster.access_config["authenticationMode"] != "CONFIG_MAP"


def _put_entry(backend: EKSBackend, cluster, principal, kind, request):
    owner, name = principal.split(":")[4], principal.rsplit("/", 1)[-1]
    arn = f"arn:{backend.partition}:eks:{backend.region_name}:{backend.account_id}:access-entry/{cluster.name}/role/{owner}/{name}"
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
