//! Runs the rule against in-memory fakes of the AWS APIs, at a fixed time.

use std::fmt;

use ecr_read_only::rule::{
    Cache, EvaluationError, Invocation, Outcome, Ports, Problem, Progress, Report, UnreadableRole, end_schedule,
    evaluate, send_findings,
};
use serde_json::Value;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::block_on;
use super::fakes::FakeAws;

pub const NOW: OffsetDateTime = datetime!(2026-01-05 10:03 UTC);

pub const DENIED: &str = "AccessDenied: not authorized";

/// A failed invocation, as Lambda gets it.
#[derive(Debug)]
pub struct Failed {
    error_type: &'static str,
    message: String,
    report: Option<Box<Report>>,
}

impl Failed {
    pub fn error_type(&self) -> &'static str {
        self.error_type
    }

    pub fn outcome(&self) -> &Outcome {
        &self.report.as_ref().unwrap().outcome
    }

    pub fn unreadable(&self) -> Vec<&UnreadableRole> {
        self.report.iter().flat_map(|report| report.unreadable()).collect()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An invocation with an empty cache.
pub fn run(aws: &FakeAws, payload: Value) -> Result<Outcome, Failed> {
    run_with(aws, &Cache::new(), payload, Duration::ZERO)
}

/// An invocation at [`NOW`] and `later`, with the cache of the function.
pub fn run_with(aws: &FakeAws, cache: &Cache, payload: Value, later: Duration) -> Result<Outcome, Failed> {
    run_at(aws, cache, payload, NOW + later)
}

/// An invocation at that time, with the cache of the function.
pub fn run_at(aws: &FakeAws, cache: &Cache, payload: Value, at: OffsetDateTime) -> Result<Outcome, Failed> {
    let report = report(aws, cache, payload, at).map_err(|error| Failed {
        error_type: error.error_type(),
        message: error.to_string(),
        report: None,
    })?;
    match report.failure().map(|failure| (failure.error_type(), failure.to_string())) {
        None => Ok(report.outcome),
        Some((error_type, message)) => Err(Failed { error_type, message, report: Some(Box::new(report)) }),
    }
}

fn report(aws: &FakeAws, cache: &Cache, payload: Value, at: OffsetDateTime) -> Result<Report, EvaluationError> {
    let invocation = Invocation::parse(payload)?;
    let ports = Ports { iam: aws, eks: aws, store: aws };
    let progress = Progress::default();
    let mut report = block_on(evaluate(&ports, cache, &invocation, &progress, &|_| {}, at))?;
    let sent = block_on(send_findings(aws, aws, &invocation, &mut report, &progress, at));
    report.problems.extend(sent.err().map(Problem::FindingsNotImported));
    end_schedule(cache, &invocation, &report);
    Ok(report)
}

/// What was sent, and the error if there was one.
#[track_caller]
pub fn check(aws: &FakeAws, payload: Value, sent: &[&str], error: Option<&str>) {
    let result = run(aws, payload);
    let actual = result.err().map(|error| format!("{}: {error}", error.error_type()));
    assert_eq!(actual.as_deref(), error, "{:#?}", aws.calls());
    assert_eq!(aws.sent(), sent, "{:#?}", aws.calls());
}
