//! The Lambda function: an AWS Config custom rule.
//!
//! Ties the rule to AWS and to Lambda: clients made once, the clock read, answers and failures logged. Decides
//! nothing. One line of log per answer, one per invocation; never the result token, never a policy document.

use ecr_read_only::access::Compliance;
use ecr_read_only::aws::Clients;
use ecr_read_only::rule::{Answer, EvaluationError, Invocation, Outcome, Ports, evaluate};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use tracing::{error, info, warn};

mod logging;

// One thread: an invocation waits for AWS nearly all of its time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    logging::start();
    let clients = Clients::from_environment().await.inspect_err(|cause| error!(error = %cause, "start failed"))?;
    let clients = &clients;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let LambdaEvent { payload, context, .. } = event;
        // Boxed, because the compiler gives up on the layout of so deep a future.
        let result = Box::pin(invoke(clients, payload, &context)).await;
        report(&result, &context.request_id);
        result
            .map(|outcome| Summary::of(&outcome))
            .map_err(|error| Diagnostic { error_type: error.type_name().to_owned(), error_message: error.to_string() })
    }))
    .await
}

async fn invoke(clients: &Clients, payload: Value, context: &Context) -> Result<Outcome, EvaluationError> {
    let invocation = Invocation::parse(payload)?;
    // Emulators of Lambda have no account in the function's ARN, and nothing to mistake for another.
    if let Some(own) = account_of(&context.invoked_function_arn) {
        invocation.require_account(own)?;
    }
    for action in invocation.parameters.criteria.unknown_actions() {
        warn!(
            requestId = context.request_id,
            action, "`AdditionalAllowedActions` names an action that is not in the catalogue"
        );
    }
    let ports = Ports { iam: &clients.iam, eks: &clients.eks, store: &clients.config };
    evaluate(&ports, &invocation, OffsetDateTime::now_utc()).await
}

/// The account in `arn:aws:lambda:us-east-1:111122223333:function:name`.
fn account_of(function_arn: &str) -> Option<&str> {
    function_arn
        .split(':')
        .nth(4)
        .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What the invocation came to in numbers: its answer to Lambda, and its last line in the log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    trigger: &'static str,
    roles_evaluated: usize,
    compliant: usize,
    non_compliant: usize,
    not_applicable: usize,
    unreadable: usize,
}

impl Summary {
    fn of(outcome: &Outcome) -> Self {
        Self {
            trigger: outcome.trigger,
            roles_evaluated: outcome.judged(),
            compliant: outcome.count(Compliance::Compliant),
            non_compliant: outcome.count(Compliance::NonCompliant),
            not_applicable: outcome.count(Compliance::NotApplicable),
            unreadable: outcome.unreadable.len(),
        }
    }
}

fn report(result: &Result<Outcome, EvaluationError>, request_id: &str) {
    let outcome = match result {
        Ok(outcome) => Some(outcome),
        Err(error) => error.outcome(),
    };
    if let Some(outcome) = outcome {
        for answer in &outcome.answers {
            report_answer(answer, request_id);
        }
        for role in &outcome.unreadable {
            warn!(requestId = request_id, role = role.name, roleId = role.id.as_deref(), cause = %role.cause, "no verdict");
        }
        let Summary { trigger, roles_evaluated, compliant, non_compliant, not_applicable, unreadable } =
            Summary::of(outcome);
        info!(
            requestId = request_id,
            trigger,
            rolesEvaluated = roles_evaluated,
            compliant,
            nonCompliant = non_compliant,
            notApplicable = not_applicable,
            unreadable,
            factsElsewhere = outcome.elsewhere,
            "evaluation"
        );
    }
    if let Err(error) = result {
        error!(requestId = request_id, errorType = error.type_name(), error = %error, "evaluation failed");
    }
}

fn report_answer(Answer { evaluation, judged }: &Answer, request_id: &str) {
    let annotation = evaluation.annotation.as_deref();
    let node_of =
        judged.as_ref().map(|judged| judged.node_of.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    // A verdict is plain data, so that it can always be written; if not, the line says why.
    let evidence =
        judged.as_ref().map(|judged| serde_json::to_string(&judged.verdict).unwrap_or_else(|cause| cause.to_string()));
    info!(
        requestId = request_id,
        resourceType = evaluation.resource.resource_type,
        resourceId = evaluation.resource.id,
        roleArn = judged.as_ref().map(|judged| judged.role_arn.as_str()),
        compliance = evaluation.compliance.as_str(),
        annotation,
        nodeOf = node_of,
        evidence,
        "verdict"
    );
}
