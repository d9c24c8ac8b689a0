//! One evaluation: from the event that AWS Config sends to the evaluations that it stores, and to the findings of
//! AWS Security Hub if they are asked for.
//!
//! Knows AWS Config's contract (events, rule parameters, evaluations) and in which order things are
//! asked. Knows AWS only as the traits of [`ports`]: no SDK, no async runtime, no logging, no clock, so
//! that a test can play AWS in memory. What a policy permits is [`crate::access`]'s business.
//!
//! [`Invocation::parse`] reads the event, [`evaluate`] does the rest.

mod account;
mod answers;
mod discovery;
mod error;
mod evaluate;
mod event;
mod fields;
mod finding;
mod finding_text;
mod findings;
mod item;
mod memory;
mod node_roles;
mod node_test;
mod outcome;
mod parameters;
mod patterns;
pub mod ports;
mod roles;

pub use account::Credentials;
pub use answers::NotStored;
pub use error::EvaluationError;
pub use evaluate::{Ports, evaluate};
pub use event::{Invocation, ResultToken, Trigger};
pub use fields::EventError;
pub use finding::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, NOTHING_TO_CHANGE, RELATED_REQUIREMENT, REMEDIATION_URL,
    Severity,
};
pub use findings::{FindingCounts, NotImported, tell_findings};
pub use item::{ChangedCluster, ChangedPolicy, ChangedRole, OutOfScope};
pub use memory::{CLUSTERS_REMEMBERED, Memory};
pub use node_roles::{ClusterId, NodeFact, NodeKind, NodeRole, NodeRoles, Place};
pub use outcome::{Answer, Judged, Outcome, UnreadableRole};
pub use parameters::{ClusterScope, ExecutionRole, ParameterError, ParametersError, RuleParameters};
pub use patterns::{ClusterPatterns, RolePatterns};
pub use roles::RoleError;
