//! Counts calls to AWS and how many were tried again.
//!
//! Knows the SDK's hooks; must not know what is done with the numbers.

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

/// How often one operation was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls, however often each was tried.
    pub calls: u64,
    /// Attempts beyond the first of each call.
    pub retries: u64,
}

/// Calls by operation, such as `IAM GetRole`. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<String, Tally>>>);

#[derive(Debug, Default)]
struct Tally {
    calls: u64,
    attempts: u64,
}

impl Calls {
    /// What was counted since the last time this was asked.
    pub fn take(&self) -> BTreeMap<String, Count> {
        let tallies = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let count = |tally: Tally| Count { calls: tally.calls, retries: tally.attempts.saturating_sub(tally.calls) };
        tallies.into_iter().map(|(operation, tally)| (operation, count(tally))).collect()
    }

    fn count(&self, cfg: &ConfigBag, add: impl FnOnce(&mut Tally)) {
        let Some(operation) = cfg.load::<Metadata>() else { return };
        let operation = format!("{} {}", operation.service(), operation.name());
        add(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default());
    }
}

impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "Calls"
    }

    // Not before the execution: what the operation is called is not known then.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.count(cfg, |tally| tally.calls += 1);
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
    use std::time::Duration;

    use aws_config::BehaviorVersion;
    use aws_config::retry::RetryConfig;
    use aws_sdk_iam::config::{Credentials, Region};

    use super::{Calls, Count};

    #[tokio::test]
    async fn a_call_is_counted_once_however_often_it_is_tried() {
        let calls = Calls::default();
        let config = aws_sdk_iam::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            // Nobody listens there.
            .endpoint_url("http://127.0.0.1:1")
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1)))
            .interceptor(calls.clone())
            .build();
        let client = aws_sdk_iam::Client::from_conf(config);
        for _ in 0..2 {
            client.get_role().role_name("a").send().await.unwrap_err();
        }
        let expected = BTreeMap::from([("IAM GetRole".to_owned(), Count { calls: 2, retries: 4 })]);
        assert_eq!(calls.take(), expected);
        assert_eq!(calls.take(), BTreeMap::new());
    }
}
