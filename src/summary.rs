//! The numbers of one evaluation: Lambda's response and the log line `evaluation` have the same ones.

use ecr_read_only::access::Compliance;
use ecr_read_only::rule::{Outcome, Report};
use serde::Serialize;

use crate::logging::{LineContext, log_line};

/// Defines the summary, its values for a report, and its log line from one list of fields.
///
/// `tracing` needs the names of an event's fields at compile time, so it cannot take them from a struct.
macro_rules! summary {
    (|$report:ident, $outcome:ident| $($(#[$attribute:meta])* $field:ident: $type:ty = $value:expr,)*) => {
        /// The summary of an evaluation. Field names are the keys of the response and of the log.
        #[derive(Debug, Serialize)]
        #[allow(non_snake_case, reason = "the names are keys of JSON")]
        pub(crate) struct Summary {
            trigger: &'static str,
            $($(#[$attribute])* $field: $type,)*
        }

        impl Summary {
            pub(crate) fn of($report: &Report) -> Self {
                let $outcome = &$report.outcome;
                Self { trigger: $outcome.trigger, $($field: $value,)* }
            }

            /// Writes the log line, which has more fields than the response.
            pub(crate) fn log(&self, outcome: &Outcome, context: LineContext<'_>) {
                let closed_regions = &outcome.closed_regions;
                log_line!(
                    info,
                    context,
                    $($field = self.$field,)*
                    factsElsewhere = outcome.facts_elsewhere,
                    exemptRoles = outcome.exempt_roles(),
                    closedRegions = (!closed_regions.is_empty()).then(|| closed_regions.join(", ")),
                    "evaluation"
                );
            }
        }
    };
}

summary! { |report, outcome|
    rolesEvaluated: usize = outcome.evaluated(),
    compliant: usize = outcome.count(Compliance::Compliant),
    nonCompliant: usize = outcome.count(Compliance::NonCompliant),
    notApplicable: usize = outcome.count(Compliance::NotApplicable),
    notStored: usize = report.not_stored().count(),
    unreadable: usize = report.unreadable().count(),
    rolesExempt: usize = outcome.exempt.len(),
    leftToSchedule: usize = outcome.left_to_schedule.len(),
    verdictsKept: usize = outcome.kept.len(),
    #[serde(skip_serializing_if = "Option::is_none")]
    findingsImported: Option<usize> = outcome.findings.map(|findings| findings.imported),
    #[serde(skip_serializing_if = "Option::is_none")]
    findingsUnchanged: Option<usize> = outcome.findings.map(|findings| findings.unchanged),
    #[serde(skip_serializing_if = "Option::is_none")]
    findingsArchived: Option<usize> = outcome.findings.map(|findings| findings.archived),
    #[serde(skip_serializing_if = "Option::is_none")]
    findingsLeftToSchedule: Option<usize> = outcome.findings.map(|findings| findings.left_to_schedule),
}
