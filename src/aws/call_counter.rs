//! Counts the calls to AWS, and the retries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

tokio::task_local! {
    /// Whether the running call repeats one that was throttled.
    static IS_REPEAT: bool;
}

/// Makes a call, which counts as a retry if it repeats a throttled one.
pub(super) async fn counted<F: Future>(is_repeat: bool, call: F) -> F::Output {
    IS_REPEAT.scope(is_repeat, call).await
}

/// The number of calls of one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallCount {
    /// Calls. One that is retried counts once.
    pub calls: u64,
    /// Retries: attempts beyond the first of each call.
    pub retries: u64,
}

/// Counts calls by operation, such as `IAM GetRole`. Clones share their counts.
#[derive(Debug, Clone, Default)]
pub struct CallCounter(Arc<Mutex<BTreeMap<String, Tally>>>);

#[derive(Debug, Default)]
struct Tally {
    calls: u64,
    attempts: u64,
}

impl CallCounter {
    /// Returns the counts and sets them to zero.
    pub fn take(&self) -> BTreeMap<String, CallCount> {
        let tallies = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let count =
            |tally: Tally| CallCount { calls: tally.calls, retries: tally.attempts.saturating_sub(tally.calls) };
        tallies.into_iter().map(|(operation, tally)| (operation, count(tally))).collect()
    }

    fn count(&self, cfg: &ConfigBag, add: impl FnOnce(&mut Tally)) {
        let Some(operation) = cfg.load::<Metadata>() else { return };
        let operation = format!("{} {}", operation.service(), operation.name());
        add(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default());
    }
}

impl Intercept for CallCounter {
    fn name(&self) -> &'static str {
        "CallCounter"
    }

    // The earliest hook at which the operation's name is known.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_repeat = IS_REPEAT.try_with(|is_repeat| *is_repeat).unwrap_or_default();
        self.count(cfg, |tally| tally.calls += u64::from(!is_repeat));
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.count(cfg, |tally| tally.attempts += 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::replay::{Replay, response};
    use super::{CallCount, CallCounter};

    #[tokio::test]
    async fn retried_call_counts_once() {
        let counter = CallCounter::default();
        let replay = Replay::new((0..6).map(|_| response(500, "")));
        let config = aws_sdk_iam::config::Builder::from(&replay.sdk_config().await).interceptor(counter.clone());
        let client = aws_sdk_iam::Client::from_conf(config.build());
        for _ in 0..2 {
            client.get_role().role_name("a").send().await.unwrap_err();
        }
        let expected = BTreeMap::from([("IAM GetRole".to_owned(), CallCount { calls: 2, retries: 4 })]);
        assert_eq!(counter.take(), expected);
        assert_eq!(counter.take(), BTreeMap::new());
    }
}
