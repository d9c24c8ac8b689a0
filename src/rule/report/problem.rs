//! What can go wrong in an evaluation that answers all the same, and how it is worded.
//!
//! What keeps an evaluation from answering at all is an [`EvaluationError`](crate::rule::EvaluationError).

use std::collections::BTreeSet;
use std::fmt;

use crate::rule::ports::config::ResourceId;
use crate::rule::ports::error::PortError;
use crate::rule::ports::security_hub::FailedFinding;
use crate::rule::progress::OutOfTime;
use crate::rule::read::roles::RoleError;
use crate::rule::report::advice::{NOT_ENABLED, advice, cluster_advice};

/// How many roles an error or a line of the log names. A policy that many roles share can make thousands unreadable, and Lambda cuts the text
/// of an error. The log has one line for each of them.
pub(in crate::rule) const NAMED_ROLES: usize = 100;

/// How many failed calls an error names.
const NAMED_CALLS: usize = 10;

/// How many findings an error names.
const NAMED_FINDINGS: usize = 10;

/// The code of findings that Security Hub refuses where it is not enabled
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
pub(in crate::rule) const NO_ACCESS: &str = "InvalidAccess";

/// Something that went wrong in an evaluation. The answers were sent all the same, unless AWS Config refused them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// AWS Config did not store all evaluations.
    #[error(transparent)]
    EvaluationsNotStored(NotStored),
    /// Security Hub did not take all findings.
    #[error("{0}; AWS Config has the verdicts")]
    FindingsNotImported(NotImported),
    /// Calls failed that show which roles are node roles. At least one. Only roles that the other calls name, and those of the
    /// parameter `NodeRoles`, got a verdict; no role was reported as no node role.
    #[error("could not list all node roles: {}{advice}", list(.0, NAMED_CALLS, " calls"), advice = cluster_advice(.0))]
    NodeRolesUnknown(Vec<PortError>),
    /// The earlier verdicts of the rule could not be read, so none was cleared.
    #[error("no earlier verdict was cleared: {0}{advice}", advice = advice(.0))]
    ReportedRolesUnknown(PortError),
    /// These roles got no verdict, because they could not be read or understood. At least one.
    #[error("no verdict on {}{}", list(.0, NAMED_ROLES, " roles"), advice_on(.0))]
    RolesUnreadable(Vec<UnreadableRole>),
}

impl Problem {
    /// The stable name of the problem: `errorType` in Lambda's answer and in the log.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::EvaluationsNotStored(_) => "EvaluationsNotStored",
            Self::FindingsNotImported(_) => "FindingsNotImported",
            Self::NodeRolesUnknown(_) => "NodeRolesUnknown",
            Self::ReportedRolesUnknown(_) => "ReportedRolesUnknown",
            Self::RolesUnreadable(_) => "RolesUnreadable",
        }
    }

    /// The place among several problems: the first names the failure.
    pub(in crate::rule) fn precedence(&self) -> u8 {
        match self {
            Self::EvaluationsNotStored(_) => 0,
            Self::FindingsNotImported(_) => 1,
            Self::NodeRolesUnknown(_) => 2,
            Self::ReportedRolesUnknown(_) => 3,
            Self::RolesUnreadable(_) => 4,
        }
    }
}

/// A role that got no verdict, because it could not be read or understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableRole {
    /// Its name.
    pub name: String,
    /// Its unique id; `None` if not even that could be read.
    pub id: Option<String>,
    /// Why it could not be read.
    pub cause: RoleError,
}

impl fmt::Display for UnreadableRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "role `{}`: {}", self.name, self.cause)
    }
}

/// AWS Config did not store all evaluations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// A call failed.
    #[error("{cause}; {} of {total} evaluations were stored{}", total - .resources.len(), advice(.cause))]
    Call {
        /// The failed call.
        cause: PortError,
        /// The resources whose evaluations were not stored.
        resources: Vec<ResourceId>,
        /// How many evaluations there were.
        total: usize,
    },
    /// The calls succeeded, but AWS Config refused some evaluations every time.
    #[error("AWS Config did not store {} of {total} evaluations after {attempts} attempts: {}",
        .resources.len(), .resources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Refused {
        /// The resources whose evaluations were not stored.
        resources: Vec<ResourceId>,
        /// How many evaluations there were.
        total: usize,
        /// How many times they were sent.
        attempts: usize,
    },
}

impl NotStored {
    /// The resources whose evaluations were not stored.
    pub fn resources(&self) -> &[ResourceId] {
        match self {
            Self::Call { resources, .. } | Self::Refused { resources, .. } => resources,
        }
    }
}

/// Security Hub did not take all findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// The existing findings could not be read, so no finding was sent.
    #[error("no findings were imported: {cause}{}", advice(.cause))]
    Unknown {
        /// The failed call.
        cause: PortError,
    },
    /// A call failed.
    #[error("{left} of {total} findings were not imported: {cause}{}", advice(.cause))]
    Call {
        /// The failed call.
        cause: PortError,
        /// How many findings were not imported.
        left: usize,
        /// How many findings there were.
        total: usize,
    },
    /// The calls succeeded, but Security Hub refused some findings every time.
    #[error("{} of {total} findings were not imported: {}{}", .failed.len(), list(.failed, NAMED_FINDINGS, ""),
        if .failed.iter().any(|one| one.code == NO_ACCESS) { NOT_ENABLED } else { "" })]
    Refused {
        /// The findings, each with Security Hub's reason.
        failed: Vec<FailedFinding>,
        /// How many findings there were.
        total: usize,
    },
    /// Time ran out.
    #[error("gave up sending findings {0}")]
    OutOfTime(OutOfTime),
}

/// What to do about calls that failed for roles. Each advice once.
fn advice_on(roles: &[UnreadableRole]) -> String {
    let advice = roles.iter().filter_map(|role| match &role.cause {
        RoleError::Port(cause) => Some(advice(cause)),
        _ => None,
    });
    advice.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The first items, and how many more there are.
pub(in crate::rule) fn list(items: &[impl ToString], named: usize, unit: &str) -> String {
    let mut parts: Vec<String> = items.iter().take(named).map(ToString::to_string).collect();
    if let Some(more) = items.len().checked_sub(named).filter(|more| *more > 0) {
        parts.push(format!("and {more} more{unit}"));
    }
    parts.join("; ")
}
