//! The Lambda function: an AWS Config custom rule.
//!
//! Connects the rule to AWS and to Lambda. It makes the clients and the cache once, reads the clock, and writes the log
//! and the metrics. It decides nothing. The log has one line for each evaluation and one for the
//! invocation. The result token and policy documents are never logged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use ecr_read_only::aws::{Aws, Clients};
use ecr_read_only::rule::{
    Answer, Cache, Credentials, EvaluationError, Invocation, NotImported, Origin, OutOfTime, Ports, Problem, Progress,
    Report, end_schedule, evaluate, send_findings,
};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use time::OffsetDateTime;
use tracing::error;

use crate::logging::{LineContext, log_line};
use crate::metrics::{Measured, Metrics};
use crate::summary::Summary;

mod logging;
mod metrics;
mod summary;

/// How long before the Lambda timeout an invocation gives up. This leaves time to report the failure and to write the
/// log and the metrics. If less than twice this time is left, it is half of that.
const MARGIN: Duration = Duration::from_secs(2);

/// The time limit where the deadline has passed: the longest that Lambda allows. Some emulators of Lambda send a deadline
/// that means nothing. Throttled calls are repeated until the time limit, so there always is one.
const LONGEST_INVOCATION: Duration = Duration::from_secs(900);

/// The state that invocations share.
struct Function {
    aws: Aws,
    cache: Cache,
    metrics: Metrics,
    warm: AtomicBool,
}

// One thread is enough: an invocation waits for AWS nearly all of its time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::start();
    let aws = Aws::from_environment().await.inspect_err(|cause| error!(error = %cause, "start failed"))?;
    let metrics =
        Metrics::install(logging::configured()).inspect_err(|cause| error!(error = %cause, "start failed"))?;
    let function = &Function { aws, cache: Cache::new(), metrics, warm: AtomicBool::new(false) };
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context, .. } = event;
        function.invoke(payload, &context).await
    }))
    .await
}

impl Function {
    /// One invocation: the summary for Lambda, or the failure that makes Lambda run it again.
    async fn invoke(&self, payload: Value, context: &Context) -> Result<Summary, Diagnostic> {
        let (started, cold_start) = (Instant::now(), !self.warm.swap(true, Ordering::Relaxed));
        let origin = Origin::read(&payload);
        let invocation = Invocation::parse(payload);
        let origin = match &invocation {
            Ok(invocation) => origin.with_parsed(invocation),
            Err(_) => origin,
        };
        let line = LineContext { request_id: &context.request_id, origin: &origin };
        let result = match invocation {
            Ok(invocation) => self.evaluate_in_time(&invocation, context, line).await,
            Err(error) => Err(error.into()),
        };
        let response = response(&result);
        let (report, failure) = (result.as_ref().ok(), response.as_ref().err());
        log(report, failure, line);
        let measured = Measured {
            context: line,
            report,
            error_type: failure.map(|failure| failure.error_type.as_str()),
            calls: self.aws.counter().take(),
            latency: started.elapsed(),
            cold_start,
        };
        if let Err(cause) = self.metrics.write(&measured, std::io::stdout().lock()) {
            // The result of the invocation stays the same.
            log_line!(warn, line, error = %cause, "metrics not written");
        }
        response
    }

    /// Evaluates, then sends findings. If time runs out while findings are sent, the report of the evaluation is kept.
    async fn evaluate_in_time(
        &self,
        invocation: &Invocation,
        context: &Context,
        line: LineContext<'_>,
    ) -> Result<Report, EvaluationError> {
        let at = OffsetDateTime::now_utc();
        let progress = Progress::default();
        // Boxed, because the futures are nested too deeply for the compiler to compute their layout.
        let clients = Box::pin(self.clients(invocation, context, line));
        let clients = self.in_time(context, &progress, clients).await.map_err(EvaluationError::OutOfTime)??;
        let evaluation = Box::pin(self.evaluate(&clients, invocation, &progress, line, at));
        let mut report = self.in_time(context, &progress, evaluation).await.map_err(EvaluationError::OutOfTime)??;
        let sending =
            Box::pin(send_findings(&clients.security_hub, &clients.config, invocation, &mut report, &progress, at));
        let sent = self.in_time(context, &progress, sending).await;
        let sent = sent.unwrap_or_else(|late| Err(NotImported::OutOfTime(late)));
        report.problems.extend(sent.err().map(Problem::FindingsNotImported));
        end_schedule(&self.cache, invocation, &report);
        Ok(report)
    }

    async fn clients(
        &self,
        invocation: &Invocation,
        context: &Context,
        line: LineContext<'_>,
    ) -> Result<Arc<Clients>, EvaluationError> {
        let credentials = Credentials::for_invocation(invocation, &context.invoked_function_arn)?;
        for action in invocation.parameters.criteria.unknown_actions() {
            log_line!(
                warn,
                line,
                action,
                "an action of `AdditionalAllowedActions` is not in the catalogue; check its spelling"
            );
        }
        for operation in invocation.parameters.criteria.operations_without_action() {
            log_line!(
                warn,
                line,
                action = operation.full_name,
                checkedAction = operation.checked_action,
                "an entry of `AdditionalAllowedActions` is an API operation, not an action; IAM checks `checkedAction` instead"
            );
        }
        for warning in &invocation.warnings {
            log_line!(warn, line, cause = %warning, "a policy document of the event is not used; IAM has the policy");
        }
        self.aws.clients(&credentials).await.map_err(EvaluationError::NoCredentials)
    }

