//! Counts the calls to AWS and the retries, and knows which calls are running.

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
pub struct CallCounter {
    tallies: Arc<Mutex<BTreeMap<String, Tally>>>,
    /// How many calls of an operation are running, by its name in IAM policies.
    running: Arc<Mutex<BTreeMap<&'static str, usize>>>,
}

/// A call that is running, until this is dropped.
#[derive(Debug)]
pub(super) struct RunningCall<'a> {
    counter: &'a CallCounter,
    operation: &'static str,
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        let mut running = self.counter.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(self.operation) {
            *count -= 1;
        }
        running.retain(|_, count| *count > 0);
    }
}

#[derive(Debug, Default)]
struct Tally {
    calls: u64,
    attempts: u64,
}

impl CallCounter {
    /// Returns the counts and sets them to zero.
    pub fn take(&self) -> BTreeMap<String, CallCount> {
        let tallies = std::mem::take(&mut *self.tallies.lock().unwrap_or_else(PoisonError::into_inner));
        let count =
            |tally: Tally| CallCount { calls: tally.calls, retries: tally.attempts.saturating_sub(tally.calls) };
        tallies.into_iter().map(|(operation, tally)| (operation, count(tally))).collect()
    }

    /// The operations that are being called, also those that wait to be repeated: `iam:GetRole`.
    pub fn running(&self) -> Vec<&'static str> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// A call begins. `operation` as IAM policies spell it.
    pub(super) fn begin(&self, operation: &'static str) -> RunningCall<'_> {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
        RunningCall { counter: self, operation }
    }

    fn count(&self, cfg: &ConfigBag, add: impl FnOnce(&mut Tally)) {
        let Some(operation) = cfg.load::<Metadata>() else { return };
        let operation = format!("{} {}", operation.service(), operation.name());
        add(self.tallies.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default());
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
