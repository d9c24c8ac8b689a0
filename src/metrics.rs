//! The function's metrics: one line in embedded metric format for each invocation. CloudWatch Logs turns it into
//! metrics.
//!
//! API operations are a property of the line, not a dimension: a dimension would make a metric, with a price, for each
//! operation.

use std::collections::BTreeMap;
use std::time::Duration;

use ecr_read_only::access::Compliance;
use ecr_read_only::aws::CallCount;
use ecr_read_only::rule::Report;
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_cloudwatch_embedded::{Builder, Collector};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::logging::LineContext;

/// The namespace of the metrics.
const NAMESPACE: &str = "EksNodeRoleEcrReadOnly";

const COUNTERS: [&str; 14] = [
    "RolesEvaluated",
    "RolesNonCompliant",
    "RolesUndecided",
    "RolesUnreadable",
    "RolesExempt",
    "EvaluationsLeftToSchedule",
    "ClosedRegions",
    "FindingsImported",
    "FindingsNotImported",
    "FindingsLeftToSchedule",
    "ScheduledRuns",
    "ApiCalls",
    "ApiRetries",
    "ColdStarts",
];

const LATENCY: &str = "Latency";

/// Writes metrics.
pub(crate) struct Metrics {
    collector: &'static Collector,
    level: String,
}

/// The measurements of one invocation.
pub(crate) struct Measured<'a> {
    pub(crate) context: LineContext<'a>,
    pub(crate) report: Option<&'a Report>,
    pub(crate) error_type: Option<&'a str>,
    pub(crate) calls: BTreeMap<String, CallCount>,
    pub(crate) latency: Duration,
    pub(crate) cold_start: bool,
}

impl Metrics {
    /// Installs the recorder of the process. `level` is the level of the log, in Lambda's spelling.
    ///
    /// # Errors
    /// The process has a recorder already.
    pub(crate) fn install(level: String) -> Result<Self, metrics_cloudwatch_embedded::Error> {
        let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_else(|_| env!("CARGO_PKG_NAME").to_owned());
        let collector =
            Builder::new().cloudwatch_namespace(NAMESPACE).with_dimension("FunctionName", function).emit_zeros(true);
        let collector = collector.init()?;
        for name in COUNTERS {
            describe_counter!(name, Unit::Count, "");
            // Registered, so that the metric is 0 and not missing if nothing is counted.
            counter!(name).absolute(0);
        }
        describe_gauge!(LATENCY, Unit::Milliseconds, "");
        Ok(Self { collector, level })
    }

    /// Writes one invocation's line.
    ///
    /// # Errors
    /// The line cannot be written.
    pub(crate) fn write(&self, measured: &Measured<'_>, to: impl std::io::Write) -> std::io::Result<()> {
        let count = |name: &'static str, value: usize| counter!(name).increment(value as u64);
        if let Some(report) = measured.report {
            let outcome = &report.outcome;
            count("RolesEvaluated", outcome.evaluated());
            count("RolesNonCompliant", outcome.count(Compliance::NonCompliant));
            count("RolesUndecided", outcome.undecided());
            count("RolesUnreadable", report.unreadable().count());
            count("RolesExempt", outcome.exempt.len());
            count("EvaluationsLeftToSchedule", outcome.left_to_schedule.len());
            count("ClosedRegions", outcome.closed_regions.len());
            let findings = outcome.findings.unwrap_or_default();
            count("FindingsImported", findings.imported);
            count("FindingsNotImported", findings.not_imported);
            count("FindingsLeftToSchedule", findings.left_to_schedule);
            // Scheduled evaluations that succeeded. An alarm watches for missing ones.
            count("ScheduledRuns", usize::from(outcome.scheduled && measured.error_type.is_none()));
        }
        counter!("ApiCalls").increment(measured.calls.values().map(|count| count.calls).sum());
        counter!("ApiRetries").increment(measured.calls.values().map(|count| count.retries).sum());
        count("ColdStarts", usize::from(measured.cold_start));
        gauge!(LATENCY).set(measured.latency.as_secs_f64() * 1000.0);
        let calls: Value = (measured.calls.iter())
            .map(|(operation, count)| (operation.clone(), json!({ "calls": count.calls, "retries": count.retries })))
            .collect::<serde_json::Map<_, _>>()
            .into();
        // Lambda drops lines below the configured level, and treats a line without level and time as INFO. So this line
        // has the configured level, which keeps the metrics
        // (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>).
        let now = OffsetDateTime::now_utc().format(&Rfc3339).map_err(std::io::Error::other)?;
        self.collector
            .set_property("level", self.level.as_str())
            .set_property("timestamp", now)
            .set_property("requestId", measured.context.request_id)
            .set_property("accountId", measured.context.account_id())
            .set_property("ruleName", measured.context.rule_name())
            .set_property("trigger", measured.context.origin.trigger)
            .set_property("resourceId", json!(measured.context.resource_id()))
            .set_property("errorType", json!(measured.error_type))
            .set_property("operations", calls)
            .flush(to)
    }
}

