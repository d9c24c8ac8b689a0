//! What an evaluation asks of AWS, as traits: `crate::aws` answers them, and so do tests in memory.
//!
//! Knows the questions and the shape of their answers, in the words of AWS's own operations, one call,
//! one page or one paginated list to a method. Must not know how they are asked. "Gone" is an answer (`None`); whatever
//! else is not a full answer is an error, never an empty one.

use std::fmt;

use time::OffsetDateTime;

use super::event::ResultToken;
use super::finding::{FailedFinding, Finding, FindingSource};
use super::node_roles::{ClusterId, NodeKind};
use crate::access::Compliance;

/// A call to AWS that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {resource} failed: {cause}")]
pub struct PortError {
    operation: &'static str,
    resource: String,
    cause: String,
    kind: PortErrorKind,
}

/// What a failure means, where it means more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortErrorKind {
    /// Nothing more.
    #[default]
    Failed,
    /// The region does not know the caller: it is not enabled in the account, or the credentials are bad everywhere.
    RegionClosed,
    /// A policy denies the call explicitly, so that no permission helps: often an organisation's that closes regions.
    ExplicitlyDenied,
    /// AWS understood the request and does not take what it says.
    NotAccepted,
    /// The service is not enabled in the account and region.
    NotEnabled,
    /// AWS kept answering that it was asked too often.
    Throttled,
}

impl PortError {
    /// `operation` as IAM policies spell it (`iam:GetRole`), the resource asked about, and the cause: AWS's error
    /// code, message and request id, or what went wrong on the way. Never a secret, never a policy document.
    pub fn new(operation: &'static str, resource: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { operation, resource: resource.into(), cause: cause.into(), kind: PortErrorKind::Failed }
    }

    /// The same error, with what it means.
    #[must_use]
    pub fn of_kind(self, kind: PortErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// What the failure means.
    pub fn kind(&self) -> PortErrorKind {
        self.kind
    }

    /// The same error without a secret, should AWS or something on the way to it have repeated that.
    #[must_use]
    pub fn redact(mut self, secret: &str) -> Self {
        self.cause = self.cause.replace(secret, "[redacted]");
        self
    }

    /// The operation, as IAM policies spell it.
    pub fn operation(&self) -> &'static str {
        self.operation
    }
}

/// A role as IAM's GetRole tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRecord {
    /// The role's name, as IAM spells it.
    pub name: String,
    /// The ARN, path included.
    pub arn: String,
    /// The unique id, `AROA…`.
    pub id: String,
    /// The trust policy's text, percent-encoded or plain.
    pub trust_policy: String,
    /// The tags, keys and values.
    pub tags: Vec<(String, String)>,
    /// The ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
}

/// An instance profile that holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// Its tags, keys and values; `None` where the answer did not tell them.
    pub tags: Option<Vec<(String, String)>>,
}

/// A role as IAM's lists tell it: without tags and boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRole {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The trust policy's text, percent-encoded or plain, where the list tells it.
    pub trust_policy: Option<String>,
}

/// A role with all that bears on its permissions but the documents of managed policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDetails {
    /// The role.
    pub record: RoleRecord,
    /// Its inline policies: names and documents.
    pub inline: Vec<(String, String)>,
    /// The ARNs of the managed policies attached to it.
    pub attached: Vec<String>,
    /// The instance profiles that hold it.
    pub instance_profiles: Vec<InstanceProfile>,
}

/// Which policy an ARN names now, and which of its versions counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyVersion {
    /// The ARN.
    pub arn: String,
    /// The unique id, `ANPA…`: a policy that is deleted and made again has the same ARN and another id.
    pub policy_id: String,
    /// The id of the default version.
    pub version: String,
}

/// A managed policy's default version, with its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDetails {
    /// Which.
    pub version: PolicyVersion,
    /// The document.
    pub document: String,
}

/// A page of a list that is too long to be held whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to ask for the next one with; `None` on the last.
    pub next: Option<String>,
}

/// IAM of one account. Documents are texts as IAM stores them, percent-encoded or plain.
pub trait Iam {
    /// The role of that name; `None` if it is gone.
    fn role(&self, name: &str) -> impl Future<Output = Result<Option<RoleRecord>, PortError>> + Send;

    /// The names of the role's inline policies; `None` if the role is gone.
    fn inline_policies(&self, role: &str) -> impl Future<Output = Result<Option<Vec<String>>, PortError>> + Send;

    /// The document of an inline policy; `None` if it is gone.
    fn inline_policy(&self, role: &str, policy: &str)
    -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// The ARNs of the managed policies attached to the role; `None` if the role is gone.
    fn attached_policies(&self, role: &str) -> impl Future<Output = Result<Option<Vec<String>>, PortError>> + Send;

    /// The instance profiles that hold the role; `None` if the role is gone.
    fn instance_profiles(
        &self,
        role: &str,
    ) -> impl Future<Output = Result<Option<Vec<InstanceProfile>>, PortError>> + Send;

