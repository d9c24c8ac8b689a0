//! Discovery: the clusters of an account, in every region in scope, and the roles that they name.
//!
//! Knows in which order EKS is asked and how much of it at once, and which refusals are facts. What goes between being
//! listed and being described is gone; whatever else fails makes the whole answer fail, because a role left out would be
//! taken for no node's. Must not know what the roles are judged by.

use futures_util::{StreamExt, stream};

use super::node_roles::{ClusterId, NodeKind};
use super::parameters::ClusterScope;
use super::ports::{Authentication, ClusterRecord, Eks, PartKind, PortError, PortErrorKind, RoleUse};

/// How many regions are asked for their clusters at once.
const REGIONS_AT_ONCE: usize = 8;

/// How many clusters are asked at once.
const CLUSTERS_AT_ONCE: usize = 8;

/// How many parts of one cluster are described at once. Times the clusters, this bounds the calls in flight: EKS
/// throttles its Describe operations, by account and region.
const PARTS_AT_ONCE: usize = 4;

/// The clusters in scope, by region and name.
#[derive(Debug, Clone, Default)]
pub(super) struct Clusters {
    /// The clusters.
    pub(super) clusters: Vec<Cluster>,
    /// Regions that were asked and are not enabled in the account, so that there is nothing to see.
    pub(super) closed_regions: Vec<String>,
}

/// A cluster and the roles that it names.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) id: ClusterId,
    pub(super) record: ClusterRecord,
    pub(super) roles: Vec<RoleUse>,
}

/// Asks EKS for everything in scope.
pub(super) async fn discover(eks: &impl Eks, scope: &ClusterScope) -> Result<Clusters, PortError> {
    let regions = match &scope.regions {
        Some(regions) => regions.clone(),
        None => eks.regions().await?,
    };
    let mut answers = stream::iter(regions)
        .map(|region| async move { (eks.clusters(&region).await, region) })
        .buffered(REGIONS_AT_ONCE);
    let (mut listed, mut closed, mut answered) = (Vec::new(), Vec::new(), false);
    while let Some((answer, region)) = answers.next().await {
        match answer {
            Ok(names) => {
                answered = true;
                let names = names.into_iter().filter(|name| scope.names.matches(name));
                listed.extend(names.map(|name| ClusterId { region: region.clone(), name }));
            }
            Err(error) if error.kind() == PortErrorKind::RegionClosed => closed.push((region, error)),
            Err(error) => return Err(error),
        }
    }
    // A region that does not know the caller is closed only if another does: else it is the credentials that are bad.
    if let Some((_, error)) = closed.first().filter(|_| !answered) {
        return Err(error.clone());
    }
    let mut answers = stream::iter(listed).map(|id| read_cluster(eks, id, scope)).buffer_unordered(CLUSTERS_AT_ONCE);
    let mut clusters = Vec::new();
    while let Some(cluster) = answers.next().await {
        clusters.extend(cluster?);
    }
    clusters.sort_by(|one, other| one.id.cmp(&other.id));
    let mut closed_regions: Vec<String> = closed.into_iter().map(|(region, _)| region).collect();
    closed_regions.sort();
    Ok(Clusters { clusters, closed_regions })
}

/// Asks for one cluster, and nothing where it is gone.
pub(super) async fn read_cluster(
    eks: &impl Eks,
    id: ClusterId,
    scope: &ClusterScope,
) -> Result<Option<Cluster>, PortError> {
    let Some(record) = eks.cluster(&id).await? else { return Ok(None) };
    let mut roles = Vec::new();
    // Whether Auto Mode is on now does not matter: nodes that it started may outlive it.
    roles.extend(record.auto_mode_role.clone().map(|role| (role, NodeKind::AutoMode)));
    let mut kinds = vec![PartKind::NodeGroups, PartKind::FargateProfiles];
    if record.authentication != Authentication::ConfigMap {
        kinds.push(PartKind::AccessEntries);
    }
    if scope.service_accounts {
        kinds.extend([PartKind::PodIdentityAssociations, PartKind::Addons]);
    }
    for kind in kinds {
        let parts = eks.parts(&id, kind).await?;
        let cluster = &id;
        let mut answers = stream::iter(parts)
            .map(|part| async move { eks.roles_of_part(cluster, kind, &part).await })
            .buffered(PARTS_AT_ONCE);
        while let Some(found) = answers.next().await {
            roles.extend(found?);
        }
    }
    Ok(Some(Cluster { id, record, roles }))
}
