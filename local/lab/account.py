"""The account of the demo and the tests: four clusters in two regions, their roles, and the expected verdicts.

Each role has one sentence that explains its verdict. `seed.py` creates the account in the stand-in, `events.py` writes
the events that AWS Config would send about it, and `tests/local` checks every verdict.
"""

from dataclasses import dataclass, field

from local.identifiers import ACCOUNT, REGION, issuer, unique_id

COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE = "COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"

WORKER = ("AmazonEKSWorkerNodePolicy",)
PULL_ACTIONS = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
]
READ_ACTIONS = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGet*", "ecr:Describe*", "ecr:Get*", "ecr:List*"]


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action, resource="*", sid=None, **more):
    return {**({"Sid": sid} if sid else {}), "Effect": "Allow", "Action": action, "Resource": resource, **more}


def repository(name):
    return f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{name}"


def trusted_by(*services):
    return document({"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"})


def trusted_by_service_account(region, cluster, service_account):
    """The trust policy of a pod's role that signs in with the cluster's OIDC provider (IRSA)."""
    provider = issuer(region, cluster).removeprefix("https://")
    condition = {
        "StringEquals": {
            f"{provider}:sub": f"system:serviceaccount:{service_account}",
            f"{provider}:aud": "sts.amazonaws.com",
        }
    }
    federated = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{provider}"}
    return document(
        {"Effect": "Allow", "Principal": federated, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}
    )


