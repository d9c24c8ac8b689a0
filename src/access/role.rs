//! A role with all that bears on its permissions.

use std::sync::Arc;

use crate::policy::tag::Tag;
use crate::policy::{Document, TrustPolicy};

/// Where a policy is attached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicySource {
    /// An inline policy of the role, by its name.
    Inline(String),
    /// A managed policy, by its ARN.
    Managed(String),
}

/// A policy that bears on a role.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Where the policy is attached.
    pub source: PolicySource,
    /// The document; of a managed policy the default version's.
    pub document: Arc<Document>,
}

/// All that IAM knows of a role that bears on its permissions.
#[derive(Debug, Clone)]
pub struct Role {
    /// The ARN, path included.
    pub arn: String,
    /// The unique id, `AROA…`.
    pub id: String,
    /// Who may assume the role.
    pub trust_policy: TrustPolicy,
    /// The role's tags.
    pub tags: Vec<Tag>,
    /// The identity-based policies: inline and attached.
    pub policies: Vec<Policy>,
    /// The permissions boundary.
    pub permissions_boundary: Option<Policy>,
}
