//! EKS: under which roles the nodes of a region's clusters run.
//!
//! Knows where EKS tells a node's role (node groups, Auto Mode, Fargate profiles, access entries). What goes
//! between being listed and being described is gone; whatever else fails makes the whole answer fail, because
//! a role left out would be taken for no node's. A node group that is being deleted still has nodes.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{AuthenticationMode, Cluster};
use futures_util::{StreamExt, stream};

use super::{failed, told, untold};
use crate::rule::ports::{Eks, PortError};
use crate::rule::{NodeFact, NodeKind};

/// How many clusters are asked at once.
const CLUSTERS_AT_ONCE: usize = 4;

/// How many things of one cluster are described at once. Times the clusters, this bounds the calls in flight:
/// EKS throttles its Describe operations.
const DESCRIBED_AT_ONCE: usize = 4;

/// The type of access entry that is a person's or a robot's. All others are nodes', also those yet to come
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessEntry.html>).
const NOT_A_NODES: &str = "STANDARD";

/// EKS of one region.
#[derive(Debug, Clone)]
pub struct RegionalEks {
    client: Client,
    region: String,
}

/// A role's ARN and what makes it a node's.
type Found = (String, NodeFact);

/// Something of a cluster, for errors.
fn of_cluster(what: &str, cluster: &str) -> String {
    format!("{what} of cluster `{cluster}`")
}

/// Whether what was listed is gone by the time it is asked about.
macro_rules! gone {
    ($error:expr) => {
        $error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception())
    };
}

impl Eks for RegionalEks {
    async fn node_facts(&self) -> Result<Vec<Found>, PortError> {
        let mut pages = self.client.list_clusters().into_paginator().items().send();
        let mut clusters = Vec::new();
        while let Some(cluster) = pages.next().await {
            let resource = format!("region `{}`", self.region);
            clusters.push(cluster.map_err(|error| failed("eks:ListClusters", &resource, &error))?);
        }
        let mut facts = Vec::new();
        let mut answers = stream::iter(clusters).map(|cluster| self.cluster_facts(cluster)).buffered(CLUSTERS_AT_ONCE);
        while let Some(found) = answers.next().await {
            facts.extend(found?);
        }
        Ok(facts)
    }
}

impl RegionalEks {
    /// Asks by `client`, which must be of that region.
    pub fn new(client: Client, region: String) -> Self {
        Self { client, region }
    }

    async fn cluster_facts(&self, cluster: String) -> Result<Vec<Found>, PortError> {
        const OPERATION: &str = "eks:DescribeCluster";
        let resource = format!("cluster `{cluster}`");
        let answer = match self.client.describe_cluster().name(&cluster).send().await {
            Ok(answer) => answer,
            Err(error) if gone!(error) => return Ok(Vec::new()),
            Err(error) => return Err(failed(OPERATION, &resource, &error)),
        };
        let described = answer.cluster().ok_or_else(|| untold(OPERATION, &resource, "cluster"))?;
        let mut facts = Vec::new();
        // Whether Auto Mode is on now does not matter: nodes that it started may outlive it.
        let auto_mode = described.compute_config().and_then(|compute| compute.node_role_arn());
        if let Some(role) = auto_mode.filter(|role| !role.is_empty()) {
            facts.push(self.fact(role, &cluster, NodeKind::AutoMode));
        }
        facts.extend(self.node_groups(&cluster).await?);
        facts.extend(self.fargate_profiles(&cluster).await?);
        facts.extend(self.access_entries(&cluster, described).await?);
        Ok(facts)
    }

