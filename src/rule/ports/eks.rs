//! EKS of one account in every region, as a trait and plain types.

use std::fmt;

use crate::policy::TrustPolicy;
use crate::rule::ports::error::PortError;

/// A cluster, unique in its account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId {
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
}

/// `shop, us-east-1`.
impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.region)
    }
}

/// How EKS uses a role: for nodes, or for pods if the rule evaluates those too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// A managed node group, by its name.
    NodeGroup(String),
    /// EKS Auto Mode (`computeConfig.nodeRoleArn`).
    AutoMode,
    /// A Fargate profile, by its name: the role is its pod execution role.
    FargateProfile(String),
    /// An access entry of a type that nodes have (`EC2_LINUX` …), by that type.
    AccessEntry(String),
    /// A tag on the role that names a cluster, by its key: self-managed nodes.
    RoleTag(String),
    /// An AWS managed policy for nodes that is attached to the role, by its name: self-managed nodes.
    WorkerPolicy(String),
    /// A tag on an instance profile that names a cluster, by the profile's name and the tag's key: self-managed nodes.
    ProfileTag(String, String),
    /// The rule's parameter `NodeRoles`.
    Parameter,
    /// An EKS Pod Identity association: the role of pods.
    PodIdentity {
        /// `namespace/service-account`, unique in the cluster.
        pods: String,
        /// The policy that limits the role's sessions, if the association has one for this role.
        session_policy: Option<SessionPolicy>,
    },
    /// An add-on, by its name: the role of its pods.
    Addon(String),
    /// The cluster's OIDC provider in the trust policy: the role of a service account.
    ServiceAccount,
}

/// The policy of an EKS Pod Identity association
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_PodIdentityAssociation.html>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionPolicy {
    /// The association's ARN.
    pub association_arn: String,
    /// The policy document.
    pub document: String,
}

impl NodeKind {
    /// Whether the role is one of pods.
    pub fn of_pods(&self) -> bool {
        matches!(self, Self::PodIdentity { .. } | Self::Addon(_) | Self::ServiceAccount)
    }

    /// The policy that limits the sessions of this use of the role. No other use has one.
    pub fn session_policy(&self) -> Option<&SessionPolicy> {
        match self {
            Self::PodIdentity { session_policy, .. } => session_policy.as_ref(),
            _ => None,
        }
    }

    /// Whether the trust policy shows that no such node or pod can use the role.
    pub fn ruled_out_by(&self, trust_policy: &TrustPolicy) -> bool {
        match self {
            Self::Parameter => false,
            _ if self.of_pods() => trust_policy.rules_out_pods(),
            _ => trust_policy.rules_out_nodes(),
        }
    }
}

/// A cluster, as EKS describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRecord {
    /// The role of the nodes that EKS Auto Mode starts.
    pub auto_mode_role: Option<String>,
    /// How nodes authenticate to the cluster.
    pub authentication: Authentication,
    /// The URL of the OIDC issuer that signs the tokens of its service accounts.
    pub oidc_issuer: Option<String>,
}

/// A cluster's authentication mode
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessConfigResponse.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// `API`: a node needs an access entry.
    AccessEntries,
    /// `API_AND_CONFIG_MAP`, or no mode in the response: an access entry, or a line in `aws-auth`.
    Either,
    /// `CONFIG_MAP`: a line in `aws-auth`; access entries are not supported.
    ConfigMap,
}

/// The kinds of parts of a cluster that name roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// Managed node groups.
    NodeGroups,
    /// Fargate profiles.
    FargateProfiles,
    /// Access entries, by the ARN of their principal.
    AccessEntries,
    /// EKS Pod Identity associations, by their id.
    PodIdentityAssociations,
    /// Add-ons.
    Addons,
}

/// A cluster's use of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleUse {
    /// The role's ARN. Access entries can name principals that are not roles.
    pub role_arn: String,
    /// How the cluster uses it.
    pub kind: NodeKind,
}

/// EKS of one account, in every region.
pub trait Eks {
    /// The regions that are enabled in the account.
    fn regions(&self) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// The names of a region's clusters. The error is of the kind
    /// [`RegionClosed`](super::error::PortErrorKind::RegionClosed) if the region does not accept the credentials.
    fn clusters(&self, region: &str) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// A cluster; `None` if it is gone.
    fn cluster(&self, cluster: &ClusterId) -> impl Future<Output = Result<Option<ClusterRecord>, PortError>> + Send;

    /// The names or ids of the cluster's parts of that kind; none if the cluster is gone or cannot have such parts.
    fn parts(&self, cluster: &ClusterId, kind: PartKind)
    -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// The roles of nodes or pods that a part names; none if the part is gone.
    fn roles_of_part(
        &self,
        cluster: &ClusterId,
        kind: PartKind,
        part: &str,
    ) -> impl Future<Output = Result<Vec<RoleUse>, PortError>> + Send;
}
