//! What an evaluation asks of AWS, as traits: `crate::aws` answers them, and so do tests in memory.
//!
//! Knows the questions and the shape of their answers, in the words of AWS's own operations, one call or
//! one paginated list to a method. Must not know how they are asked. "Gone" is an answer (`None`); whatever
//! else is not a full answer is an error, never an empty one.

use std::fmt;

use time::OffsetDateTime;

use super::event::ResultToken;
use super::node_roles::NodeFact;
use crate::access::Compliance;

/// A call to AWS that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} of {resource} failed: {cause}")]
pub struct PortError {
    operation: &'static str,
    resource: String,
    cause: String,
}

impl PortError {
    /// `operation` as IAM policies spell it (`iam:GetRole`), the resource asked about, and the cause: AWS's error
    /// code, message and request id, or what went wrong on the way. Never a secret, never a policy document.
    pub fn new(operation: &'static str, resource: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { operation, resource: resource.into(), cause: cause.into() }
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

/// How a policy is attached to a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyUsage {
    /// As a permissions policy.
    Permissions,
    /// As the role's permissions boundary.
    Boundary,
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

    /// The id of a managed policy's default version; `None` if the policy is gone.
    fn default_version(&self, policy_arn: &str) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// The document of one version of a managed policy; `None` if it is gone.
    fn policy_version(
        &self,
        policy_arn: &str,
        version: &str,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// The names of the roles that a managed policy is attached to; none if the policy is gone.
    fn attached_roles(
        &self,
        policy_arn: &str,
        usage: PolicyUsage,
    ) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;
}

/// EKS, as far as it knows under which roles nodes run.
pub trait Eks {
    /// Every fact that makes a role a node's, with the role's ARN: all of them or an error.
    fn node_facts(&self) -> impl Future<Output = Result<Vec<(String, NodeFact)>, PortError>> + Send;
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
