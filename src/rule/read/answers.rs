//! The answers of EKS about one account, each with the time that it was read at.
//!
//! Each answer is kept as soon as it arrives. So the repeat of an evaluation that failed, or whose time ran out, goes on
//! with them. Knows which answers are new enough for an evaluation. Which calls are made is not its business.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

use crate::rule::ports::eks::{ClusterId, ClusterRecord, PartKind, RoleUse};
use crate::rule::ports::error::PortError;

/// How long an answer about clusters can show that a role is a node role. AWS Config does not report changes of node groups
/// and access entries, so such a verdict can miss them for this long.
pub const CLUSTERS_CACHED_FOR: Duration = Duration::minutes(5);

/// How long the description of an access entry is kept. The type of an entry cannot be changed
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAccessEntry.html>).
pub const ENTRIES_CACHED_FOR: Duration = Duration::HOUR;

/// How long the repeats of a failed schedule go on with the answers of its first attempt.
const SCHEDULE_REPEATED_FOR: Duration = Duration::HOUR;

/// The clocks of AWS Config and of the function can differ, and a capture time can be without a fraction of a second. So
/// answers count as newer than a change if they were read this much later.
const CLOCK_SKEW: Duration = Duration::SECOND;

/// How new the answers must be for an evaluation. An answer counts as read at the time that its evaluation began.
#[derive(Debug, Clone)]
pub(in crate::rule) struct Freshness<'a> {
    /// The time of the evaluation. An answer that is newer was read before the clock was set back, and does not count.
    at: OffsetDateTime,
    since: OffsetDateTime,
    /// The same for the descriptions of access entries, except for those of `roles`.
    entries_since: OffsetDateTime,
    roles: &'a BTreeSet<String>,
    /// A cluster that changed. All answers about it are read by this evaluation.
    changed: Option<&'a ClusterId>,
}

impl<'a> Freshness<'a> {
    /// New enough to show that a role is a node role. `roles` are the roles of the event, by the keys of their names.
    pub(in crate::rule) fn cached(at: OffsetDateTime, roles: &'a BTreeSet<String>) -> Self {
        let entries_since = younger_than(ENTRIES_CACHED_FOR, at);
        Self { at, since: younger_than(CLUSTERS_CACHED_FOR, at), entries_since, roles, changed: None }
    }

    /// New enough to show that a role is no node role after a change: read after AWS Config captured it.
    ///
    /// A capture time that is ahead of the function's clock, by a wrong clock or in a forged event, demands answers of this
    /// evaluation: they are read after the event arrived.
    pub(in crate::rule) fn after_change(
        captured: OffsetDateTime,
        at: OffsetDateTime,
        roles: &'a BTreeSet<String>,
    ) -> Self {
        let cached = Self::cached(at, roles);
        Self { since: cached.since.max(at.min(captured.saturating_add(CLOCK_SKEW))), ..cached }
    }

    /// New enough for a schedule: read since its first attempt began, descriptions of access entries too.
    pub(in crate::rule) fn of_schedule(
        first_attempt: OffsetDateTime,
        at: OffsetDateTime,
        roles: &'a BTreeSet<String>,
    ) -> Self {
        let since = younger_than(SCHEDULE_REPEATED_FOR, at).max(at.min(first_attempt));
        Self { at, since, entries_since: since, roles, changed: None }
    }

    /// The same, but all answers about this cluster are read by this evaluation.
    pub(in crate::rule) fn with_changed(self, cluster: &'a ClusterId) -> Self {
        Self { changed: Some(cluster), ..self }
    }

    /// The time of the evaluation.
    pub(super) fn at(&self) -> OffsetDateTime {
        self.at
    }

    /// Since when answers count.
    pub(in crate::rule) fn since(&self) -> OffsetDateTime {
        self.since
    }

    /// Since when answers about a cluster count.
    pub(super) fn of_cluster(&self, cluster: &ClusterId) -> OffsetDateTime {
        if self.changed == Some(cluster) { self.at } else { self.since }
    }

    /// Since when the description of a part counts. `role` is the key of the name of the role that an access entry is for.
    pub(super) fn of_part(&self, cluster: &ClusterId, kind: PartKind, role: Option<&str>) -> OffsetDateTime {
        let is_of_event = role.is_some_and(|role| self.roles.contains(role));
        if kind == PartKind::AccessEntries && self.changed != Some(cluster) && !is_of_event {
            return self.entries_since;
        }
        self.of_cluster(cluster)
    }

