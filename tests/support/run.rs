//! Runs the rule against in-memory fakes of the AWS APIs, at a fixed time.

use ecr_read_only::rule::{Cache, EvaluationError, Invocation, Outcome, Ports, evaluate, send_findings};
use serde_json::Value;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::block_on;
use super::fakes::FakeAws;

pub const NOW: OffsetDateTime = datetime!(2026-01-05 10:03 UTC);

pub const DENIED: &str = "AccessDenied: not authorized";

/// An invocation that remembers nothing.
pub fn run(aws: &FakeAws, payload: Value) -> Result<Outcome, EvaluationError> {
    run_with(aws, &Cache::new(), payload, Duration::ZERO)
}

/// An invocation so much later, by a function that remembers.
pub fn run_with(aws: &FakeAws, cache: &Cache, payload: Value, later: Duration) -> Result<Outcome, EvaluationError> {
    let invocation = Invocation::parse(payload)?;
    let ports = Ports { iam: aws, eks: aws, store: aws };
    let mut result = block_on(evaluate(&ports, cache, &invocation, NOW + later));
    match block_on(send_findings(aws, &invocation, &mut result, NOW + later)) {
        Ok(()) => result,
        Err(problem) => Err(EvaluationError::findings_not_imported(result, problem)),
    }
}

/// What was sent, and the error if there was one.
#[track_caller]
pub fn check(aws: &FakeAws, payload: Value, sent: &[&str], error: Option<&str>) {
    let result = run(aws, payload);
    let actual = result.err().map(|error| format!("{}: {error}", error.error_type()));
    assert_eq!(actual.as_deref(), error, "{:#?}", aws.calls());
    assert_eq!(aws.sent(), sent, "{:#?}", aws.calls());
}