# The trust policy of a role for principals of the account, for example a person or a function.
ACCOUNT_TRUST = document(
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
)
EC2 = trusted_by("ec2.amazonaws.com")
POD = document(
    {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
)


@dataclass(frozen=True)
class Policy:
    """A customer managed policy with its versions in order. The last version is the default."""

    name: str
    versions: tuple

    @property
    def arn(self):
        return f"arn:aws:iam::{ACCOUNT}:policy/{self.name}"

    @property
    def id(self):
        return unique_id("ANPA", self.name)


@dataclass(frozen=True)
class Role:
    """A role, the node it is for (empty: none), the expected verdict and the reason.

    `instance_profile` holds the tags of the instance profile with the role's name. None means no instance profile.
    """

    name: str
    node: str
    verdict: str
    because: str
    managed: tuple = ()
    inline: dict = field(default_factory=dict)
    boundary: str | None = None
    trust: dict = field(default_factory=lambda: EC2)
    path: str = "/"
    tags: dict = field(default_factory=dict)
    instance_profile: dict | None = None

    @property
    def arn(self):
        return f"arn:aws:iam::{ACCOUNT}:role{self.path}{self.name}"

    @property
    def id(self):
        return unique_id("AROA", self.name)


POLICIES = (
    Policy(
        "node-boundary",
        (
            document(
                allow(["ec2:Describe*", "eks:DescribeCluster", "logs:*"], sid="Nodes"),
                allow(PULL_ACTIONS, sid="PullImages"),
            ),
        ),
    ),
    Policy(
        "image-cache",
        (
            document(allow([*PULL_ACTIONS, "ecr:PutImage"], sid="FillCache")),
            document(allow(PULL_ACTIONS, sid="ReadCache")),
        ),
    ),
    Policy(
        "all-but-iam",
        (
            document(
                {"Sid": "AllButIam", "Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"}
            ),
        ),
    ),
)

ROLES = (
    Role(
        "shop-web-node",
        "shop: node group web",
        COMPLIANT,
        "the policies that AWS recommends today only pull images",
        managed=(*WORKER, "AmazonEC2ContainerRegistryPullOnly"),
        tags={"team": "storefront"},
    ),
    Role(
        "shop-search-node",
        "shop: node group search",
        COMPLIANT,
        "AmazonEC2ContainerRegistryReadOnly only reads and lists",
        managed=(*WORKER, "AmazonEC2ContainerRegistryReadOnly"),
    ),
    Role(
        "shop-build-node",
        "shop: node group build",
        NON_COMPLIANT,
        "AmazonEC2ContainerRegistryPowerUser can push images",
        managed=(*WORKER, "AmazonEC2ContainerRegistryPowerUser"),
    ),
    Role(
        "shop-media-node",
        "shop: node group media",
        COMPLIANT,
        "a Deny of everything but reading limits ecr:*",
        managed=(*WORKER,),
        inline={
            "registry": document(
                allow("ecr:*", sid="Registry"),
                {"Sid": "ReadOnly", "Effect": "Deny", "NotAction": READ_ACTIONS, "Resource": "*"},
            )
        },
    ),
    Role(
        "shop-cache-node",
        "shop: node group cache",
        COMPLIANT,
        "only an old version of the policy can push, and old versions have no effect",
        managed=(*WORKER, "image-cache"),
    ),
    Role(
        "shop-gateway-node",
        "shop: node group gateway",
        NON_COMPLIANT,
        "an inline policy can create repositories; the role's path has no effect",
        managed=(*WORKER, "AmazonEC2ContainerRegistryReadOnly"),
        inline={
            "team-repositories": document(
                allow("ecr:CreateRepository", repository("gateway/*"), sid="TeamRepositories")
            )
        },
        path="/teams/platform/",
    ),
    Role(
        "shop-jobs-pod-execution",
        "shop: Fargate profile jobs",
        COMPLIANT,
        "a pod execution role pulls images with the AWS managed policy",
        managed=("AmazonEKSFargatePodExecutionRolePolicy",),
        trust=trusted_by("eks-fargate-pods.amazonaws.com"),
    ),
    Role(
        "payments-auto-node",
        "payments: Auto Mode",
        COMPLIANT,
        "the policies that AWS recommends for Auto Mode only pull images",
        managed=("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"),
    ),
    Role(
        "payments-ledger-node",
        "payments: access entry EC2_LINUX",
        COMPLIANT,
        "the role only pulls, and its permissions boundary allows that",
        managed=(*WORKER, "AmazonEC2ContainerRegistryPullOnly"),
        boundary="node-boundary",
    ),
    Role(
        "payments-fraud-node",
        "payments: access entry EC2",
        COMPLIANT,
        "the permissions boundary limits ecr:* to pulling",
        managed=(*WORKER,),
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        boundary="node-boundary",
    ),
    Role(
        "payments-branch-node",
        "payments: access entry HYBRID_LINUX",
        COMPLIANT,
        "a hybrid node signs in through Systems Manager and only pulls",
        managed=("AmazonSSMManagedInstanceCore", "AmazonEC2ContainerRegistryPullOnly"),
        trust=trusted_by("ssm.amazonaws.com"),
    ),
    Role(
        "batch-worker-node",
        "batch: node group workers",
        NON_COMPLIANT,
        "ecr:* on one repository is more than reading",
        managed=(*WORKER, "AmazonEC2ContainerRegistryPullOnly"),
        inline={"own-repository": document(allow("ecr:*", repository("batch/results"), sid="OwnRepository"))},
    ),
    Role(
        "batch-report-node",
        "batch: node group reports",
        NON_COMPLIANT,
        "a Deny on one repository leaves the others writable",
        managed=(*WORKER,),
        inline={
            "registry": document(
                allow("ecr:*", sid="Registry"),
                {
                    "Sid": "KeepBaseImages",
                    "Effect": "Deny",
                    "NotAction": READ_ACTIONS,
                    "Resource": repository("base-images"),
                },
            )
        },
    ),
    Role(
        "batch-import-node",
        "batch: node group imports",
        NON_COMPLIANT,
        "NotAction with actions of other services allows every ECR action",
        managed=(*WORKER, "all-but-iam"),
    ),
    Role(
        "shop-legacy-node",
        "shop: self-managed, tag of the instance profile",
        NON_COMPLIANT,
        "a self-managed node, found by the cluster's tag on the instance profile",
        managed=("AmazonEKS_CNI_Policy",),
        inline={"registry": document(allow(["ecr:BatchGetImage", "ecr:PutImage"], sid="Mirror"))},
        instance_profile={"kubernetes.io/cluster/shop": "owned"},
    ),
    Role(
        "batch-spot-node",
        "batch: self-managed, tag of the role",
        COMPLIANT,
        "a self-managed node that only pulls",
        managed=(*WORKER, "AmazonEC2ContainerRegistryPullOnly"),
        tags={"alpha.eksctl.io/cluster-name": "batch"},
        instance_profile={},
    ),
    Role(
        "batch-karpenter-node",
        "batch: Karpenter, worker policy",
        NON_COMPLIANT,
        "a Karpenter node, found by AmazonEKSWorkerNodePolicy; it can delete images",
        managed=(*WORKER, "AmazonEC2ContainerRegistryReadOnly"),
        inline={"cleanup": document(allow("ecr:BatchDeleteImage", sid="Cleanup"))},
        instance_profile={"karpenter.k8s.aws/ec2nodeclass": "default"},
    ),
    Role(
        "payments-training-node",
        "payments: access entry HYPERPOD_LINUX",
        NON_COMPLIANT,
        "AmazonSageMakerFullAccess on a HyperPod node can create repositories and push",
        managed=("AmazonSageMakerFullAccess",),
        trust=trusted_by("sagemaker.amazonaws.com"),
    ),
    Role(
        "media-encode-node",
        "media: node group encode",
        NON_COMPLIANT,
        "a cluster in another region counts too",
        managed=(*WORKER, "AmazonEC2ContainerRegistryFullAccess"),
    ),
    Role(
        "payments-former-node",
        "",
        NOT_APPLICABLE,
        "the tag names a cluster that accepts nodes only by access entry, and the role has none",
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        tags={"kubernetes.io/cluster/payments": "owned"},
        instance_profile={},
    ),
    Role(
        "shop-cart-pod",
        "",
        NOT_APPLICABLE,
        "a pod role by EKS Pod Identity is not a node role",
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        trust=POD,
    ),
    Role(
        "batch-builder-pod",
        "",
        NOT_APPLICABLE,
        "a pod role by the cluster's OIDC provider is not a node role",
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        trust=trusted_by_service_account(REGION, "batch", "builds:builder"),
    ),
    Role(
        "thumbnail-function",
        "",
        NOT_APPLICABLE,
        "a role for AWS Lambda cannot be a node role",
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        trust=trusted_by("lambda.amazonaws.com"),
        path="/service-role/",
    ),
    Role(
        "ci-runner",
        "",
        NOT_APPLICABLE,
        "no cluster uses this EC2 role",
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        instance_profile={},
    ),
    Role(
        "support-engineer",
        "",
        NOT_APPLICABLE,
        "an access entry of type STANDARD is for a person, not a node",
        inline={"registry": document(allow("ecr:*", sid="Registry"))},
        trust=ACCOUNT_TRUST,
    ),
)


@dataclass(frozen=True)
class Cluster:
    """A cluster, and the roles of its nodes and pods by the EKS resource that names them."""

    name: str
    mode: str
    node_groups: dict = field(default_factory=dict)
    fargate_profiles: dict = field(default_factory=dict)
    access_entries: dict = field(default_factory=dict)
    auto_mode: str | None = None
    pod_identities: dict = field(default_factory=dict)
    addons: dict = field(default_factory=dict)
    region: str = REGION


CLUSTERS = (
    Cluster(
        "payments",
        "API",
        auto_mode="payments-auto-node",
        access_entries={
            "payments-ledger-node": "EC2_LINUX",
            "payments-fraud-node": "EC2",
            "payments-branch-node": "HYBRID_LINUX",
            "payments-training-node": "HYPERPOD_LINUX",
            "support-engineer": "STANDARD",
        },
    ),
    Cluster(
        "shop",
        "API_AND_CONFIG_MAP",
        node_groups={group: f"shop-{group}-node" for group in ("web", "search", "build", "media", "cache", "gateway")},
        fargate_profiles={"jobs": "shop-jobs-pod-execution"},
        pod_identities={"cart:cart": "shop-cart-pod"},
    ),
    Cluster(
        "batch",
        "CONFIG_MAP",
        node_groups={"workers": "batch-worker-node", "reports": "batch-report-node", "imports": "batch-import-node"},
        addons={"vpc-cni": "batch-builder-pod"},
    ),
    Cluster("media", "API", node_groups={"encode": "media-encode-node"}, region="eu-west-1"),
)


def role(name):
    return next(r for r in ROLES if r.name == name)


def policy(name):
    return next(p for p in POLICIES if p.name == name)
