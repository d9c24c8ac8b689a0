//! One evaluation: from the event that AWS Config sends to the evaluations that it stores, and to the findings of
//! AWS Security Hub if they are asked for.
//!
//! Knows AWS Config's contract (events, rule parameters, evaluations) and in which order things are
//! asked. Knows AWS only as the traits of [`ports`]: no SDK, no async runtime, no logging, no clock, so
//! that a test can play AWS in memory. What a policy permits is [`crate::access`]'s business.
//!
//! [`Invocation::parse`] reads the event, [`evaluate`] does the rest.

mod error;
mod evaluate;
mod invocation;
mod nodes;
pub mod ports;
mod read;
mod report;

pub use error::EvaluationError;
pub use evaluate::{Ports, evaluate};
pub use invocation::Invocation;
pub use invocation::configuration_item::{ChangedCluster, ChangedPolicy, ChangedRole, OutOfScope, Trigger};
pub use invocation::credentials::{Credentials, OtherAccountError};
pub use invocation::error::InvocationError;
pub use invocation::fields::EventError;
pub use invocation::name_patterns::{ClusterPatterns, RolePatterns};
pub use invocation::parameters::{
    ClusterScope, ExecutionRole, PARAMETERS, Parameter, ParameterError, ParametersError, RuleParameters, UsedIn,
};
pub use nodes::facts::{NodeFact, NodeRole, NodeRoles, Place};
pub use ports::config::ResultToken;
pub use ports::eks::{ClusterId, NodeKind};
pub use ports::security_hub::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, NOTHING_TO_CHANGE, RELATED_REQUIREMENT, REMEDIATION_URL,
    Severity,
};
pub use read::cache::{CLUSTERS_CACHED_FOR, Cache};
pub use read::roles::RoleError;
pub use report::findings::send_findings;
pub use report::outcome::{Answer, EvaluatedRole, FindingCounts, Outcome};
pub use report::problem::{NotImported, NotStored, Problem, UnreadableRole};
pub use report::{Failure, Report};
