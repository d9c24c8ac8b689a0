//! Lists the clusters of an account in every region in scope, and the roles that they name.
//!
//! Knows the order of the calls, how many are made at the same time, and which refusals are facts. A cluster or part that
//! disappears after it was listed is gone. Any other failure leaves the list incomplete: a role that it names is a node role,
//! but a role that it does not name can still be one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, stream};
use time::OffsetDateTime;

use crate::policy::arn::Arn;
use crate::rule::invocation::parameters::{ClusterScope, DeniedRegions};
use crate::rule::ports::eks::{Authentication, ClusterId, ClusterRecord, Eks, NodeKind, PartKind, RoleUse};
use crate::rule::ports::error::{PortError, PortErrorKind};
use crate::rule::ports::iam::name_key;
use crate::rule::progress::Progress;
use crate::rule::read::answers::{Answers, CachedAnswer, Freshness, Known, Listing, Read};

/// How many regions are asked for their clusters at the same time.
const REGIONS_AT_ONCE: usize = 8;

/// How many calls are made at the same time for each region that has clusters, and for at most [`REGIONS_AT_ONCE`] regions.
/// EKS limits the rate of calls by account and region.
const CALLS_PER_REGION: usize = 8;

/// The clusters in scope, by region and name.
#[derive(Debug, Clone)]
pub(in crate::rule) struct Clusters {
    /// The clusters.
    pub(in crate::rule) clusters: Vec<Cluster>,
    /// The names of the clusters that EKS lists and that the parameter `ClusterNames` leaves out.
    pub(in crate::rule) left_out: BTreeSet<String>,
    /// Regions that the parameters name and that are not enabled in the account, and the skipped ones.
    pub(in crate::rule) closed_regions: Vec<String>,
    /// Regions where a service control policy denies the list of clusters.
    pub(in crate::rule) skipped_regions: Vec<String>,
    /// When the oldest of these answers was read, except for descriptions of access entries.
    pub(in crate::rule) listed_at: OffsetDateTime,
    /// The calls that failed. With any, a role that no cluster names can be a node role all the same.
    pub(in crate::rule) unread: Vec<PortError>,
}

/// A cluster and the roles that it names.
#[derive(Debug, Clone)]
pub(in crate::rule) struct Cluster {
    pub(in crate::rule) id: ClusterId,
    pub(in crate::rule) record: ClusterRecord,
    pub(in crate::rule) roles: Vec<RoleUse>,
}

/// Lists all clusters in scope and reads what they name. Answers that are new enough are not read again.
pub(in crate::rule) async fn discover(
    eks: &impl Eks,
    answers: &Answers,
    scope: &ClusterScope,
    freshness: &Freshness<'_>,
    progress: &Progress,
) -> Clusters {
    let state = ReadState { listed_at: freshness.at(), unread: Vec::new(), unlisted: BTreeSet::new() };
    let state = Mutex::new(state);
    let reader = ClusterReader { eks, answers, scope, freshness, progress, state };
    let regions = match &scope.regions {
        Some(regions) => regions.clone(),
        None => {
            progress.begin("listing regions", None);
            reader.regions().await
        }
    };
    progress.begin("listing clusters by region", regions.len());
    let mut listings =
        stream::iter(regions).map(|region| async { (reader.listing(&region).await, region) }).buffered(REGIONS_AT_ONCE);
    let (mut listed, mut left_out, mut closed, mut answered) = (BTreeSet::new(), BTreeSet::new(), Vec::new(), false);
    while let Some((listing, region)) = listings.next().await {
        progress.advance(1);
        match listing {
            Some(Listing::Clusters(names)) => {
                answered = true;
                let (names, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| scope.names.matches(name));
                listed.extend(names.into_iter().map(|name| ClusterId { region: region.clone(), name }));
                left_out.extend(others);
            }
            Some(Listing::Closed(error)) => closed.push((region, error)),
            None => {}
        }
    }
    drop(listings);
    // If every region refuses the caller, the credentials are invalid.
    if let Some((_, error)) = closed.first().filter(|_| !answered) {
        reader.state().unread.push(error.clone());
        closed.iter().for_each(|(region, _)| answers.known().region(region).listing = None);
    }
    listed.extend(freshness.changed().filter(|id| scope.includes(&id.region, &id.name)).cloned());
    let clusters = reader.clusters(listed.into_iter().collect()).await;
    closed.sort_by(|(one, _), (other, _)| one.cmp(other));
    let is_skipped = |error: &PortError| error.kind() == PortErrorKind::DeniedByServiceControlPolicy;
    let skipped_regions = closed.iter().filter(|(_, error)| is_skipped(error)).map(|(region, _)| region.clone());
    let skipped_regions = skipped_regions.collect();
    let closed_regions = closed.into_iter().map(|(region, _)| region).collect();
    let ReadState { listed_at, mut unread, .. } = reader.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The calls ran at the same time, so they failed in any order.
    unread.sort_by_cached_key(ToString::to_string);
    Clusters { clusters, left_out, closed_regions, skipped_regions, listed_at, unread }
}

