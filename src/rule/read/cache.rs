//! What outlives an invocation: the clusters of an account for some minutes, and the documents of policy versions.
//!
//! Knows how long and how much. Each account has a cache of its own. Which version of a policy is the default is never
//! remembered, and neither is anything of a role. Must not read a clock: the time is that of the evaluation.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;
use time::{Duration, OffsetDateTime};

use crate::policy::Document;
use crate::rule::invocation::parameters::ClusterScope;
use crate::rule::ports::eks::{ClusterId, Eks};
use crate::rule::ports::error::PortError;
use crate::rule::ports::iam::PolicyVersion;
use crate::rule::read::clusters::{Clusters, discover, read_clusters};

/// How long clusters are remembered. What AWS Config does not report (node groups, access entries) shows to events this
/// much later; a schedule never relies on cache.
pub const CLUSTERS_CACHED_FOR: Duration = Duration::minutes(5);

/// How many accounts are remembered. Beyond them, cache begins anew: an organisation that has more shares its events
/// among many instances of the function anyway.
const ACCOUNTS: usize = 16;

/// How many scopes an account has: one for each set of parameters of the rules that share the function.
const SCOPES: usize = 4;

/// How much text of policy documents is remembered for an account, in bytes as IAM sends it: hundreds of policies as they
/// mostly are, of 6,144 characters at most. Understood, a document takes some times as much.
const DOCUMENT_BYTES: usize = 256 << 10;

/// What is remembered between invocations. Make one for the process.
#[derive(Debug, Default)]
pub struct Cache {
    accounts: Mutex<HashMap<String, Arc<AccountCache>>>,
}

impl Cache {
    /// Remembers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(in crate::rule) fn of_account(&self, account_id: &str) -> Arc<AccountCache> {
        entry(&self.accounts, ACCOUNTS, account_id.to_owned())
    }
}

/// Whether what is remembered of clusters will do.
#[derive(Debug, Clone, Copy)]
pub(in crate::rule) enum Freshness<'a> {
    /// Yes, if it is not too old.
    Cached,
    /// Yes, but for this cluster, which changed.
    CachedExcept(&'a ClusterId),
    /// No.
    Fresh,
}

/// What is remembered of one account.
#[derive(Debug, Default)]
pub(in crate::rule) struct AccountCache {
    clusters: Mutex<HashMap<ClusterScope, Arc<CachedClusters>>>,
    documents: Mutex<Documents>,
}

/// The clusters of a scope, if they were asked for. Whoever asks meanwhile waits.
type CachedClusters = AsyncMutex<Option<Arc<Clusters>>>;

impl AccountCache {
    /// The clusters in scope. Whoever asks while they are being asked for waits for that answer.
    pub(in crate::rule) async fn clusters(
        &self,
        eks: &impl Eks,
        scope: &ClusterScope,
        freshness: Freshness<'_>,
        at: OffsetDateTime,
    ) -> Result<Arc<Clusters>, PortError> {
        let slot = entry(&self.clusters, SCOPES, scope.clone());
        let mut slot = slot.lock().await;
        // A clock that was set back makes any age possible: then nothing is young enough.
        let young = |known: &&mut Arc<Clusters>| (Duration::ZERO..CLUSTERS_CACHED_FOR).contains(&(at - known.at));
        if let Some(known) = slot.as_mut().filter(young) {
            match freshness {
                Freshness::Cached => return Ok(Arc::clone(known)),
                Freshness::CachedExcept(changed) => {
                    let read = read_clusters(eks, vec![changed.clone()], scope).await?;
                    let mut clusters = Clusters::clone(known);
                    clusters.clusters.retain(|cluster| cluster.id != *changed);
                    clusters.clusters.extend(read);
                    clusters.clusters.sort_by(|one, other| one.id.cmp(&other.id));
                    *known = Arc::new(clusters);
                    return Ok(Arc::clone(known));
                }
                Freshness::Fresh => {}
            }
        }
        let clusters = Arc::new(discover(eks, scope, at).await?);
        *slot = Some(Arc::clone(&clusters));
        Ok(clusters)
    }

    /// The document of a policy's version. A version never changes.
    pub(in crate::rule) fn document(&self, version: &PolicyVersion) -> Option<Arc<Document>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).known.get(version).cloned()
    }

    /// Remembers the document of a policy's version, whose text had so many bytes.
    pub(in crate::rule) fn insert_document(&self, version: PolicyVersion, document: &Arc<Document>, bytes: usize) {
        let mut documents = self.documents.lock().unwrap_or_else(PoisonError::into_inner);
        if documents.bytes + bytes > DOCUMENT_BYTES {
            *documents = Documents::default();
        }
        if documents.known.insert(version, Arc::clone(document)).is_none() {
            documents.bytes += bytes;
        }
    }
}

#[derive(Debug, Default)]
struct Documents {
    known: HashMap<PolicyVersion, Arc<Document>>,
    bytes: usize,
}

/// The value of a key, made if there is none; where there are too many, all are forgotten before.
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
    fn documents_are_remembered_up_to_a_limit_and_then_begun_anew() {
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
        assert!(cache.documents.lock().unwrap().known.len() <= DOCUMENT_BYTES / 6_144);
    }

    #[test]
    fn accounts_are_kept_apart_and_are_not_too_many() {
        let cache = Cache::new();
        for account in 0..1_000 {
            cache.of_account(&format!("{account:012}"));
        }
        assert!(cache.accounts.lock().unwrap().len() <= ACCOUNTS);
    }
}
