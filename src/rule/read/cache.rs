//! What the function keeps between invocations: the clusters of an account for some minutes, and documents of policy
//! versions.
//!
//! Knows how long and how much is kept. Each account has its own cache. Never cached: which version of a policy is the
//! default, and anything about a role. No clock is read here: the time is that of the evaluation.

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

/// How long a list of clusters is used. AWS Config does not report changes of node groups and access entries, so an event
/// can miss them for this long. A scheduled run always lists the clusters again.
pub const CLUSTERS_CACHED_FOR: Duration = Duration::minutes(5);

/// The most accounts in the cache. One more empties it. An organisation with more accounts spreads its events over many
/// instances of the function anyway.
const ACCOUNTS: usize = 64;

/// The most cluster scopes of an account: one for each set of parameters of the rules that share the function.
const SCOPES: usize = 4;

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

/// Which clusters may come from the cache.
#[derive(Debug, Clone, Copy)]
pub(in crate::rule) enum Freshness<'a> {
    /// All of them, unless they are too old.
    Cached,
    /// All but this one, which changed.
    CachedExcept(&'a ClusterId),
    /// None.
    Fresh,
}

/// The cache of one account.
#[derive(Debug, Default)]
pub(in crate::rule) struct AccountCache {
    clusters: Mutex<HashMap<ClusterScope, Arc<CachedClusters>>>,
    documents: Mutex<Documents>,
}

/// The clusters of a scope; `None` before they are read. Concurrent readers share one read.
type CachedClusters = AsyncMutex<Option<Arc<Clusters>>>;

impl AccountCache {
    /// The clusters in scope. Concurrent callers share one request.
    pub(in crate::rule) async fn clusters(
        &self,
        eks: &impl Eks,
        scope: &ClusterScope,
        freshness: Freshness<'_>,
        at: OffsetDateTime,
    ) -> Result<Arc<Clusters>, PortError> {
        let cached = entry(&self.clusters, SCOPES, scope.clone());
        let mut cached = cached.lock().await;
        // If the clock was set back, the age is negative or unknown: then the list is too old.
        let is_young =
            |known: &&mut Arc<Clusters>| (Duration::ZERO..CLUSTERS_CACHED_FOR).contains(&(at - known.listed_at));
        if let Some(known) = cached.as_mut().filter(is_young) {
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
        *cached = Some(Arc::clone(&clusters));
        Ok(clusters)
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
