//! A role with everything that its permissions depend on.

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
    /// The policy of a Pod Identity association, by the association's ARN.
    Association(String),
}

impl PolicySource {
    /// The name or ARN.
    pub fn name(&self) -> &str {
        match self {
            Self::Inline(name) => name,
            Self::Managed(arn) | Self::Association(arn) => arn,
        }
    }
}

/// A policy of a role.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Where the policy is attached.
    pub source: PolicySource,
    /// The document; for a managed policy, its default version.
    pub document: Arc<Document>,
}

/// A role, its trust policy, its tags and its policies, as IAM has them.
#[derive(Debug, Clone)]
pub struct Role {
    /// The ARN, with the path.
    pub arn: String,
    /// The unique id, `AROA…`.
    pub id: String,
    /// Who can assume the role.
    pub trust_policy: TrustPolicy,
    /// The role's tags.
    pub tags: Vec<Tag>,
    /// The identity-based policies: inline and attached managed ones.
    pub policies: Vec<Policy>,
    /// The permissions boundary, if the role has one.
    pub permissions_boundary: Option<Policy>,
    /// The policy of the Pod Identity association that makes the sessions, if it has one. Such sessions have no session
    /// tags: EKS takes a policy only with `disableSessionTags`
    /// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html>).
    pub session_policy: Option<Policy>,
}
