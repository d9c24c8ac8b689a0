//! The function's metrics: one line in embedded metric format for each invocation, which CloudWatch Logs makes metrics of.
//!
//! Knows their names and units. The API operation is a property of the line and no dimension, which would be a metric of
//! its own, and a price, for each operation. Must not know how the numbers come about.

use std::collections::BTreeMap;
use std::time::Duration;

use ecr_read_only::access::Compliance;
use ecr_read_only::aws::Count;
use ecr_read_only::rule::Outcome;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_cloudwatch_embedded::{Builder, Collector};
use serde_json::{Value, json};

/// The namespace that the metrics are in.
const NAMESPACE: &str = "EksNodeRoleEcrReadOnly";

const COUNTERS: [&str; 8] = [
    "RolesEvaluated",
    "RolesNonCompliant",
    "RolesUndecided",
    "RolesUnreadable",
    "EvaluationsLeftToSchedule",
    "ApiCalls",
    "ApiRetries",
    "ColdStarts",
];

const LATENCY: &str = "Latency";

/// Writes metrics.
pub(crate) struct Metrics {
    collector: &'static Collector,
}

/// One invocation, for its metrics.
pub(crate) struct Measured<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) account_id: Option<&'a str>,
    pub(crate) outcome: Option<&'a Outcome>,
    pub(crate) error_type: Option<&'static str>,
    pub(crate) calls: BTreeMap<String, Count>,
    pub(crate) latency: Duration,
    pub(crate) cold_start: bool,
}

impl Metrics {
    /// Installs the recorder of the process.
    ///
    /// # Errors
    /// That there is one already.
    pub(crate) fn install() -> Result<Self, metrics_cloudwatch_embedded::Error> {
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| env!("CARGO_PKG_NAME").to_owned());
        let collector =
            Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("FunctionName", function).emit_zeros(true);
        let collector = collector.init()?;
        for name in COUNTERS {
            describe_counter!(name, Unit::Count, "");
            // Made known, so that nothing counted is a zero and not a gap.
            counter!(name).absolute(0);
        }
        describe_gauge!(LATENCY, Unit::Milliseconds, "");
        Ok(Self { collector })
    }

    /// Writes one invocation's line to standard output.
    ///
    /// # Errors
    /// That it could not be written.
    pub(crate) fn write(&self, measured: &Measured<'_>) -> std::io::Result<()> {
        let count = |name: &'static str, value: usize| counter!(name).increment(value as u64);
        if let Some(outcome) = measured.outcome {
            count("RolesEvaluated", outcome.judged());
            count("RolesNonCompliant", outcome.count(Compliance::NonCompliant));
            count("RolesUndecided", outcome.undecided());
            count("RolesUnreadable", outcome.unreadable.len());
            count("EvaluationsLeftToSchedule", outcome.left_to_schedule.len());
        }
        counter!("ApiCalls").increment(measured.calls.values().map(|count| count.calls).sum());
        counter!("ApiRetries").increment(measured.calls.values().map(|count| count.retries).sum());
        count("ColdStarts", usize::from(measured.cold_start));
        gauge!(LATENCY).set(measured.latency.as_secs_f64() * 1000.0);
        let calls: Value = (measured.calls.iter())
            .map(|(operation, count)| (operation.clone(), json!({ "calls": count.calls, "retries": count.retries })))
            .collect::<serde_json::Map<_, _>>()
            .into();
        self.collector
            .set_property("requestId", measured.request_id)
            .set_property("accountId", json!(measured.account_id))
            .set_property("trigger", json!(measured.outcome.map(|outcome| outcome.trigger)))
            .set_property("errorType", json!(measured.error_type))
            .set_property("operations", calls)
            .flush(std::io::stdout().lock())
    }
}
