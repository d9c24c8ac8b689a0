//! Lists the clusters of an account in every region in scope, and the roles that they name.
//!
//! Knows the order of the calls, how many are made at the same time, and which refusals are facts. A cluster or part that
//! disappears after it was listed is gone. Any other failure is an error of the whole list, because a role that is left out
//! would count as no node role.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use time::OffsetDateTime;

use crate::rule::invocation::parameters::ClusterScope;
use crate::rule::ports::eks::{Authentication, ClusterId, ClusterRecord, Eks, NodeKind, PartKind, RoleUse};
use crate::rule::ports::error::{PortError, PortErrorKind};

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
    /// Regions that the parameters name and that are not enabled in the account.
    pub(in crate::rule) closed_regions: Vec<String>,
    /// When the list was made. Single clusters may have been read again since.
    pub(in crate::rule) listed_at: OffsetDateTime,
}

/// A cluster and the roles that it names.
#[derive(Debug, Clone)]
pub(in crate::rule) struct Cluster {
    pub(in crate::rule) id: ClusterId,
    pub(in crate::rule) record: ClusterRecord,
    pub(in crate::rule) roles: Vec<RoleUse>,
}

/// Lists all clusters in scope and reads what they name. `at` is the time of the evaluation.
pub(in crate::rule) async fn discover(
    eks: &impl Eks,
    scope: &ClusterScope,
    at: OffsetDateTime,
) -> Result<Clusters, PortError> {
    let regions = match &scope.regions {
        Some(regions) => regions.clone(),
        None => eks.regions().await?,
    };
    let mut answers = stream::iter(regions)
        .map(|region| async move { (eks.clusters(&region).await, region) })
        .buffered(REGIONS_AT_ONCE);
    let (mut listed, mut left_out, mut closed, mut answered) = (Vec::new(), BTreeSet::new(), Vec::new(), false);
    while let Some((answer, region)) = answers.next().await {
        match answer {
            Ok(names) => {
                answered = true;
                let (names, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| scope.names.matches(name));
                listed.extend(names.into_iter().map(|name| ClusterId { region: region.clone(), name }));
                left_out.extend(others);
            }
            // The parameters can name a region that is not enabled in the account. But if the account lists the region as
            // enabled and the region refuses the caller, that is a failure: the region can have clusters.
            Err(error) if error.kind() == PortErrorKind::RegionClosed && scope.regions.is_some() => {
                closed.push((region, error));
            }
            Err(error) => return Err(error),
        }
    }
    // If every region refuses the caller, the credentials are invalid.
    if let Some((_, error)) = closed.first().filter(|_| !answered) {
        return Err(error.clone());
    }
    let clusters = read_clusters(eks, listed, scope).await?;
    let mut closed_regions: Vec<String> = closed.into_iter().map(|(region, _)| region).collect();
    closed_regions.sort();
    Ok(Clusters { clusters, left_out, closed_regions, listed_at: at })
}

/// Reads clusters and the roles that they name, in the order of region and name. Clusters that are gone are left out.
///
/// There are three rounds, each over all clusters: so a cluster with many node groups does not delay the others.
pub(in crate::rule) async fn read_clusters(
    eks: &impl Eks,
    mut ids: Vec<ClusterId>,
    scope: &ClusterScope,
) -> Result<Vec<Cluster>, PortError> {
    let regions: BTreeSet<&String> = ids.iter().map(|id| &id.region).collect();
    let at_once = CALLS_PER_REGION * regions.len().clamp(1, REGIONS_AT_ONCE);
    // By name first, so that calls at the same time go to different regions.
    ids.sort_by(|one, other| (&one.name, &one.region).cmp(&(&other.name, &other.region)));
    let described = ids.into_iter().map(|id| async move { Ok((eks.cluster(&id).await?, id)) });
    let described = all(described, at_once).await?;
    let mut clusters: Vec<Cluster> = described
        .into_iter()
        .filter_map(|(record, id)| {
            let record = record?;
            // It does not matter whether Auto Mode is on now: its nodes can run on after it is switched off.
            let auto_mode = record.auto_mode_role.clone();
            let auto_mode = auto_mode.map(|role_arn| RoleUse { role_arn, kind: NodeKind::AutoMode });
            Some(Cluster { id, record, roles: auto_mode.into_iter().collect() })
        })
        .collect();
    clusters.sort_by(|one, other| (&one.id.name, &one.id.region).cmp(&(&other.id.name, &other.id.region)));
    let lists = clusters.iter().flat_map(|cluster| {
        part_kinds(&cluster.record, scope)
            .map(move |kind| async move { Ok((&cluster.id, kind, eks.parts(&cluster.id, kind).await?)) })
    });
    let lists = all(lists, at_once).await?;
    let parts = lists.iter().flat_map(|(cluster, kind, parts)| {
        parts.iter().map(move |part| async move {
            Ok((ClusterId::clone(cluster), eks.roles_of_part(cluster, *kind, part).await?))
        })
    });
    let mut found: BTreeMap<ClusterId, Vec<RoleUse>> = BTreeMap::new();
    for (cluster, roles) in all(parts, at_once).await? {
        found.entry(cluster).or_default().extend(roles);
    }
    for cluster in &mut clusters {
        cluster.roles.extend(found.remove(&cluster.id).unwrap_or_default());
    }
    clusters.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(clusters)
}

/// The kinds of parts that a cluster can have and that name roles.
fn part_kinds(record: &ClusterRecord, scope: &ClusterScope) -> impl Iterator<Item = PartKind> + use<> {
    let entries = (record.authentication != Authentication::ConfigMap).then_some(PartKind::AccessEntries);
    let include_pods = scope.service_accounts;
    let pods = [PartKind::PodIdentityAssociations, PartKind::Addons].into_iter().filter(move |_| include_pods);
    [PartKind::NodeGroups, PartKind::FargateProfiles].into_iter().chain(entries).chain(pods)
}

/// Makes the calls, `at_once` at the same time. Returns all answers, or the first failure.
async fn all<T>(
    calls: impl Iterator<Item = impl Future<Output = Result<T, PortError>>>,
    at_once: usize,
) -> Result<Vec<T>, PortError> {
    stream::iter(calls).buffer_unordered(at_once).try_collect().await
}
