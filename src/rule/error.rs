//! Why an evaluation could not answer. Lambda runs the invocation again. AWS Config got nothing, unless time ran out while
//! evaluations were sent.
//!
//! What goes wrong in an evaluation that answers is a [`Problem`](crate::rule::Problem) of its report.

use std::time::Duration;

use crate::rule::invocation::credentials::OtherAccountError;
use crate::rule::invocation::error::InvocationError;
use crate::rule::ports::error::{PortError, PortErrorKind};

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
    #[error("could not assume the role by which the event's account is read: {0}")]
    NoCredentials(PortError),
    /// The node roles of the account could not be listed.
    #[error("could not find out which roles are node roles: {0}{advice}", advice = advice(.0))]
    NodeRolesUnknown(PortError),
    /// Time ran out. The batches of evaluations that AWS Config had taken by then stay.
    #[error("not done {} ms before Lambda would have ended the invocation", margin.as_millis())]
    OutOfTime {
        /// How long before the Lambda timeout the evaluation gave up.
        margin: Duration,
    },
    /// The roles that a changed policy is attached to could not be listed.
    #[error("could not find out which roles the changed policy is attached to: {0}")]
    AttachedRolesUnknown(PortError),
}

impl EvaluationError {
    /// The stable name of the error: `errorType` in Lambda's answer and in the log.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Invocation(error) => error.error_type(),
            Self::OtherAccount(_) => "OtherAccount",
            Self::NoCredentials(_) => "NoCredentials",
            Self::NodeRolesUnknown(_) => "NodeRolesUnknown",
            Self::OutOfTime { .. } => "OutOfTime",
            Self::AttachedRolesUnknown(_) => "AttachedRolesUnknown",
        }
    }
}

/// What to do where clusters cannot be listed.
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
