//! The pace of calls: how many run at the same time, and how long a throttled call waits before it is repeated.
//!
//! There is one [`Pace`] for each account, service and region, because AWS throttles by these. Nodes, deployments and people
//! share the limits, so a throttled pace leaves room for them: it halves the number of concurrent calls, and raises it slowly.
//! A throttled call is repeated until it succeeds. Its only bound is the invocation's time limit, which drops the call.
//!
//! The SDK's own retries do not do this:
//!
//! - Standard mode stops when its token bucket is empty, after 100 retries. One bucket serves all accounts.
//! - Adaptive mode lowers its rate once for each throttled response. Eight throttled calls in flight lower it to a
//!   seventeenth, and a retry costs five times as much as a call. A run over 130 roles took five times as long as in
//!   standard mode.
//!
//! So the SDK retries only errors that are not throttling, and this file repeats throttled calls.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_iam::config::{AsyncSleep, SharedAsyncSleep};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use tokio::sync::Semaphore;

use super::call_counter::{CallCounter, RunningCall};

/// The most calls at the same time, and the number before anything is throttled.
const MOST_AT_ONCE: usize = 8;

/// How many calls in a row must succeed before one more call runs at the same time.
const SUCCESSES_TO_GROW: usize = 32;

/// The longest wait before the first repeat. It doubles with each repeat of the same call.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait before any repeat.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The tokens for the SDK's retries. A retry costs 5, after a timeout 10.
const TOKENS: usize = 500;

/// How many tokens are regained in a second. So an outage in one invocation leaves retries for the next one.
const TOKENS_PER_SECOND: f32 = 10.0;

/// The pace of the calls to one service in one region, with the credentials of one account. Clones share it.
#[derive(Clone)]
pub(super) struct Pace {
    permits: Arc<Semaphore>,
    concurrency: Arc<Mutex<Concurrency>>,
    retries: RetryPartition,
    sleep: Option<SharedAsyncSleep>,
    counter: CallCounter,
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pace").field(&self.concurrency()).finish()
    }
}

/// The number of concurrent calls, and how it changes. Knows no clock.
#[derive(Debug)]
struct Concurrency {
    /// How many calls may run at the same time.
    limit: usize,
    /// The permits that exist: free ones and those of running calls. More than the limit until running calls end.
    permits: usize,
    /// Successes in a row.
    successes: usize,
    /// How often the limit was halved. An attempt that began before the last time does not halve it again: the calls that
    /// run at the same time are throttled together.
    halvings: u64,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { limit: MOST_AT_ONCE, permits: MOST_AT_ONCE, successes: 0, halvings: 0 }
    }
}

impl Concurrency {
    /// An attempt was throttled. It began after this many halvings.
    fn throttled(&mut self, halvings: u64) {
        self.successes = 0;
        if self.halvings == halvings {
            self.limit = (self.limit / 2).max(1);
            self.halvings += 1;
        }
    }

    fn succeeded(&mut self) {
        self.successes += 1;
        if self.successes >= SUCCESSES_TO_GROW && self.limit < MOST_AT_ONCE {
            self.successes = 0;
            self.limit += 1;
        }
    }
}

impl Pace {
    /// A pace that starts with the most concurrent calls. It waits with the sleep of `sdk`.
    pub(super) fn new(sdk: &SdkConfig, counter: &CallCounter) -> Self {
        // A retry of a throttled attempt costs more tokens than the bucket holds, so the SDK does not repeat it.
        let tokens = TokenBucket::builder().capacity(TOKENS).refill_rate(TOKENS_PER_SECOND);
        let tokens = tokens.throttling_retry_cost(TOKENS as u32 + 1).build();
        Self {
            permits: Arc::new(Semaphore::new(MOST_AT_ONCE)),
            concurrency: Arc::default(),
            retries: RetryPartition::custom("pace").token_bucket(tokens).build(),
            sleep: sdk.sleep_impl(),
            counter: counter.clone(),
        }
    }

