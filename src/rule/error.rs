//! Why an evaluation failed, so that Lambda invokes it again.
//!
//! Knows what each kind of failure means for what was sent: where an error carries an outcome, that outcome
//! was answered as far as the error does not say otherwise; where it carries none, nothing was sent.

use std::time::Duration;

use crate::rule::invocation::credentials::OtherAccountError;
use crate::rule::invocation::error::InvocationError;
use crate::rule::ports::error::{PortError, PortErrorKind};
use crate::rule::report::evaluations::NotStored;
use crate::rule::report::findings::NotImported;
use crate::rule::report::outcome::{Outcome, UnreadableRole};

/// Why an evaluation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvaluationError {
    /// The event or the rule's parameters were not understood. Nothing was sent.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
    /// The event is of an account other than the function's own, and nothing says how to read it. Nothing was sent.
    #[error(transparent)]
    OtherAccount(#[from] OtherAccountError),
    /// The role by which another account is read could not be assumed. Nothing was sent.
    #[error("could not assume the role by which the event's account is read: {0}")]
    NoCredentials(PortError),
    /// Which roles are node roles could not be found out. Nothing was sent.
    #[error("could not find out which roles are node roles: {0}{advice}", advice = advice(.0))]
    NodeRolesUnknown(PortError),
    /// Time ran out. What was sent by then stands; on a schedule that is nothing, or all but the last.
    #[error("not done {} ms before Lambda would have ended the invocation", margin.as_millis())]
    OutOfTime {
        /// How long before the end it was given up.
        margin: Duration,
    },
    /// Which roles a changed policy is attached to could not be found out. Nothing was sent.
    #[error("could not find out which roles the changed policy is attached to: {0}")]
    AttachedRolesUnknown(PortError),
    /// Some roles got no verdict, because they could not be read or understood. The others got theirs.
    #[error("no verdict on {}", list(&.0.unreadable))]
    RolesUnreadable(Box<Outcome>),
    /// What the rule said before could not be read: the verdicts were sent, but none of old was cleared.
    #[error("could not find out which verdicts to clear: {cause}{}", also(.outcome))]
    ReportedRolesUnknown {
        /// What failed.
        cause: PortError,
        /// What was sent.
        outcome: Box<Outcome>,
    },
    /// Security Hub did not take all findings. The verdicts were sent.
    #[error(
        "{problem}; the verdicts are in AWS Config all the same{}{}",
        .uncleared.iter().map(|cause| format!("; also could not find out which verdicts to clear: {cause}")).collect::<String>(),
        also(.outcome)
    )]
    FindingsNotImported {
        /// Which, and why.
        problem: NotImported,
        /// Why none of the verdicts of old was cleared, where that failed too.
        uncleared: Option<Box<PortError>>,
        /// What was sent.
        outcome: Box<Outcome>,
    },
    /// AWS Config did not take all evaluations.
    #[error("{problem}{}", also(.outcome))]
    EvaluationsNotStored {
        /// Which, and why.
        problem: NotStored,
        /// What was to be sent.
        outcome: Box<Outcome>,
    },
}

impl EvaluationError {
    /// A stable name for the kind of failure: Lambda's `errorType`, and a field of the log.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Invocation(error) => error.error_type(),
            Self::OtherAccount(_) => "OtherAccount",
            Self::NoCredentials(_) => "NoCredentials",
            Self::NodeRolesUnknown(_) => "NodeRolesUnknown",
            Self::OutOfTime { .. } => "OutOfTime",
            Self::AttachedRolesUnknown(_) => "AttachedRolesUnknown",
            Self::RolesUnreadable(_) => "RolesUnreadable",
            Self::ReportedRolesUnknown { .. } => "ReportedRolesUnknown",
            Self::FindingsNotImported { .. } => "FindingsNotImported",
            Self::EvaluationsNotStored { .. } => "EvaluationsNotStored",
        }
    }

    /// The failure that findings were not imported, with what else came of the evaluation; if that is a failure by which AWS
    /// Config has not all answers either, that one.
    pub fn findings_not_imported(result: Result<Outcome, Self>, problem: NotImported) -> Self {
        let (uncleared, outcome) = match result {
            Ok(outcome) => (None, Box::new(outcome)),
            Err(Self::RolesUnreadable(outcome)) => (None, outcome),
            Err(Self::ReportedRolesUnknown { cause, outcome }) => (Some(Box::new(cause)), outcome),
            Err(other) => return other,
        };
        Self::FindingsNotImported { problem, uncleared, outcome }
    }

    /// What was found out all the same.
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::RolesUnreadable(outcome)
            | Self::ReportedRolesUnknown { outcome, .. }
            | Self::FindingsNotImported { outcome, .. }
            | Self::EvaluationsNotStored { outcome, .. } => Some(outcome),
            Self::Invocation(_)
            | Self::OtherAccount(_)
            | Self::NoCredentials(_)
            | Self::NodeRolesUnknown(_)
            | Self::OutOfTime { .. }
            | Self::AttachedRolesUnknown(_) => None,
        }
    }
}

/// What to do where clusters cannot be asked for.
fn advice(error: &PortError) -> &'static str {
    match (error.operation().split_once(':'), error.kind()) {
        (Some(("account", _)), _) => "; the parameter `ClusterRegions` can name the regions instead",
        (Some(("eks", "ListClusters")), PortErrorKind::RegionClosed) => {
            "; the region does not know the function's credentials: they are bad, or none of the regions that \
             `ClusterRegions` names is enabled in the account"
        }
        (Some(("eks", _)), PortErrorKind::ExplicitlyDenied) | (Some(("eks", "ListClusters")), _) => {
            "; if the region is closed, as by a service control policy, or has no EKS, leave it out: the parameter \
             `ClusterRegions` names the regions to look at"
        }
        _ => "",
    }
}

/// How many roles an error names: a policy that many share can make thousands unreadable, and Lambda cuts an
/// error's text. The outcome has them all.
const NAMED: usize = 100;

fn list(roles: &[UnreadableRole]) -> String {
    let mut list = roles.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if let Some(more) = roles.len().checked_sub(NAMED).filter(|more| *more > 0) {
        list.push_str(&format!("; and {more} more roles"));
    }
    list
}

/// One failure must not hide another.
fn also(outcome: &Outcome) -> String {
    if outcome.unreadable.is_empty() {
        String::new()
    } else {
        format!("; also no verdict on {}", list(&outcome.unreadable))
    }
}
