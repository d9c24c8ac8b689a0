//! Sends evaluations to AWS Config until it has stored them all, or reports which it has not.
//!
//! Knows the limits of PutEvaluations
//! (<https://docs.aws.amazon.com/config/latest/APIReference/API_PutEvaluations.html>), not what the evaluations are about.

use crate::rule::ports::config::{ComplianceStore, Evaluation, ResourceId, ResultToken};
use crate::rule::ports::error::{PortError, PortErrorKind};
use crate::rule::progress::Progress;
use crate::rule::report::outcome::Answer;
use crate::rule::report::problem::NotStored;

/// The most evaluations that one call takes.
pub(in crate::rule) const BATCH: usize = 100;

/// How many times an evaluation is sent that AWS Config does not store.
const ATTEMPTS: usize = 4;

/// Which evaluations AWS Config has to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rule) enum Required {
    /// All of them.
    All,
    /// The first, which is about the resource whose change triggered the evaluation.
    First,
}

/// Sends the evaluations in their order. Returns the resources whose evaluations AWS Config did not store and that the
/// next scheduled run sends; always none with [`Required::All`].
///
/// AWS does not document whether AWS Config takes evaluations of other resources from a run about one resource. If it
/// refuses them, one by one or as a whole call, with [`Required::First`] the first evaluation is sent alone.
///
/// # Errors
/// A required evaluation was not stored.
pub(in crate::rule) async fn send(
    store: &impl ComplianceStore,
    token: &ResultToken,
    evaluations: &[Evaluation],
    required: Required,
    progress: &Progress,
) -> Result<Vec<ResourceId>, NotStored> {
    let problem = match send_all(store, token, evaluations, progress).await {
        Ok(()) => return Ok(Vec::new()),
        Err(problem) => problem,
    };
    let first = match (required, evaluations) {
        (Required::First, [first, _, ..]) => first,
        _ => return Err(problem),
    };
    match problem {
        NotStored::Refused { resources, .. } if !resources.contains(&first.resource) => Ok(resources),
        NotStored::Call { cause, mut resources, .. } if cause.kind() == PortErrorKind::NotAccepted => {
            if resources.contains(&first.resource) {
                send_all(store, token, std::slice::from_ref(first), progress).await?;
                resources.retain(|resource| *resource != first.resource);
            }
            Ok(resources)
        }
        problem => Err(problem),
    }
}

/// Sends one batch of answers while the evaluation goes on, at most [`BATCH`]. Returns those that AWS Config stored, and those
/// that it did not store. They can be sent again later.
///
/// # Errors
/// The call failed. The answers come back, because none is known to be stored.
pub(in crate::rule) async fn send_batch(
    store: &impl ComplianceStore,
    token: &ResultToken,
    answers: Vec<Answer>,
) -> Result<(Vec<Answer>, Vec<Answer>), (PortError, Vec<Answer>)> {
    let evaluations: Vec<Evaluation> = answers.iter().map(|answer| answer.evaluation.clone()).collect();
    let refused = match store.put_evaluations(token, token.asks_for_test_mode(), &evaluations).await {
        Ok(refused) => refused,
        Err(cause) => return Err((cause, answers)),
    };
    let trusted = is_trusted(&refused, &evaluations);
    Ok(answers.into_iter().partition(|answer| trusted && !refused.contains(&answer.evaluation.resource)))
}

/// If the response names a resource that was not sent, it cannot be trusted: then the whole batch counts as not stored.
fn is_trusted(refused: &[ResourceId], batch: &[Evaluation]) -> bool {
    refused.iter().all(|resource| batch.iter().any(|one| one.resource == *resource))
}

/// Sends the evaluations in batches. Those that are not stored are sent again after all others: that gives AWS Config
/// time, and needs no clock.
async fn send_all(
    store: &impl ComplianceStore,
    token: &ResultToken,
    evaluations: &[Evaluation],
    progress: &Progress,
) -> Result<(), NotStored> {
    let total = evaluations.len();
    progress.begin("sending evaluations", total);
    let mut pending = evaluations.to_vec();
    for _ in 0..ATTEMPTS {
        let mut failed: Vec<Evaluation> = Vec::new();
        for (index, batch) in pending.chunks(BATCH).enumerate() {
            let refused = store.put_evaluations(token, token.asks_for_test_mode(), batch).await.map_err(|cause| {
                let unsent = pending.iter().skip(index * BATCH);
                let resources = failed.iter().chain(unsent).map(|one| one.resource.clone()).collect();
                NotStored::Call { cause, resources, total }
            })?;
            let trusted = is_trusted(&refused, batch);
            let stored = failed.len() + batch.len();
            failed.extend(batch.iter().filter(|one| !trusted || refused.contains(&one.resource)).cloned());
            progress.advance(stored - failed.len());
        }
        if failed.is_empty() {
            return Ok(());
        }
        pending = failed;
    }
    let resources = pending.into_iter().map(|one| one.resource).collect();
    Err(NotStored::Refused { resources, total, attempts: ATTEMPTS })
}
