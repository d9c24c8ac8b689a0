//! One evaluation: from the event of AWS Config to the evaluations that AWS Config stores, and to the findings of AWS
//! Security Hub if the rule sends them.
//!
//! Knows AWS Config's contract (events, rule parameters, evaluations) and the order of calls. Knows AWS only as the traits
//! of [`ports`]: no SDK, no async runtime, no logging, no clock, so tests can use in-memory fakes. What a policy permits is
//! decided in [`crate::access`].
//!
//! 1. [`Invocation::parse`] reads the event.
//! 2. [`evaluate`] reads roles, decides, sends the answers to AWS Config and returns a [`Report`].
//! 3. [`send_findings`] sends findings to Security Hub.
//! 4. [`end_schedule`] lets the next schedule read everything again, if this one succeeded.
//! 5. [`Report::failure`] is what Lambda gets if something went wrong; [`EvaluationError`] if there is no report.
//!
//! The folders import one way: `ports`, `invocation`, `read`, `nodes`, `report`, then `evaluate` and `error`.

mod error;
mod evaluate;
mod invocation;
mod nodes;
pub mod ports;
mod progress;
mod read;
mod report;

pub use error::EvaluationError;
pub use evaluate::{Ports, end_schedule, evaluate};
pub use invocation::Invocation;
pub use invocation::configuration_item::{
    ChangedCluster, ChangedInstanceProfile, ChangedPolicy, ChangedRole, OutOfScope, Trigger,
};
pub use invocation::credentials::{Credentials, OtherAccountError};
pub use invocation::error::InvocationError;
pub use invocation::fields::EventError;
pub use invocation::name_patterns::{ClusterPatterns, RolePatterns};
pub use invocation::origin::Origin;
pub use invocation::parameters::{
    ClusterScope, DeniedRegions, ExecutionRole, PARAMETERS, Parameter, ParameterError, ParametersError, RuleParameters,
    UsedIn,
};
pub use nodes::exemption::{NoExemption, NoExemptionKind};
pub use nodes::facts::{NodeFact, NodeRole, NodeRoles, Place};
pub use ports::config::ResultToken;
pub use ports::eks::{ClusterId, NodeKind};
pub use ports::security_hub::{
    FINDING_TYPE, FailedFinding, Finding, FindingSource, NOTHING_TO_CHANGE, RELATED_REQUIREMENT, REMEDIATION_URL,
    Severity,
};
pub use progress::{OutOfTime, Progress, Step};
pub use read::answers::{CLUSTERS_CACHED_FOR, ENTRIES_CACHED_FOR};
pub use read::cache::Cache;
pub use read::roles::RoleError;
pub use report::findings::send_findings;
pub use report::outcome::{Answer, EvaluatedRole, ExemptRole, FindingCounts, Outcome, SessionVerdict, StoredAnswers};
pub use report::problem::{NotImported, NotStored, Problem, UnreadableRole};
pub use report::{Failure, Report};