    /// The SDK's retries of errors that are not throttling. A client of the SDK must use it.
    pub(super) fn retries(&self) -> RetryPartition {
        self.retries.clone()
    }

    /// Waits until one more call may run. `operation` as IAM policies spell it.
    pub(super) async fn permit(&self, operation: &'static str) -> Permit<'_> {
        // The semaphore is never closed, so there is always a permit to forget.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        let (halvings, running) = (self.concurrency().halvings, self.counter.begin(operation));
        Permit { pace: self, halvings, repeats: 0, _running: running }
    }

    fn concurrency(&self) -> MutexGuard<'_, Concurrency> {
        self.concurrency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The permit of a running call. A throttled call keeps it while it waits.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    pace: &'a Pace,
    halvings: u64,
    repeats: u32,
    _running: RunningCall<'a>,
}

impl Permit<'_> {
    /// The call was throttled: lowers the pace, and waits until the call may be repeated.
    pub(super) async fn throttled(&mut self) {
        {
            let mut concurrency = self.pace.concurrency();
            concurrency.throttled(self.halvings);
            let excess = concurrency.permits.saturating_sub(concurrency.limit);
            concurrency.permits -= self.pace.permits.forget_permits(excess);
        }
        let wait = longest_wait(self.repeats).mul_f64(0.5 + fastrand::f64() / 2.0);
        self.repeats += 1;
        if let Some(sleep) = &self.pace.sleep {
            sleep.sleep(wait).await;
        }
        self.halvings = self.pace.concurrency().halvings;
    }

    /// The call got a response.
    pub(super) fn succeeded(self) {
        self.pace.concurrency().succeeded();
    }
}

/// Returns the permit, also if the call is dropped. With more permits than the limit it ceases; with fewer, one is added.
impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut concurrency = self.pace.concurrency();
        let free = (concurrency.limit + 1).saturating_sub(concurrency.permits);
        concurrency.permits = concurrency.permits - 1 + free;
        self.pace.permits.add_permits(free);
    }
}

