//! What the function keeps between invocations: the answers of EKS about an account, and documents of policy versions.
//!
//! Knows how much is kept; `answers.rs` knows for how long. Each account has its own cache. Never cached: which version of a
//! policy is the default, and anything about a role. No clock is read here: the time is that of the evaluation.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::policy::Document;
use crate::rule::invocation::parameters::ClusterScope;
use crate::rule::ports::eks::Eks;
use crate::rule::ports::iam::PolicyVersion;
use crate::rule::progress::Progress;
use crate::rule::read::answers::{Answers, Freshness};
use crate::rule::read::clusters::{Clusters, discover};
use futures_util::lock::Mutex as AsyncMutex;
use time::OffsetDateTime;

/// The most accounts in the cache. One more empties it. An organisation with more accounts spreads its events over many
/// instances of the function anyway.
const ACCOUNTS: usize = 64;

/// The most rules of an account whose schedules are repeated.
const RULES: usize = 8;

/// The most text of policy documents that is cached for an account, in bytes as IAM sends it. That is dozens of usual
/// policies; the longest have 6,144 characters. A parsed document takes a few times as much memory.
const DOCUMENT_BYTES: usize = 64 << 10;

/// The cache of the function. Make one for the process.
#[derive(Debug, Default)]
pub struct Cache {
    accounts: Mutex<HashMap<String, Arc<AccountCache>>>,
}

impl Cache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    pub(in crate::rule) fn of_account(&self, account_id: &str) -> Arc<AccountCache> {
        entry(&self.accounts, ACCOUNTS, account_id.to_owned())
    }
}

/// The cache of one account.
#[derive(Debug, Default)]
pub(in crate::rule) struct AccountCache {
    answers: Answers,
    /// Held while clusters are read.
    reading: AsyncMutex<()>,
    /// By rule: the schedule that did not succeed yet, and when its first attempt began.
    schedules: Mutex<HashMap<String, Schedule>>,
    documents: Mutex<Documents>,
}

/// A schedule that did not succeed yet.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    notified: OffsetDateTime,
    first_attempt: OffsetDateTime,
}

impl AccountCache {
    /// When the first attempt of a rule's schedule began: `at` unless an earlier attempt failed. `notified` is when AWS Config
    /// sent it, which all its attempts have in common.
    pub(in crate::rule) fn start_schedule(
        &self,
        rule_name: &str,
        notified: OffsetDateTime,
        at: OffsetDateTime,
    ) -> OffsetDateTime {
        let mut schedules = self.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        if schedules.len() >= RULES && !schedules.contains_key(rule_name) {
            schedules.clear();
        }
        let schedule = schedules.entry(rule_name.to_owned()).or_insert(Schedule { notified, first_attempt: at });
        if schedule.notified != notified {
            *schedule = Schedule { notified, first_attempt: at };
        }
        schedule.first_attempt
    }

    /// The schedule of a rule succeeded. The next one reads everything again.
    pub(in crate::rule) fn end_schedule(&self, rule_name: &str) {
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner).remove(rule_name);
    }

    /// The clusters in scope. Concurrent callers share the answers: they wait for each other.
    pub(in crate::rule) async fn clusters(
        &self,
        eks: &impl Eks,
        scope: &ClusterScope,
        freshness: &Freshness<'_>,
        progress: &Progress,
    ) -> Arc<Clusters> {
        progress.begin("waiting for another evaluation that reads clusters", None);
        let _reading = self.reading.lock().await;
        Arc::new(discover(eks, &self.answers, scope, freshness, progress).await)
    }

    /// The document of a policy version. A version never changes.
    pub(in crate::rule) fn document(&self, version: &PolicyVersion) -> Option<Arc<Document>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).by_version.get(version).cloned()
    }

    /// Caches the document of a policy version. `bytes` is the length of its text.
    pub(in crate::rule) fn insert_document(&self, version: PolicyVersion, document: &Arc<Document>, bytes: usize) {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.bytes + bytes > DOCUMENT_BYTES {
            *documents = Documents::default();
        }
        if documents.by_version.insert(version, Arc::clone(document)).is_none() {
            documents.bytes += bytes;
        }
    }
}

#[derive(Debug, Default)]
struct Documents {
    by_version: HashMap<PolicyVersion, Arc<Document>>,
    bytes: usize,
}

/// The value of a key, made if there is none. A map that already has `most` keys is emptied before.
fn entry<K: Eq + Hash, V: Default>(map: &Mutex<HashMap<K, Arc<V>>>, most: usize, key: K) -> Arc<V> {
    let mut map = map.lock().unwrap_or_else(PoisonError::into_inner);
    if map.len() >= most && !map.contains_key(&key) {
        map.clear();
    }
    Arc::clone(map.entry(key).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_document_cache_is_emptied() {
        let cache = AccountCache::default();
        let text = r#"{"Version":"2012-10-17","Statement":[]}"#;
        let document = Arc::new(Document::parse(text).unwrap());
        let version = |number: usize| PolicyVersion {
            arn: "arn:aws:iam::aws:policy/a".to_owned(),
            policy_id: "ANPA".to_owned(),
            version: format!("v{number}"),
        };
        for number in 0..10_000 {
            cache.insert_document(version(number), &document, 6_144);
            assert!(cache.document(&version(number)).is_some());
        }
        assert!(cache.document(&version(0)).is_none());
        assert!(cache.documents.lock().unwrap().by_version.len() <= DOCUMENT_BYTES / 6_144);
    }

    #[test]
    fn full_account_cache_is_emptied() {
        let cache = Cache::new();
        for account in 0..1_000 {
            cache.of_account(&format!("{account:012}"));
        }
        assert!(cache.accounts.lock().unwrap().len() <= ACCOUNTS);
    }
}
