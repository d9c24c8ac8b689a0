//! The part of AWS Config that stores what rules report, as a trait and plain types.

use std::fmt;

use time::OffsetDateTime;

use crate::access::Compliance;
use crate::rule::ports::error::PortError;

/// The token by which AWS Config takes evaluations for an invocation: a secret, so it prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultToken(String);

impl ResultToken {
    /// The token that an event brings.
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token itself, for PutEvaluations and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is to be stored. That a token of `TESTMODE` asks for it is a convention of AWS's own
    /// rule libraries (rdklib), not of the service.
    pub fn asks_for_test_mode(&self) -> bool {
        self.0 == "TESTMODE"
    }
}

impl fmt::Debug for ResultToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultToken(redacted)")
    }
}

/// A resource, as AWS Config names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ResourceId {
    /// Its type, such as `AWS::IAM::Role`.
    pub resource_type: String,
    /// Its id; of a role the unique id, `AROA…`.
    pub id: String,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.resource_type, self.id)
    }
}

/// What AWS Config is told about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The resource.
    pub resource: ResourceId,
    /// The verdict on it.
    pub compliance: Compliance,
    /// Why, 1 to 256 characters.
    pub annotation: Option<String>,
    /// When the state that it is about was captured.
    pub ordering_timestamp: OffsetDateTime,
}

/// The part of AWS Config that stores what rules say.
pub trait ComplianceStore {
    /// Stores at most 100 evaluations, or only checks them in test mode. Returns those that were not stored.
    fn put_evaluations(
        &self,
        token: &ResultToken,
        test_mode: bool,
        evaluations: &[Evaluation],
    ) -> impl Future<Output = Result<Vec<ResourceId>, PortError>> + Send;

    /// The resources of which the rule last said COMPLIANT or NON_COMPLIANT.
    fn reported(&self, rule_name: &str) -> impl Future<Output = Result<Vec<ResourceId>, PortError>> + Send;
}
