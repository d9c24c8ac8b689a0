//! The function's log: JSON lines on stdout, under Lambda's own log controls.
//!
//! Lambda sets format and level in environment variables
//! (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>).

use ecr_read_only::rule::Origin;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

/// The targets of this crate's own lines: the library and the binary.
const OWN: [&str; 2] = ["ecr_read_only", "eks_node_role_ecr_read_only"];

/// The invocation that a line is about.
#[derive(Clone, Copy)]
pub(crate) struct LineContext<'a> {
    pub(crate) request_id: &'a str,
    pub(crate) origin: &'a Origin,
}

impl LineContext<'_> {
    pub(crate) fn account_id(&self) -> &str {
        self.origin.account_id.as_deref().unwrap_or(UNKNOWN)
    }

    pub(crate) fn rule_name(&self) -> &str {
        self.origin.rule_name.as_deref().unwrap_or(UNKNOWN)
    }

    pub(crate) fn resource_id(&self) -> Option<&str> {
        self.origin.resource_id.as_deref()
    }
}

/// The value of a field that the event does not show, so that queries can group by the field.
const UNKNOWN: &str = "unknown";

/// Writes a line with the fields that every line of an invocation has. `resource` is the id of the resource that the line
/// is about; without it, the line is about the resource of the event.
macro_rules! log_line {
    ($level:ident, $context:expr, resource: $resource:expr, $($fields:tt)+) => {{
        let context: $crate::logging::LineContext<'_> = $context;
        let resource: Option<&str> = $resource;
        ::tracing::$level!(
            requestId = context.request_id,
            accountId = context.account_id(),
            ruleName = context.rule_name(),
            trigger = context.origin.trigger,
            resourceId = resource,
            $($fields)+
        )
    }};
    ($level:ident, $context:expr, $($fields:tt)+) => {{
        let context: $crate::logging::LineContext<'_> = $context;
        $crate::logging::log_line!($level, context, resource: context.resource_id(), $($fields)+)
    }};
}

pub(crate) use log_line;

/// Starts logging for the process.
pub(crate) fn start() {
    let text = std::env::var("AWS_LAMBDA_LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("Text"));
    let level = level(Some(&configured()));
    let lines = tracing_subscriber::fmt::layer().with_target(false);
    let lines = if text {
        lines.with_ansi(false).boxed()
    } else {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    };
    registry().with(lines).with(targets(level)).init();
}

/// The configured level, in Lambda's spelling.
pub(crate) fn configured() -> String {
    std::env::var("AWS_LAMBDA_LOG_LEVEL").ok().filter(|level| !level.is_empty()).unwrap_or_else(|| "INFO".to_owned())
}

fn targets(level: LevelFilter) -> Targets {
    // At DEBUG the SDK logs requests, which hold result tokens. So its level is never below INFO.
    let others = if level > LevelFilter::INFO { LevelFilter::INFO } else { level.min(LevelFilter::WARN) };
    let targets = Targets::new()
        .with_default(others)
        // It repeats each failure that the function has logged, as the `Debug` text of a struct.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    OWN.into_iter().fold(targets, |targets, own| targets.with_target(own, level))
}

fn level(text: Option<&str>) -> LevelFilter {
    match text.map(str::to_ascii_uppercase).as_deref() {
        Some("TRACE") => LevelFilter::TRACE,
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("WARN") => LevelFilter::WARN,
        // The function logs nothing above ERROR.
        Some("ERROR" | "FATAL") => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::{level, targets};

    #[test]
    fn lambda_level_sets_own_and_other_levels() {
        for (text, expected, others) in [
            (None, LevelFilter::INFO, LevelFilter::WARN),
            (Some(""), LevelFilter::INFO, LevelFilter::WARN),
            (Some("INFO"), LevelFilter::INFO, LevelFilter::WARN),
            (Some("TRACE"), LevelFilter::TRACE, LevelFilter::INFO),
            (Some("debug"), LevelFilter::DEBUG, LevelFilter::INFO),
            (Some("WARN"), LevelFilter::WARN, LevelFilter::WARN),
            (Some("FATAL"), LevelFilter::ERROR, LevelFilter::ERROR),
        ] {
            assert_eq!(level(text), expected, "{text:?}");
            assert_eq!(targets(expected).default_level(), Some(others), "{text:?}");
        }
    }
}