    /// The tags of an instance profile; `None` if it is gone.
    fn instance_profile_tags(
        &self,
        profile: &str,
    ) -> impl Future<Output = Result<Option<Vec<(String, String)>>, PortError>> + Send;

    /// A managed policy's default version; `None` if the policy is gone.
    fn default_version(
        &self,
        policy_arn: &str,
    ) -> impl Future<Output = Result<Option<PolicyVersion>, PortError>> + Send;

    /// The document of one version of a managed policy; `None` if it is gone.
    fn policy_version(
        &self,
        policy_arn: &str,
        version: &str,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// The names of the roles that a managed policy is attached to, as policy or as permissions boundary; one that has it
    /// as both may be named twice. None if the policy is gone.
    fn attached_roles(&self, policy_arn: &str) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// All roles of the account.
    fn roles(&self) -> impl Future<Output = Result<Vec<ListedRole>, PortError>> + Send;

    /// All instance profiles of the account that hold a role, each with its role, but without tags.
    fn roles_in_instance_profiles(
        &self,
    ) -> impl Future<Output = Result<Vec<(InstanceProfile, ListedRole)>, PortError>> + Send;

    /// A page of all roles of the account, in detail; the first without a marker.
    fn role_details(&self, marker: Option<&str>) -> impl Future<Output = Result<Page<RoleDetails>, PortError>> + Send;

    /// A page of the account's own managed policies; the first without a marker.
    fn policy_details(
        &self,
        marker: Option<&str>,
    ) -> impl Future<Output = Result<Page<PolicyDetails>, PortError>> + Send;
}

/// What a cluster says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRecord {
    /// The role of the nodes that EKS Auto Mode starts.
    pub auto_mode_role: Option<String>,
    /// How the cluster knows its nodes.
    pub authentication: Authentication,
    /// The URL of the OIDC issuer of its service accounts' tokens.
    pub oidc_issuer: Option<String>,
}

/// A cluster's authentication mode
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessConfigResponse.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// `API`: a node needs an access entry.
    AccessEntries,
    /// `API_AND_CONFIG_MAP`, or a mode that the cluster did not tell: an access entry, or a line in `aws-auth`.
    Either,
    /// `CONFIG_MAP`: a line in `aws-auth`; access entries are not supported.
    ConfigMap,
}

/// What clusters have many of, and what names roles.
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

/// A role's ARN, and how a cluster uses the role.
pub type RoleUse = (String, NodeKind);

/// EKS of one account, in every region.
pub trait Eks {
    /// The regions that are enabled in the account.
    fn regions(&self) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// The names of a region's clusters. [`PortErrorKind::RegionClosed`] where the region does not know the caller.
    fn clusters(&self, region: &str) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// What a cluster says of itself; `None` if it is gone.
    fn cluster(&self, cluster: &ClusterId) -> impl Future<Output = Result<Option<ClusterRecord>, PortError>> + Send;

    /// What the cluster has of that kind; nothing if the cluster is gone, or can have none.
    fn parts(&self, cluster: &ClusterId, kind: PartKind)
    -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// The roles that such a part names; none if it is gone, or names none that nodes or pods run under.
    fn roles_of_part(
        &self,
        cluster: &ClusterId,
        kind: PartKind,
        part: &str,
    ) -> impl Future<Output = Result<Vec<RoleUse>, PortError>> + Send;
}

/// A resource, as AWS Config names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId {
    /// Its type, such as `AWS::IAM::Role`.
    pub resource_type: String,
    /// Its id; of a role the unique id, `AROA…`.
    pub id: String,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.resource_type, self.id)
    }
}

/// What AWS Config is told about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The resource.
    pub resource: ResourceId,
    /// The verdict on it.
    pub compliance: Compliance,
    /// Why, 1 to 256 characters.
    pub annotation: Option<String>,
    /// When the state that it is about was captured.
    pub ordering_timestamp: OffsetDateTime,
}

/// The part of AWS Config that stores what rules say.
pub trait ComplianceStore {
    /// Stores at most 100 evaluations, or only checks them in test mode. Returns those that were not stored.
    fn put_evaluations(
        &self,
        token: &ResultToken,
        test_mode: bool,
        evaluations: &[Evaluation],
    ) -> impl Future<Output = Result<Vec<ResourceId>, PortError>> + Send;

    /// The resources of which the rule last said COMPLIANT or NON_COMPLIANT.
    fn reported(&self, rule_name: &str) -> impl Future<Output = Result<Vec<ResourceId>, PortError>> + Send;
}

/// The part of AWS Security Hub that holds findings.
pub trait FindingStore {
    /// The active findings of the source: all, or those of at most 20 ids.
    fn active_findings(
        &self,
        source: &FindingSource,
        ids: Option<&[String]>,
    ) -> impl Future<Output = Result<Vec<Finding>, PortError>> + Send;

    /// Imports at most 100 findings. Returns those that failed, each of which was sent.
    fn import_findings(
        &self,
        source: &FindingSource,
        findings: &[Finding],
    ) -> impl Future<Output = Result<Vec<FailedFinding>, PortError>> + Send;
}