    async fn node_groups(&self, cluster: &str) -> Result<Vec<Found>, PortError> {
        let mut pages = self.client.list_nodegroups().cluster_name(cluster).into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            match name {
                Ok(name) => names.push(name),
                Err(error) if gone!(error) => return Ok(Vec::new()),
                Err(error) => return Err(failed("eks:ListNodegroups", &format!("cluster `{cluster}`"), &error)),
            }
        }
        collect(names.into_iter().map(|name| self.node_group(cluster, name))).await
    }

    async fn node_group(&self, cluster: &str, name: String) -> Result<Option<Found>, PortError> {
        const OPERATION: &str = "eks:DescribeNodegroup";
        let resource = of_cluster(&format!("node group `{name}`"), cluster);
        match self.client.describe_nodegroup().cluster_name(cluster).nodegroup_name(&name).send().await {
            Ok(answer) => {
                let role = answer.nodegroup().and_then(|group| group.node_role());
                let role = told(OPERATION, &resource, "nodeRole", role)?;
                Ok(Some(self.fact(role, cluster, NodeKind::NodeGroup(name))))
            }
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn fargate_profiles(&self, cluster: &str) -> Result<Vec<Found>, PortError> {
        let mut pages = self.client.list_fargate_profiles().cluster_name(cluster).into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            match name {
                Ok(name) => names.push(name),
                Err(error) if gone!(error) => return Ok(Vec::new()),
                Err(error) => return Err(failed("eks:ListFargateProfiles", &format!("cluster `{cluster}`"), &error)),
            }
        }
        collect(names.into_iter().map(|name| self.fargate_profile(cluster, name))).await
    }

    async fn fargate_profile(&self, cluster: &str, name: String) -> Result<Option<Found>, PortError> {
        const OPERATION: &str = "eks:DescribeFargateProfile";
        let resource = of_cluster(&format!("Fargate profile `{name}`"), cluster);
        match self.client.describe_fargate_profile().cluster_name(cluster).fargate_profile_name(&name).send().await {
            Ok(answer) => {
                let role = answer.fargate_profile().and_then(|profile| profile.pod_execution_role_arn());
                let role = told(OPERATION, &resource, "podExecutionRoleArn", role)?;
                Ok(Some(self.fact(role, cluster, NodeKind::FargateProfile(name))))
            }
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn access_entries(&self, cluster: &str, described: &Cluster) -> Result<Vec<Found>, PortError> {
        const OPERATION: &str = "eks:ListAccessEntries";
        let mode = described.access_config().and_then(|access| access.authentication_mode());
        if mode == Some(&AuthenticationMode::ConfigMap) {
            return Ok(Vec::new());
        }
        let mut pages = self.client.list_access_entries().cluster_name(cluster).into_paginator().items().send();
        let mut principals = Vec::new();
        while let Some(principal) = pages.next().await {
            match principal {
                Ok(principal) => principals.push(principal),
                Err(error) if gone!(error) => return Ok(Vec::new()),
                // A cluster that did not tell its mode may turn out to have one without access entries.
                Err(error)
                    if mode.is_none()
                        && error.as_service_error().is_some_and(|error| {
                            error.is_invalid_request_exception() && names_authentication_mode(error.meta().message())
                        }) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(failed(OPERATION, &format!("cluster `{cluster}`"), &error)),
            }
        }
        collect(principals.into_iter().map(|principal| self.access_entry(cluster, principal))).await
    }

    async fn access_entry(&self, cluster: &str, principal: String) -> Result<Option<Found>, PortError> {
        const OPERATION: &str = "eks:DescribeAccessEntry";
        let resource = of_cluster(&format!("access entry `{principal}`"), cluster);
        match self.client.describe_access_entry().cluster_name(cluster).principal_arn(&principal).send().await {
            Ok(answer) => {
                let entry_type = answer.access_entry().and_then(|entry| entry.r#type());
                let entry_type = told(OPERATION, &resource, "type", entry_type)?;
                Ok((entry_type != NOT_A_NODES)
                    .then(|| self.fact(&principal, cluster, NodeKind::AccessEntry(entry_type.to_owned()))))
            }
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    fn fact(&self, role_arn: &str, cluster: &str, kind: NodeKind) -> Found {
        (role_arn.to_owned(), NodeFact { region: self.region.clone(), cluster: cluster.to_owned(), kind })
    }
}

/// What EKS says to a cluster without access entries: "The cluster's authentication mode must be set to one of
/// [API, API_AND_CONFIG_MAP] to perform this operation."
fn names_authentication_mode(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.to_ascii_lowercase().contains("authentication mode"))
}

/// Asks a few at a time, for all or none.
async fn collect(
    asked: impl Iterator<Item = impl Future<Output = Result<Option<Found>, PortError>>>,
) -> Result<Vec<Found>, PortError> {
    let mut answers = stream::iter(asked).buffered(DESCRIBED_AT_ONCE);
    let mut facts = Vec::new();
    while let Some(found) = answers.next().await {
        facts.extend(found?);
    }
    Ok(facts)
}
