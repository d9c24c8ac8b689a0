//! EKS, in every region of an account: clusters, and the roles that they and their parts name.
//!
//! Knows EKS's operations, its pages, how it says "gone" and "not supported here". What is asked of which cluster, and how
//! much at once, is the rule's business. A node group that is being deleted still has nodes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_config::{Region, SdkConfig};
use aws_sdk_account::types::RegionOptStatus;
use aws_sdk_eks::Client;
use aws_sdk_eks::types::AuthenticationMode;

use super::call_counter::Calls;
use super::error::{failed, told, untold};
use super::pages::leads_on;
use crate::rule::ports::{Authentication, ClusterRecord, Eks, PartKind, PortError, RoleUse};
use crate::rule::{ClusterId, NodeKind};

/// The type of access entry that is a person's or a robot's. All others are nodes', also those yet to come
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessEntry.html>).
const NOT_A_NODES: &str = "STANDARD";

/// EKS of one account. A region's client is made when the region is first asked; all share one connection pool.
#[derive(Debug)]
pub struct EksService {
    sdk: SdkConfig,
    calls: Calls,
    account: aws_sdk_account::Client,
    regions: Mutex<HashMap<String, Client>>,
}

/// What EKS calls the way to a list's next page.
const TOKEN: &str = "nextToken";

/// Something of a cluster, for errors.
fn of_cluster(what: &str, cluster: &ClusterId) -> String {
    format!("{what} of cluster `{}` in `{}`", cluster.name, cluster.region)
}

/// Whether what was listed is gone by the time it is asked about.
macro_rules! gone {
    ($error:expr) => {
        $error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception())
    };
}

/// All pages of a list of a cluster's parts, and nothing if the cluster is gone.
macro_rules! list {
    ($operation:literal, $cluster:expr, $request:expr $(, $unsupported:expr)?) => {{
        let mut pages = $request.cluster_name(&$cluster.name).into_paginator().send();
        let resource = format!("cluster `{}` in `{}`", $cluster.name, $cluster.region);
        let (mut parts, mut asked_with) = (Vec::new(), None);
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    leads_on($operation, &resource, TOKEN, page.next_token(), &mut asked_with)?;
                    parts.push(page);
                }
                Err(error) if gone!(error) => return Ok(Vec::new()),
                $(Err(error) if $unsupported(error.as_service_error()) => return Ok(Vec::new()),)?
                Err(error) => return Err(failed($operation, &resource, &error)),
            }
        }
        parts
    }};
}

