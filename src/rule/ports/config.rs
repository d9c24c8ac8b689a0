//! The part of AWS Config that stores the evaluations of rules, as a trait and plain types.

use std::fmt;

use time::OffsetDateTime;

use crate::access::Compliance;
use crate::rule::ports::error::PortError;

/// The token that AWS Config demands with the evaluations of an invocation. It is a secret, so `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultToken(String);

impl ResultToken {
    /// The token of an event.
    pub fn new(token: String) -> Self {
        Self(token)
    }

    /// The token itself, for PutEvaluations and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether AWS Config is to check the evaluations and not store them. The token `TESTMODE` asks for that. It is a
    /// convention of AWS's rule library (rdklib), not of the service.
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

/// The evaluation of one resource, as AWS Config gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The resource.
    pub resource: ResourceId,
    /// The result.
    pub compliance: Compliance,
    /// The reason, 1 to 256 characters.
    pub annotation: Option<String>,
    /// When the evaluated state was captured. AWS Config ignores an evaluation that is older than the one it has.
    pub ordering_timestamp: OffsetDateTime,
}

/// A resource that AWS Config shows as COMPLIANT or NON_COMPLIANT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The resource.
    pub resource: ResourceId,
    /// The annotation of its last evaluation.
    pub annotation: Option<String>,
    /// When AWS Config stored that evaluation.
    pub recorded_at: OffsetDateTime,
}

/// The part of AWS Config that stores the evaluations of rules.
pub trait ComplianceStore {
    /// Stores at most 100 evaluations, or only checks them in test mode. Returns the resources whose evaluations were not
    /// stored.
    fn put_evaluations(
        &self,
        token: &ResultToken,
        test_mode: bool,
        evaluations: &[Evaluation],
    ) -> impl Future<Output = Result<Vec<ResourceId>, PortError>> + Send;

    /// The resources that AWS Config shows as COMPLIANT or NON_COMPLIANT for the rule.
    fn reported(&self, rule_name: &str) -> impl Future<Output = Result<Vec<Reported>, PortError>> + Send;
}
