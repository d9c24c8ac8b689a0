//! Why an invocation cannot be read: the event, or the rule's parameters in it.

use crate::rule::invocation::fields::EventError;
use crate::rule::invocation::parameters::ParametersError;

/// Why an invocation cannot be read. Nothing was asked of AWS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// A field of the event is absent or not understood.
    #[error("invalid event: {0}")]
    InvalidEvent(#[from] EventError),
    /// A parameter of the rule is not accepted.
    #[error("invalid rule parameters: {0}")]
    InvalidRuleParameters(#[from] ParametersError),
}

impl InvocationError {
    /// The stable name of the error: `errorType` in Lambda's answer and in the log.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::InvalidEvent(_) => "InvalidEvent",
            Self::InvalidRuleParameters(_) => "InvalidRuleParameters",
        }
    }
}