/// Reads clusters for one evaluation.
struct ClusterReader<'a, E> {
    eks: &'a E,
    answers: &'a Answers,
    scope: &'a ClusterScope,
    freshness: &'a Freshness<'a>,
    progress: &'a Progress,
    state: Mutex<ReadState>,
}

/// What a reader has learned so far.
struct ReadState {
    listed_at: OffsetDateTime,
    unread: Vec<PortError>,
    /// The regions that did not list their clusters. No further call is made there.
    unlisted: BTreeSet<String>,
}

impl<E: Eks> ClusterReader<'_, E> {
    fn state(&self) -> MutexGuard<'_, ReadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer in that slot if it was read since then, else the answer of the call. If the call fails, an answer in the
    /// slot that is new enough to show node roles.
    async fn read<T: Clone>(
        &self,
        since: OffsetDateTime,
        slot: impl Fn(&mut Known) -> &mut CachedAnswer<T>,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Option<T> {
        let at = self.freshness.at();
        let known = slot(&mut self.answers.known()).clone();
        let known = match known {
            Some(read) if (since..=at).contains(&read.at) => {
                // The descriptions of most access entries may be older than everything else.
                if since >= self.freshness.since() {
                    let mut state = self.state();
                    state.listed_at = state.listed_at.min(read.at);
                }
                return Some(read.value);
            }
            known => known.filter(|read| self.freshness.shows_node_roles(read.at)),
        };
        match call.await {
            Ok(value) => {
                *slot(&mut self.answers.known()) = Some(Read { value: value.clone(), at });
                Some(value)
            }
            Err(error) => {
                self.state().unread.push(error);
                known.map(|read| read.value)
            }
        }
    }

    /// [`Self::read`] about a cluster. In a region that did not list its clusters, no call is made.
    async fn read_of<T: Clone>(
        &self,
        cluster: &ClusterId,
        since: OffsetDateTime,
        slot: impl Fn(&mut Known) -> &mut CachedAnswer<T>,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Option<T> {
        if !self.state().unlisted.contains(&cluster.region) {
            return self.read(since, slot, call).await;
        }
        let known = slot(&mut self.answers.known()).clone();
        known.filter(|read| self.freshness.shows_node_roles(read.at)).map(|read| read.value)
    }

    /// The regions that are enabled in the account.
    async fn regions(&self) -> Vec<String> {
        let regions = self.read(self.freshness.since(), |known| &mut known.regions, self.eks.regions()).await;
        regions.unwrap_or_default()
    }

    /// The clusters of a region.
    async fn listing(&self, region: &str) -> Option<Listing> {
        // The parameters can name a region that is not enabled in the account. But if the account lists the region as
        // enabled and the region refuses the caller, that is a failure: the region can have clusters.
        let is_closed = |error: &PortError| match error.kind() {
            PortErrorKind::RegionClosed => self.scope.regions.is_some(),
            PortErrorKind::DeniedByServiceControlPolicy => self.scope.denied_regions == DeniedRegions::Skip,
            _ => false,
        };
        // Rules of the same account can have different parameters.
        let is_outdated = |read: &mut Read<Listing>| matches!(&read.value, Listing::Closed(error) if !is_closed(error));
        drop(self.answers.known().region(region).listing.take_if(is_outdated));
        let call = async {
            match self.eks.clusters(region).await {
                Ok(names) => Ok(Listing::Clusters(names)),
                Err(error) if is_closed(&error) => Ok(Listing::Closed(error)),
                Err(error) => {
                    self.state().unlisted.insert(region.to_owned());
                    Err(error)
                }
            }
        };
        let listing = self.read(self.freshness.since(), |known| &mut known.region(region).listing, call).await;
        self.answers.known().region(region).keep_listed();
        listing
    }

    /// Reads clusters and the roles that they name, in the order of region and name. Clusters that are gone are left out.
    ///
    /// There are three rounds, each over all clusters: so a cluster with many node groups does not delay the others.
    async fn clusters(&self, mut ids: Vec<ClusterId>) -> Vec<Cluster> {
        let regions: BTreeSet<&String> = ids.iter().map(|id| &id.region).collect();
        let at_once = CALLS_PER_REGION * regions.len().clamp(1, REGIONS_AT_ONCE);
        // By name first, so that calls at the same time go to different regions.
        ids.sort_by(|one, other| (&one.name, &one.region).cmp(&(&other.name, &other.region)));
        self.progress.begin("describing clusters", ids.len());
        let described = ids.into_iter().map(|id| self.cluster(id));
        let mut clusters = self.all(described, at_once).await;
        clusters.sort_by(|one, other| (&one.id.name, &one.id.region).cmp(&(&other.id.name, &other.id.region)));
        let lists = clusters.iter().map(|cluster| part_kinds(&cluster.record, self.scope).count()).sum::<usize>();
        self.progress.begin("listing parts of clusters", lists);
        let lists = clusters.iter().flat_map(|cluster| {
            part_kinds(&cluster.record, self.scope)
                .map(move |kind| async move { Some((&cluster.id, kind, self.parts(&cluster.id, kind).await?)) })
        });
        let lists = self.all(lists, at_once).await;
        self.progress
            .begin("describing parts of clusters", lists.iter().map(|(_, _, parts)| parts.len()).sum::<usize>());
        let parts = lists.iter().flat_map(|(cluster, kind, parts)| {
            parts.iter().map(move |part| async move {
                Some((ClusterId::clone(cluster), self.roles_of_part(cluster, *kind, part).await?))
            })
        });
        let mut found: BTreeMap<ClusterId, Vec<RoleUse>> = BTreeMap::new();
        for (cluster, roles) in self.all(parts, at_once).await {
            found.entry(cluster).or_default().extend(roles);
        }
        for cluster in &mut clusters {
            cluster.roles.extend(found.remove(&cluster.id).unwrap_or_default());
        }
        clusters.sort_by(|one, other| one.id.cmp(&other.id));
        clusters
    }

    /// Makes the calls of a step, `at_once` at the same time. Returns the answers. A call that is not made yet is not in memory:
    /// there can be thousands, of tens of kilobytes each.
    async fn all<T>(&self, calls: impl Iterator<Item = impl Future<Output = Option<T>>>, at_once: usize) -> Vec<T> {
        let answers = stream::iter(calls).buffer_unordered(at_once).inspect(|_| self.progress.advance(1));
        answers.filter_map(std::future::ready).collect().await
    }

    /// A cluster without its parts.
    async fn cluster(&self, id: ClusterId) -> Option<Cluster> {
        let since = self.freshness.of_cluster(&id);
        let record = self.read_of(&id, since, |known| &mut known.cluster(&id).record, self.eks.cluster(&id)).await;
        let mut known = self.answers.known();
        known.cluster(&id).keep_existing();
        let record = record??;
        known.region(&id.region).add_cluster(&id.name);
        // It does not matter whether Auto Mode is on now: its nodes can run on after it is switched off.
        let auto_mode = record.auto_mode_role.clone();
        let auto_mode = auto_mode.map(|role_arn| RoleUse { role_arn, kind: NodeKind::AutoMode });
        Some(Cluster { id, record, roles: auto_mode.into_iter().collect() })
    }

    /// The names of a cluster's parts.
    async fn parts(&self, cluster: &ClusterId, kind: PartKind) -> Option<Vec<String>> {
        let (since, call) = (self.freshness.of_cluster(cluster), self.eks.parts(cluster, kind));
        let names = self.read_of(cluster, since, |known| &mut known.parts(cluster, kind).names, call).await;
        self.answers.known().parts(cluster, kind).keep_listed();
        names
    }

    /// The roles that a part of a cluster names.
    async fn roles_of_part(&self, cluster: &ClusterId, kind: PartKind, part: &str) -> Option<Vec<RoleUse>> {
        let role = Arn::parse(part).and_then(|principal| principal.role_name()).map(name_key);
        let since = self.freshness.of_part(cluster, kind, role.as_deref());
        let call = self.eks.roles_of_part(cluster, kind, part);
        self.read_of(cluster, since, |known| known.roles(cluster, kind, part), call).await
    }
}

/// The kinds of parts that a cluster can have and that name roles.
fn part_kinds(record: &ClusterRecord, scope: &ClusterScope) -> impl Iterator<Item = PartKind> + use<> {
    let entries = (record.authentication != Authentication::ConfigMap).then_some(PartKind::AccessEntries);
    let include_pods = scope.service_accounts;
    let pods = [PartKind::PodIdentityAssociations, PartKind::Addons].into_iter().filter(move |_| include_pods);
    [PartKind::NodeGroups, PartKind::FargateProfiles].into_iter().chain(entries).chain(pods)
}