    async fn evaluate(
        &self,
        clients: &Clients,
        invocation: &Invocation,
        progress: &Progress,
        line: LineContext<'_>,
        at: OffsetDateTime,
    ) -> Result<Report, EvaluationError> {
        let ports = Ports { iam: &clients.iam, eks: &clients.eks, store: &clients.config };
        let on_stored = |answer: &Answer| log_answer(answer, true, line);
        evaluate(&ports, &self.cache, invocation, progress, &on_stored, at).await
    }

    /// The output of the future, or where it was when time ran out.
    async fn in_time<T>(
        &self,
        context: &Context,
        progress: &Progress,
        mut future: impl Future<Output = T> + Unpin,
    ) -> Result<T, OutOfTime> {
        let (time, margin) = time_limit(context.deadline(), SystemTime::now());
        // A reference, because the running calls end when the future is dropped.
        let output = tokio::time::timeout(time, &mut future).await;
        output.map_err(|_| OutOfTime { margin, step: progress.step(), calls: self.aws.counter().running() })
    }
}

/// The time that the invocation may take from now on, and the time between that and its deadline.
fn time_limit(deadline: SystemTime, now: SystemTime) -> (Duration, Duration) {
    let left = deadline.duration_since(now).ok().filter(|left| !left.is_zero()).unwrap_or(LONGEST_INVOCATION);
    let margin = MARGIN.min(left / 2);
    (left - margin, margin)
}

/// The response to Lambda: the summary, or the failure.
fn response(result: &Result<Report, EvaluationError>) -> Result<Summary, Diagnostic> {
    let (error_type, error_message) = match result {
        Ok(report) => match report.failure() {
            None => return Ok(Summary::of(report)),
            Some(failure) => (failure.error_type(), failure.to_string()),
        },
        Err(error) => (error.error_type(), error.to_string()),
    };
    Err(Diagnostic { error_type: error_type.to_owned(), error_message })
}

fn log(report: Option<&Report>, failure: Option<&Diagnostic>, line: LineContext<'_>) {
    if let Some(report) = report {
        let outcome = &report.outcome;
        let not_stored: BTreeSet<_> = report.not_stored().collect();
        for answer in &outcome.answers {
            log_answer(answer, !not_stored.contains(&answer.evaluation.resource), line);
        }
        for role in report.unreadable() {
            let (id, cause) = (role.id.as_deref(), &role.cause);
            log_line!(warn, line, resource: id, role = role.name, roleId = id, cause = %cause, "no verdict");
        }
        for resource in &outcome.left_to_schedule {
            let id = Some(resource.id.as_str());
            log_line!(warn, line, resource: id, resource = %resource, "evaluation deferred to the next scheduled run");
        }
        Summary::of(report).log(outcome, line);
    }
    if let Some(Diagnostic { error_type, error_message }) = failure {
        log_line!(error, line, errorType = error_type, error = %error_message, "evaluation failed");
    }
}

/// Writes the line of one answer. If AWS Config has not stored it, the message is another one.
fn log_answer(answer: &Answer, is_stored: bool, line: LineContext<'_>) {
    let (evaluation, role) = (&answer.evaluation, answer.role());
    let id = Some(evaluation.resource.id.as_str());
    // For a deleted role the answer has only the id. The event may show the name.
    let name_in_event = line.origin.role_name.as_deref().filter(|_| id == line.resource_id());
    let name = answer.role_name.as_deref().or(name_in_event);
    let node_of = role.map(|role| role.node_of().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    // Writing plain data does not fail. If it did, the line would show the reason.
    let evidence = role.map(|role| serde_json::to_string(&role.evidence()).unwrap_or_else(|cause| cause.to_string()));
    macro_rules! answer_line {
        ($level:ident, $message:literal) => {
            log_line!(
                $level,
                line,
                resource: id,
                resourceType = evaluation.resource.resource_type,
                role = name,
                roleArn = role.map(|role| role.arn.as_str()),
                compliance = evaluation.compliance.as_str(),
                annotation = evaluation.annotation.as_deref(),
                nodeOf = node_of,
                evidence,
                $message
            )
        };
    }
    if is_stored {
        answer_line!(info, "verdict");
    } else {
        answer_line!(warn, "verdict not stored");
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::time_limit;

    #[test]
    fn time_limit_ends_before_the_deadline() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let seconds = Duration::from_secs;
        for (left, expected) in [
            (seconds(900), (seconds(898), seconds(2))),
            (seconds(3), (Duration::from_millis(1500), Duration::from_millis(1500))),
            // The deadline has passed.
            (seconds(0), (seconds(898), seconds(2))),
        ] {
            assert_eq!(time_limit(now + left, now), expected, "{left:?}");
        }
        assert_eq!(time_limit(SystemTime::UNIX_EPOCH, now), (seconds(898), seconds(2)));
    }
}
