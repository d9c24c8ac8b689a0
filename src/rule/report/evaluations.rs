//! Sends evaluations to AWS Config until it has stored them all, or says which it has not.
//!
//! Knows the limits of PutEvaluations
//! (<https://docs.aws.amazon.com/config/latest/APIReference/API_PutEvaluations.html>), not what is said.

use std::fmt;

use crate::rule::ports::config::{ComplianceStore, Evaluation, ResourceId, ResultToken};
use crate::rule::ports::error::{PortError, PortErrorKind};

/// The most evaluations that one call takes.
const BATCH: usize = 100;

/// How many times what AWS Config failed to store is sent again.
const RESENDS: usize = 3;

/// AWS Config did not take all evaluations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotStored {
    /// A call failed.
    #[error("{cause}; {} of {total} evaluations were stored", total - .resources.len())]
    Call {
        /// What failed.
        cause: PortError,
        /// The resources whose evaluations were not stored.
        resources: Vec<ResourceId>,
        /// How many there were.
        total: usize,
    },
    /// The calls succeeded, but AWS Config kept refusing some evaluations.
    #[error("config:PutEvaluations did not store {} of {total} evaluations, sent {} times: {}",
        .resources.len(), RESENDS + 1, List(.resources))]
    Refused {
        /// The resources that they are about.
        resources: Vec<ResourceId>,
        /// How many there were.
        total: usize,
    },
}

struct List<'a>(&'a [ResourceId]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, resource) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{resource}")?;
        }
        Ok(())
    }
}

/// What became of evaluations that were sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::rule) struct Sent {
    /// Those that AWS Config did not take and that the schedule will answer.
    pub(in crate::rule) left: Vec<ResourceId>,
}

/// Sends the evaluations in their order. What was not stored is sent again after the others have been, which
/// gives AWS Config what time there is without a clock.
///
/// With `own_suffices`, the first alone has to be stored: it is about the resource whose change is being answered. Whether
/// AWS Config takes evaluations of other resources from such a run is not documented, and unverified. If it refuses
/// them, each by itself or a call that holds them, the first is sent alone, and the schedule answers the rest.
pub(in crate::rule) async fn send(
    store: &impl ComplianceStore,
    token: &ResultToken,
    evaluations: Vec<Evaluation>,
    own_suffices: bool,
) -> Result<Sent, NotStored> {
    let own = evaluations.first().filter(|_| own_suffices && evaluations.len() > 1).cloned();
    let problem = match send_all(store, token, &evaluations).await {
        Ok(()) => return Ok(Sent::default()),
        Err(problem) => problem,
    };
    let Some(own) = own else { return Err(problem) };
    match problem {
        NotStored::Refused { resources, .. } if !resources.contains(&own.resource) => Ok(Sent { left: resources }),
        NotStored::Call { cause, mut resources, .. } if cause.kind() == PortErrorKind::NotAccepted => {
            if resources.contains(&own.resource) {
                send_all(store, token, std::slice::from_ref(&own)).await?;
                resources.retain(|resource| *resource != own.resource);
            }
            Ok(Sent { left: resources })
        }
        problem => Err(problem),
    }
}

async fn send_all(
    store: &impl ComplianceStore,
    token: &ResultToken,
    evaluations: &[Evaluation],
) -> Result<(), NotStored> {
    let total = evaluations.len();
    let mut pending = evaluations.to_vec();
    for _ in 0..=RESENDS {
        let mut failed: Vec<Evaluation> = Vec::new();
        for (index, batch) in pending.chunks(BATCH).enumerate() {
            let refused = store.put_evaluations(token, token.asks_for_test_mode(), batch).await.map_err(|cause| {
                let unsent = pending.iter().skip(index * BATCH);
                let resources = failed.iter().chain(unsent).map(|one| one.resource.clone()).collect();
                NotStored::Call { cause, resources, total }
            })?;
            // An answer that names something else is not understood, so it vouches for nothing of the batch.
            let understood = refused.iter().all(|resource| batch.iter().any(|one| one.resource == *resource));
            failed.extend(batch.iter().filter(|one| !understood || refused.contains(&one.resource)).cloned());
        }
        if failed.is_empty() {
            return Ok(());
        }
        pending = failed;
    }
    Err(NotStored::Refused { resources: pending.into_iter().map(|one| one.resource).collect(), total })
}