/// The longest wait before the next repeat of a call that was repeated so often. Calls wait between half of it and all of
/// it, so that they do not meet again.
fn longest_wait(repeats: u32) -> Duration {
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(repeats)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::FutureExt;

    use super::super::replay::{Replay, response};
    use super::super::{CallCount, Clients};
    use super::*;
    use crate::rule::ports::{Eks, Iam};

    const CALL: &str = "iam:GetRole";

    /// What happens to the pace, in one step.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// So many calls begin and succeed, one after the other.
        Succeed(usize),
        /// So many calls begin at the same time, and all are throttled once.
        Throttle(usize),
    }

    #[tokio::test]
    async fn concurrency_halves_when_throttled_and_grows_slowly() {
        use Step::{Succeed, Throttle};
        for (steps, limit) in [
            (vec![], 8),
            (vec![Succeed(1_000)], 8),
            (vec![Throttle(1)], 4),
            // Calls that run at the same time are throttled together.
            (vec![Throttle(8)], 4),
            (vec![Throttle(8), Throttle(1)], 2),
            (vec![Throttle(1); 5], 1),
            (vec![Throttle(1), Succeed(31)], 4),
            (vec![Throttle(1), Succeed(32)], 5),
            (vec![Throttle(1), Succeed(31), Throttle(1), Succeed(31)], 2),
            (vec![Throttle(1), Succeed(128)], 8),
            (vec![Throttle(1), Succeed(1_000)], 8),
        ] {
            let pace = Pace::new(&Replay::new([]).sdk_config().await, &CallCounter::default());
            for step in &steps {
                match *step {
                    Succeed(calls) => {
                        for _ in 0..calls {
                            pace.permit(CALL).await.succeeded();
                        }
                    }
                    Throttle(calls) => {
                        let mut running = Vec::new();
                        for _ in 0..calls {
                            running.push(pace.permit(CALL).await);
                        }
                        for permit in &mut running {
                            permit.throttled().await;
                        }
                    }
                }
            }
            assert_eq!(pace.concurrency().limit, limit, "{steps:?}");
            let running: Vec<_> = std::iter::from_fn(|| pace.permit(CALL).now_or_never()).take(100).collect();
            assert_eq!(running.len(), limit, "calls at the same time after {steps:?}");
        }
    }

    /// IAM's response to a throttled call, and to GetPolicyVersion of a policy that is there.
    fn responses() -> [(u16, &'static str); 2] {
        [
            (
                400,
                "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
            ),
            (
                200,
                "<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>d</Document></PolicyVersion>\
                 </GetPolicyVersionResult></GetPolicyVersionResponse>",
            ),
        ]
    }

    #[tokio::test]
    async fn throttled_call_is_repeated_until_it_succeeds() {
        let [throttled, found] = responses();
        // More than the attempts of a call, and more than the SDK's tokens allow.
        for times in [0, 1, 8, 200] {
            let responses = std::iter::repeat_n(throttled, times).chain([found]);
            let replay = Replay::new(responses.map(|(status, body)| response(status, body)));
            let counter = CallCounter::default();
            let clients = Clients::new(&replay.sdk_config().await, &counter);
            let document = clients.iam.policy_version("arn:aws:iam::111122223333:policy/p", "v1").await;
            assert_eq!(document, Ok(Some("d".to_owned())), "throttled {times} times");
            let count = CallCount { calls: 1, retries: times as u64 };
            assert_eq!(counter.take(), BTreeMap::from([("IAM GetPolicyVersion".to_owned(), count)]));
        }
    }

    #[tokio::test]
    async fn other_errors_are_retried_a_few_times() {
        let [throttled, _] = responses();
        let [throttled, broken] = [throttled, (500, "")];
        for (given, attempts) in [(vec![broken; 9], 3), ([vec![throttled; 5], vec![broken; 9]].concat(), 8)] {
            let replay = Replay::new(given.into_iter().map(|(status, body)| response(status, body)));
            let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
            let error = clients.iam.policy_version("arn:aws:iam::111122223333:policy/p", "v1").await.unwrap_err();
            assert!(error.to_string().ends_with("(HTTP 500)"), "{error}");
            assert_eq!(replay.requests().len(), attempts);
        }
    }

    #[tokio::test]
    async fn failures_of_one_region_leave_retries_for_another() {
        let replay = Replay::new(std::iter::repeat_with(|| response(500, "")).take(1_000));
        let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
        for _ in 0..100 {
            clients.eks.clusters("us-east-1").await.unwrap_err();
        }
        replay.requests();
        clients.eks.clusters("us-east-2").await.unwrap_err();
        assert_eq!(replay.requests().len(), 3);
    }

    #[tokio::test]
    async fn running_calls_are_named_until_they_end() {
        let counter = CallCounter::default();
        let pace = Pace::new(&Replay::new([]).sdk_config().await, &counter);
        let (one, mut other, third) =
            (pace.permit(CALL).await, pace.permit(CALL).await, pace.permit("iam:ListRoles").await);
        one.succeeded();
        other.throttled().await;
        assert_eq!(counter.running(), [CALL, "iam:ListRoles"]);
        drop(other);
        assert_eq!(counter.running(), ["iam:ListRoles"]);
        drop(third);
        assert!(counter.running().is_empty());
    }

    #[tokio::test]
    async fn call_that_is_dropped_returns_its_permit() {
        let pace = Pace::new(&Replay::new([]).sdk_config().await, &CallCounter::default());
        for _ in 0..100 {
            let mut permit = pace.permit(CALL).await;
            permit.throttled().await;
            drop(permit);
        }
        assert!(pace.permit(CALL).now_or_never().is_some());
    }

    #[test]
    fn wait_doubles_up_to_its_limit() {
        let waits: Vec<u64> = [0, 1, 2, 3, 4, 40].map(|repeats| longest_wait(repeats).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 8, 8, 8]);
    }
}