impl Eks for EksService {
    async fn regions(&self) -> Result<Vec<String>, PortError> {
        const OPERATION: &str = "account:ListRegions";
        const RESOURCE: &str = "the account";
        let mut pages = self
            .account
            .list_regions()
            .region_opt_status_contains(RegionOptStatus::Enabled)
            .region_opt_status_contains(RegionOptStatus::EnabledByDefault)
            .into_paginator()
            .send();
        let (mut regions, mut asked_with) = (Vec::new(), None);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(OPERATION, RESOURCE, &error))?;
            leads_on(OPERATION, RESOURCE, "NextToken", page.next_token(), &mut asked_with)?;
            for region in page.regions() {
                regions.push(told(OPERATION, RESOURCE, "RegionName", region.region_name())?.to_owned());
            }
        }
        // An account without a region would be one without a node.
        if regions.is_empty() {
            return Err(untold(OPERATION, RESOURCE, "Regions"));
        }
        Ok(regions)
    }

    async fn clusters(&self, region: &str) -> Result<Vec<String>, PortError> {
        const OPERATION: &str = "eks:ListClusters";
        let resource = format!("region `{region}`");
        let mut pages = self.client(region).list_clusters().into_paginator().send();
        let (mut clusters, mut asked_with) = (Vec::new(), None);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(OPERATION, &resource, &error))?;
            leads_on(OPERATION, &resource, TOKEN, page.next_token(), &mut asked_with)?;
            clusters.extend(page.clusters.unwrap_or_default());
        }
        Ok(clusters)
    }

    async fn cluster(&self, cluster: &ClusterId) -> Result<Option<ClusterRecord>, PortError> {
        const OPERATION: &str = "eks:DescribeCluster";
        let resource = format!("cluster `{}` in `{}`", cluster.name, cluster.region);
        let answer = match self.client(&cluster.region).describe_cluster().name(&cluster.name).send().await {
            Ok(answer) => answer,
            Err(error) if gone!(error) => return Ok(None),
            Err(error) => return Err(failed(OPERATION, &resource, &error)),
        };
        let described = answer.cluster().ok_or_else(|| untold(OPERATION, &resource, "cluster"))?;
        let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Some(ClusterRecord {
            auto_mode_role: text(described.compute_config().and_then(|compute| compute.node_role_arn())),
            authentication: match described.access_config().and_then(|access| access.authentication_mode()) {
                Some(AuthenticationMode::Api) => Authentication::AccessEntries,
                Some(AuthenticationMode::ConfigMap) => Authentication::ConfigMap,
                _ => Authentication::Either,
            },
            oidc_issuer: text(described.identity().and_then(|identity| identity.oidc()).and_then(|oidc| oidc.issuer())),
        }))
    }

    async fn parts(&self, cluster: &ClusterId, kind: PartKind) -> Result<Vec<String>, PortError> {
        let client = self.client(&cluster.region);
        let parts: Vec<String> = match kind {
            PartKind::NodeGroups => list!("eks:ListNodegroups", cluster, client.list_nodegroups())
                .into_iter()
                .flat_map(|page| page.nodegroups.unwrap_or_default())
                .collect(),
            PartKind::FargateProfiles => list!("eks:ListFargateProfiles", cluster, client.list_fargate_profiles())
                .into_iter()
                .flat_map(|page| page.fargate_profile_names.unwrap_or_default())
                .collect(),
            PartKind::AccessEntries => {
                use aws_sdk_eks::operation::list_access_entries::ListAccessEntriesError as Refusal;
                // A cluster that is asked in spite of its mode has none.
                let unsupported = |error: Option<&Refusal>| {
                    error.is_some_and(|error| {
                        error.is_invalid_request_exception() && names_authentication_mode(error.meta().message())
                    })
                };
                list!("eks:ListAccessEntries", cluster, client.list_access_entries(), unsupported)
                    .into_iter()
                    .flat_map(|page| page.access_entries.unwrap_or_default())
                    .collect()
            }
            PartKind::PodIdentityAssociations => {
                const OPERATION: &str = "eks:ListPodIdentityAssociations";
                let pages = list!("eks:ListPodIdentityAssociations", cluster, client.list_pod_identity_associations());
                let summaries = pages.iter().flat_map(|page| page.associations());
                let resource = format!("cluster `{}` in `{}`", cluster.name, cluster.region);
                summaries
                    .map(|one| told(OPERATION, &resource, "associationId", one.association_id()).map(str::to_owned))
                    .collect::<Result<_, _>>()?
            }
            PartKind::Addons => list!("eks:ListAddons", cluster, client.list_addons())
                .into_iter()
                .flat_map(|page| page.addons.unwrap_or_default())
                .collect(),
        };
        Ok(parts)
    }

    async fn roles_of_part(&self, cluster: &ClusterId, kind: PartKind, part: &str) -> Result<Vec<RoleUse>, PortError> {
        match kind {
            PartKind::NodeGroups => self.node_group(cluster, part).await,
            PartKind::FargateProfiles => self.fargate_profile(cluster, part).await,
            PartKind::AccessEntries => self.access_entry(cluster, part).await,
            PartKind::PodIdentityAssociations => self.pod_identity(cluster, part).await,
            PartKind::Addons => self.addon(cluster, part).await,
        }
    }
}

impl EksService {
    /// Asks with the credentials and the connections of `sdk`.
    pub(super) fn new(sdk: SdkConfig, calls: Calls) -> Self {
        let config = aws_sdk_account::config::Builder::from(&sdk).interceptor(calls.clone()).build();
        let account = aws_sdk_account::Client::from_conf(config);
        Self { sdk, calls, account, regions: Mutex::default() }
    }