    /// The cluster that changed.
    pub(super) fn changed(&self) -> Option<&'a ClusterId> {
        self.changed
    }

    /// Whether an answer of that time can still show that a role is a node role, where reading it again fails.
    pub(super) fn shows_node_roles(&self, read_at: OffsetDateTime) -> bool {
        (younger_than(CLUSTERS_CACHED_FOR, self.at)..=self.at).contains(&read_at)
    }
}

/// The first time that is less than this long ago.
fn younger_than(age: Duration, at: OffsetDateTime) -> OffsetDateTime {
    at - age + Duration::NANOSECOND
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Read<T> {
    pub(super) value: T,
    pub(super) at: OffsetDateTime,
}

/// An answer, if there is one.
pub(super) type CachedAnswer<T> = Option<Read<T>>;

/// The answer of a region to ListClusters.
#[derive(Debug, Clone)]
pub(super) enum Listing {
    /// The names of its clusters.
    Clusters(Vec<String>),
    /// A refusal that the rule's parameters accept: the region is closed.
    Closed(PortError),
}

/// All answers about one account.
#[derive(Debug, Default)]
pub(in crate::rule) struct Answers {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) regions: CachedAnswer<Vec<String>>,
    by_region: HashMap<String, RegionAnswers>,
}

#[derive(Debug, Default)]
pub(super) struct RegionAnswers {
    pub(super) listing: CachedAnswer<Listing>,
    clusters: HashMap<String, ClusterAnswers>,
}

#[derive(Debug, Default)]
pub(super) struct ClusterAnswers {
    pub(super) record: CachedAnswer<Option<ClusterRecord>>,
    parts: BTreeMap<PartKind, PartAnswers>,
}

#[derive(Debug, Default)]
pub(super) struct PartAnswers {
    pub(super) names: CachedAnswer<Vec<String>>,
    roles: HashMap<String, CachedAnswer<Vec<RoleUse>>>,
}

impl Answers {
    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    pub(super) fn region(&mut self, region: &str) -> &mut RegionAnswers {
        self.by_region.entry(region.to_owned()).or_default()
    }

    pub(super) fn cluster(&mut self, id: &ClusterId) -> &mut ClusterAnswers {
        self.region(&id.region).clusters.entry(id.name.clone()).or_default()
    }

    pub(super) fn parts(&mut self, cluster: &ClusterId, kind: PartKind) -> &mut PartAnswers {
        self.cluster(cluster).parts.entry(kind).or_default()
    }

    pub(super) fn roles(&mut self, cluster: &ClusterId, kind: PartKind, part: &str) -> &mut CachedAnswer<Vec<RoleUse>> {
        self.parts(cluster, kind).roles.entry(part.to_owned()).or_default()
    }
}

impl RegionAnswers {
    /// Drops the answers about clusters that the region no longer lists.
    pub(super) fn keep_listed(&mut self) {
        let listed: BTreeSet<&String> = match &self.listing {
            Some(Read { value: Listing::Clusters(names), .. }) => names.iter().collect(),
            _ => BTreeSet::new(),
        };
        self.clusters.retain(|name, _| listed.contains(name));
    }

    /// Adds a cluster that was created after the region was listed.
    pub(super) fn add_cluster(&mut self, name: &str) {
        if let Some(Read { value: Listing::Clusters(names), .. }) = &mut self.listing
            && !names.iter().any(|one| one == name)
        {
            names.push(name.to_owned());
        }
    }
}

impl ClusterAnswers {
    /// Drops the parts of a cluster that is gone: a new one of its name has other parts.
    pub(super) fn keep_existing(&mut self) {
        if matches!(&self.record, Some(Read { value: None, .. })) {
            self.parts.clear();
        }
    }
}

impl PartAnswers {
    /// Drops the answers about parts that the cluster no longer lists.
    pub(super) fn keep_listed(&mut self) {
        let listed: BTreeSet<&String> = self.names.iter().flat_map(|names| &names.value).collect();
        self.roles.retain(|name, _| listed.contains(name));
    }
}
