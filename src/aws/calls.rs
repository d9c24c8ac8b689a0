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

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
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