    fn client(&self, region: &str) -> Client {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let config = aws_sdk_eks::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()))
                .interceptor(self.calls.clone());
            Client::from_conf(config.build())
        };
        regions.entry(region.to_owned()).or_insert_with(make).clone()
    }

    async fn node_group(&self, cluster: &ClusterId, name: &str) -> Result<Vec<RoleUse>, PortError> {
        const OPERATION: &str = "eks:DescribeNodegroup";
        let resource = of_cluster(&format!("node group `{name}`"), cluster);
        let request =
            self.client(&cluster.region).describe_nodegroup().cluster_name(&cluster.name).nodegroup_name(name);
        match request.send().await {
            Ok(answer) => {
                let role = answer.nodegroup().and_then(|group| group.node_role());
                let role = told(OPERATION, &resource, "nodeRole", role)?;
                Ok(vec![(role.to_owned(), NodeKind::NodeGroup(name.to_owned()))])
            }
            Err(error) if gone!(error) => Ok(Vec::new()),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn fargate_profile(&self, cluster: &ClusterId, name: &str) -> Result<Vec<RoleUse>, PortError> {
        const OPERATION: &str = "eks:DescribeFargateProfile";
        let resource = of_cluster(&format!("Fargate profile `{name}`"), cluster);
        let client = self.client(&cluster.region);
        let request = client.describe_fargate_profile().cluster_name(&cluster.name).fargate_profile_name(name);
        match request.send().await {
            Ok(answer) => {
                let role = answer.fargate_profile().and_then(|profile| profile.pod_execution_role_arn());
                let role = told(OPERATION, &resource, "podExecutionRoleArn", role)?;
                Ok(vec![(role.to_owned(), NodeKind::FargateProfile(name.to_owned()))])
            }
            Err(error) if gone!(error) => Ok(Vec::new()),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn access_entry(&self, cluster: &ClusterId, principal: &str) -> Result<Vec<RoleUse>, PortError> {
        const OPERATION: &str = "eks:DescribeAccessEntry";
        let resource = of_cluster(&format!("access entry `{principal}`"), cluster);
        let client = self.client(&cluster.region);
        match client.describe_access_entry().cluster_name(&cluster.name).principal_arn(principal).send().await {
            Ok(answer) => {
                let entry_type = answer.access_entry().and_then(|entry| entry.r#type());
                let entry_type = told(OPERATION, &resource, "type", entry_type)?;
                let node = entry_type != NOT_A_NODES;
                Ok(node
                    .then(|| (principal.to_owned(), NodeKind::AccessEntry(entry_type.to_owned())))
                    .into_iter()
                    .collect())
            }
            Err(error) if gone!(error) => Ok(Vec::new()),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    /// The association's role, and the one of perhaps another account that is assumed with it.
    async fn pod_identity(&self, cluster: &ClusterId, id: &str) -> Result<Vec<RoleUse>, PortError> {
        const OPERATION: &str = "eks:DescribePodIdentityAssociation";
        let resource = of_cluster(&format!("Pod Identity association `{id}`"), cluster);
        let client = self.client(&cluster.region);
        let request = client.describe_pod_identity_association().cluster_name(&cluster.name).association_id(id);
        match request.send().await {
            Ok(answer) => {
                let association = answer.association().ok_or_else(|| untold(OPERATION, &resource, "association"))?;
                let role = told(OPERATION, &resource, "roleArn", association.role_arn())?;
                let target = association.target_role_arn().filter(|target| !target.is_empty());
                let whose = format!(
                    "{}/{}",
                    association.namespace().unwrap_or_default(),
                    association.service_account().unwrap_or_default()
                );
                let roles = std::iter::once(role).chain(target);
                Ok(roles.map(|role| (role.to_owned(), NodeKind::PodIdentity(whose.clone()))).collect())
            }
            Err(error) if gone!(error) => Ok(Vec::new()),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    /// An add-on without a role of its own runs under the node's, or under an association of Pod Identity's.
    async fn addon(&self, cluster: &ClusterId, name: &str) -> Result<Vec<RoleUse>, PortError> {
        const OPERATION: &str = "eks:DescribeAddon";
        let resource = of_cluster(&format!("add-on `{name}`"), cluster);
        let client = self.client(&cluster.region);
        match client.describe_addon().cluster_name(&cluster.name).addon_name(name).send().await {
            Ok(answer) => {
                let addon = answer.addon().ok_or_else(|| untold(OPERATION, &resource, "addon"))?;
                let role = addon.service_account_role_arn().filter(|role| !role.is_empty());
                Ok(role.map(|role| (role.to_owned(), NodeKind::Addon(name.to_owned()))).into_iter().collect())
            }
            Err(error) if gone!(error) => Ok(Vec::new()),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }
}

/// What EKS says to a cluster without access entries: "The cluster's authentication mode must be set to one of
/// [API, API_AND_CONFIG_MAP] to perform this operation."
fn names_authentication_mode(message: Option<&str>) -> bool {
    message.is_some_and(|message| message.to_ascii_lowercase().contains("authentication mode"))
}