#[cfg(test)]
mod tests {
    use ecr_read_only::access::NotApplicable;
    use ecr_read_only::rule::{ExemptRole, FindingCounts, Origin, Outcome};

    use super::*;

    /// The report of an evaluation of all roles, or of one.
    fn report(all_roles: bool) -> Report {
        let exempt = ["a", "b"].map(|name| {
            (name.to_owned(), ExemptRole { name: name.to_owned(), id: None, reason: NotApplicable::ExemptRole })
        });
        let outcome = Outcome {
            trigger: "a trigger",
            exempt: exempt.into(),
            scheduled: all_roles,
            closed_regions: vec!["ap-east-1".to_owned(), "me-south-1".to_owned()],
            findings: Some(FindingCounts {
                imported: 3,
                archived: 2,
                unchanged: 5,
                not_imported: 1,
                left_to_schedule: 4,
            }),
            ..Outcome::default()
        };
        Report { outcome, problems: Vec::new() }
    }

    #[test]
    fn invocation_writes_one_line_of_metrics() {
        let metrics = Metrics::install("ERROR".to_owned()).unwrap();
        let payload = json!({ "accountId": "111122223333", "configRuleName": "nodes-read-only" });
        let origin = Origin::read(&payload);
        let line = |calls: &[(&str, u64, u64)], error_type, cold_start, report: Option<&Report>| {
            let calls = calls.iter().map(|(operation, calls, retries)| {
                ((*operation).to_owned(), CallCount { calls: *calls, retries: *retries })
            });
            let measured = Measured {
                context: LineContext { request_id: "r-1", origin: &origin },
                report,
                error_type,
                calls: calls.collect(),
                latency: Duration::from_millis(1500),
                cold_start,
            };
            let mut written = Vec::new();
            metrics.write(&measured, &mut written).unwrap();
            assert_eq!(written.iter().filter(|byte| **byte == b'\n').count(), 1);
            serde_json::from_slice::<Value>(&written).unwrap()
        };
        let first = line(&[("IAM GetRole", 2, 1), ("EKS ListClusters", 8, 0)], Some("NodeRolesUnknown"), true, None);
        let directive = &first["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
        let names = directive["Metrics"].as_array().unwrap().iter().map(|metric| metric["Name"].as_str().unwrap());
        let mut expected: Vec<&str> = COUNTERS.into_iter().chain([LATENCY]).collect();
        expected.sort_unstable();
        assert_eq!(names.collect::<Vec<_>>(), expected);
        let values = ["ApiCalls", "ApiRetries", "ColdStarts", "RolesUnreadable"].map(|name| first[name].as_u64());
        assert_eq!(values, [Some(10), Some(1), Some(1), Some(0)]);
        assert_eq!((first[LATENCY].as_f64(), &first["errorType"]), (Some(1500.0), &json!("NodeRolesUnknown")));
        assert_eq!(first["level"], "ERROR", "Lambda's filter keeps it");
        let located = ["requestId", "accountId", "ruleName", "trigger"].map(|name| first[name].as_str().unwrap());
        assert_eq!(located, ["r-1", "111122223333", "nodes-read-only", "unknown"]);
        OffsetDateTime::parse(first["timestamp"].as_str().unwrap(), &Rfc3339).unwrap();
        assert_eq!(first["operations"]["IAM GetRole"], json!({ "calls": 2, "retries": 1 }));

        let second = line(&[], None, false, None);
        let values = ["ApiCalls", "ColdStarts"].map(|name| second[name].as_u64());
        assert_eq!(values, [Some(0), Some(0)], "each line has its own invocation's numbers");
        assert_eq!((&second["errorType"], &second["operations"]), (&Value::Null, &json!({})));

        let findings = line(&[], None, false, Some(&report(false)));
        let names =
            ["FindingsImported", "FindingsNotImported", "FindingsLeftToSchedule", "ClosedRegions", "RolesExempt"];
        assert_eq!(names.map(|name| findings[name].as_u64()), [Some(3), Some(1), Some(4), Some(2), Some(2)]);
        for (all_roles, error_type, expected) in [(true, None, 1), (true, Some("RolesUnreadable"), 0), (false, None, 0)]
        {
            let run = line(&[], error_type, false, Some(&report(all_roles)));
            assert_eq!(run["ScheduledRuns"], expected, "{all_roles} {error_type:?}");
        }
    }
}
