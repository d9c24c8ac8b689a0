//! Why an evaluation could not answer. Lambda runs the invocation again. AWS Config got nothing, unless time ran out while
//! evaluations were sent.
//!
//! What goes wrong in an evaluation that answers is a [`Problem`](crate::rule::Problem) of its report.

use crate::rule::invocation::credentials::OtherAccountError;
use crate::rule::invocation::error::InvocationError;
use crate::rule::ports::error::PortError;
use crate::rule::progress::OutOfTime;
use crate::rule::report::advice::advice;

/// Why an evaluation could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EvaluationError {
    /// The event or the rule's parameters were not understood.
    #[error(transparent)]
    Invocation(#[from] InvocationError),
    /// The event's account is not the function's, and nothing names a role to read it with.
    #[error(transparent)]
    OtherAccount(#[from] OtherAccountError),
    /// The role that reads another account could not be assumed.
    #[error("could not assume the role that reads the event's account: {0}{advice}", advice = advice(.0))]
    NoCredentials(PortError),
    /// Time ran out. The batches of evaluations that AWS Config had taken by then stay.
    #[error("gave up {0}")]
    OutOfTime(OutOfTime),
    /// The roles that a changed policy is attached to could not be listed.
    #[error("could not list the roles that the changed policy is attached to: {0}{advice}", advice = advice(.0))]
    AttachedRolesUnknown(PortError),
}

impl EvaluationError {
    /// The stable name of the error: `errorType` in Lambda's answer and in the log.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Invocation(error) => error.error_type(),
            Self::OtherAccount(_) => "OtherAccount",
            Self::NoCredentials(_) => "NoCredentials",
            Self::OutOfTime(_) => "OutOfTime",
            Self::AttachedRolesUnknown(_) => "AttachedRolesUnknown",
        }
    }
}
