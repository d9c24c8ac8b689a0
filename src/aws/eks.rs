//! EKS in every region of an account: clusters, their parts, and the roles that both name.
//!
//! A node group that is being deleted still has nodes, so it counts until EKS no longer returns it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_config::{Region, SdkConfig};
use aws_sdk_account::types::RegionOptStatus;
use aws_sdk_eks::Client;
use aws_sdk_eks::types::AuthenticationMode;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};

use super::call::Call;
use super::call_counter::CallCounter;
use super::pace::Pace;
use super::pages;
use crate::rule::ports::{
    Authentication, ClusterId, ClusterRecord, Eks, NodeKind, Page, PartKind, PortError, PortErrorKind, RoleUse,
    SessionPolicy,
};

/// The type of the access entries of people and programs. Every other type, also a future one, is of nodes
/// (<https://docs.aws.amazon.com/eks/latest/APIReference/API_AccessEntry.html>).
const STANDARD: &str = "STANDARD";

/// EKS's name for the token of the next page.
const TOKEN: &str = "nextToken";

/// EKS of one account. The client of a region is made at the region's first call; all share one connection pool.
/// Each region has its own pace.
#[derive(Debug)]
pub struct EksService {
    sdk: SdkConfig,
    counter: CallCounter,
    account: aws_sdk_account::Client,
    account_pace: Pace,
    regions: Mutex<HashMap<String, Regional>>,
}

/// EKS in one region.
#[derive(Debug, Clone)]
struct Regional {
    client: Client,
    pace: Pace,
}

/// The resource does not exist, or no longer.
fn gone<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ResourceNotFoundException")
}

/// The cluster cannot have access entries: "The cluster's authentication mode must be set to one of
/// [API, API_AND_CONFIG_MAP] to perform this operation."
fn without_access_entries<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("InvalidRequestException")
        && error.message().is_some_and(|message| message.to_ascii_lowercase().contains("authentication mode"))
}

/// Whether a service control policy denies the call. Only the message shows it; the ARN of the policy can follow
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
fn closes_region(error: &PortError) -> bool {
    let cause = error.to_string().to_ascii_lowercase();
    error.kind() == PortErrorKind::ExplicitlyDenied && cause.contains("explicit deny in a service control policy")
}

fn cluster_resource(cluster: &ClusterId) -> String {
    format!("cluster `{}` in `{}`", cluster.name, cluster.region)
}

fn part_resource(part: &str, name: &str, cluster: &ClusterId) -> String {
    format!("{part} `{name}` of {}", cluster_resource(cluster))
}

/// An optional field. The SDK returns an empty string where AWS omitted a required one.
fn optional(field: Option<&str>) -> Option<String> {
    field.filter(|value| !value.is_empty()).map(str::to_owned)
}

impl Eks for EksService {
    async fn regions(&self) -> Result<Vec<String>, PortError> {
        let call = Call::new("account:ListRegions", "the account");
        let request = |token| {
            let request = self.account.list_regions().region_opt_status_contains(RegionOptStatus::Enabled);
            request.region_opt_status_contains(RegionOptStatus::EnabledByDefault).set_next_token(token).send()
        };
        let regions = pages::list(&call, &self.account_pace, "NextToken", request, |page| {
            let names = page.regions().iter().map(|region| call.required("RegionName", region.region_name()));
            Ok(Page { items: names.collect::<Result<_, _>>()?, next: page.next_token })
        })
        .await?;
        // Every account has regions. An empty list would be read as an account without nodes.
        if regions.is_empty() { Err(call.missing_field("Regions")) } else { Ok(regions) }
    }

    async fn clusters(&self, region: &str) -> Result<Vec<String>, PortError> {
        let call = Call::new("eks:ListClusters", format!("region `{region}`"));
        let Regional { client, pace } = self.region(region);
        let request = |token| client.list_clusters().set_next_token(token).send();
        pages::list(&call, &pace, TOKEN, request, |page| {
            Ok(Page { items: page.clusters.unwrap_or_default(), next: page.next_token })
        })
        .await
        .map_err(|error| {
            if closes_region(&error) { error.of_kind(PortErrorKind::DeniedByServiceControlPolicy) } else { error }
        })
    }

    async fn cluster(&self, cluster: &ClusterId) -> Result<Option<ClusterRecord>, PortError> {
        let call = Call::new("eks:DescribeCluster", cluster_resource(cluster));
        let Regional { client, pace } = self.region(&cluster.region);
        let response = call.send(&pace, || client.describe_cluster().name(&cluster.name).send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let cluster = response.cluster().ok_or_else(|| call.missing_field("cluster"))?;
        let oidc = cluster.identity().and_then(|identity| identity.oidc());
        Ok(Some(ClusterRecord {
            auto_mode_role: optional(cluster.compute_config().and_then(|compute| compute.node_role_arn())),
            authentication: match cluster.access_config().and_then(|access| access.authentication_mode()) {
                Some(AuthenticationMode::Api) => Authentication::AccessEntries,
                Some(AuthenticationMode::ConfigMap) => Authentication::ConfigMap,
                _ => Authentication::Either,
            },
            oidc_issuer: optional(oidc.and_then(|oidc| oidc.issuer())),
        }))
    }

    async fn parts(&self, cluster: &ClusterId, kind: PartKind) -> Result<Vec<String>, PortError> {
        let Regional { client, pace } = self.region(&cluster.region);
        let (name, resource) = (&cluster.name, cluster_resource(cluster));
        let parts = match kind {
            PartKind::NodeGroups => {
                let call = Call::new("eks:ListNodegroups", resource);
                let request = |token| client.list_nodegroups().cluster_name(name).set_next_token(token).send();
                pages::list_if_exists(&call, &pace, TOKEN, gone, request, |page| {
                    Ok(Page { items: page.nodegroups.unwrap_or_default(), next: page.next_token })
                })
                .await?
            }
            PartKind::FargateProfiles => {
                let call = Call::new("eks:ListFargateProfiles", resource);
                let request = |token| client.list_fargate_profiles().cluster_name(name).set_next_token(token).send();
                pages::list_if_exists(&call, &pace, TOKEN, gone, request, |page| {
                    Ok(Page { items: page.fargate_profile_names.unwrap_or_default(), next: page.next_token })
                })
                .await?
            }
            PartKind::AccessEntries => {
                let call = Call::new("eks:ListAccessEntries", resource);
                let request = |token| client.list_access_entries().cluster_name(name).set_next_token(token).send();
                let none = |error: &SdkError<_>| gone(error) || without_access_entries(error);
                pages::list_if_exists(&call, &pace, TOKEN, none, request, |page| {
                    Ok(Page { items: page.access_entries.unwrap_or_default(), next: page.next_token })
                })
                .await?
            }
            PartKind::PodIdentityAssociations => {
                let call = Call::new("eks:ListPodIdentityAssociations", resource);
                let request =
                    |token| client.list_pod_identity_associations().cluster_name(name).set_next_token(token).send();
                pages::list_if_exists(&call, &pace, TOKEN, gone, request, |page| {
                    let ids = page.associations().iter().map(|it| call.required("associationId", it.association_id()));
                    Ok(Page { items: ids.collect::<Result<_, _>>()?, next: page.next_token })
                })
                .await?
            }
            PartKind::Addons => {
                let call = Call::new("eks:ListAddons", resource);
                let request = |token| client.list_addons().cluster_name(name).set_next_token(token).send();
                pages::list_if_exists(&call, &pace, TOKEN, gone, request, |page| {
                    Ok(Page { items: page.addons.unwrap_or_default(), next: page.next_token })
                })
                .await?
            }
        };
        Ok(parts.unwrap_or_default())
    }

    async fn roles_of_part(&self, cluster: &ClusterId, kind: PartKind, part: &str) -> Result<Vec<RoleUse>, PortError> {
        let uses = match kind {
            PartKind::NodeGroups => self.node_group(cluster, part).await?,
            PartKind::FargateProfiles => self.fargate_profile(cluster, part).await?,
            PartKind::AccessEntries => self.access_entry(cluster, part).await?,
            PartKind::PodIdentityAssociations => self.pod_identity(cluster, part).await?,
            PartKind::Addons => self.addon(cluster, part).await?,
        };
        Ok(uses.unwrap_or_default())
    }
}

/// The methods that describe a part return `None` if it is gone.
impl EksService {
    /// Uses the credentials and the connections of `sdk`.
    pub(super) fn new(sdk: SdkConfig, counter: CallCounter) -> Self {
        let account_pace = Pace::new(&sdk, &counter);
        let config = aws_sdk_account::config::Builder::from(&sdk).retry_partition(account_pace.retries());
        let account = aws_sdk_account::Client::from_conf(config.interceptor(counter.clone()).build());
        Self { sdk, counter, account, account_pace, regions: Mutex::default() }
    }

    fn region(&self, region: &str) -> Regional {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let pace = Pace::new(&self.sdk, &self.counter);
            let config = aws_sdk_eks::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()))
                .retry_partition(pace.retries())
                .interceptor(self.counter.clone());
            Regional { client: Client::from_conf(config.build()), pace }
        };
        regions.entry(region.to_owned()).or_insert_with(make).clone()
    }

    async fn node_group(&self, cluster: &ClusterId, name: &str) -> Result<Option<Vec<RoleUse>>, PortError> {
        let call = Call::new("eks:DescribeNodegroup", part_resource("node group", name, cluster));
        let Regional { client, pace } = self.region(&cluster.region);
        let response = call
            .send(&pace, || client.describe_nodegroup().cluster_name(&cluster.name).nodegroup_name(name).send())
            .await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let role = response.nodegroup().and_then(|group| group.node_role());
        Ok(Some(vec![RoleUse {
            role_arn: call.required("nodeRole", role)?,
            kind: NodeKind::NodeGroup(name.to_owned()),
        }]))
    }

    async fn fargate_profile(&self, cluster: &ClusterId, name: &str) -> Result<Option<Vec<RoleUse>>, PortError> {
        let call = Call::new("eks:DescribeFargateProfile", part_resource("Fargate profile", name, cluster));
        let Regional { client, pace } = self.region(&cluster.region);
        let request = client.describe_fargate_profile().cluster_name(&cluster.name).fargate_profile_name(name);
        let response = call.send(&pace, || request.clone().send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let role = response.fargate_profile().and_then(|profile| profile.pod_execution_role_arn());
        Ok(Some(vec![RoleUse {
            role_arn: call.required("podExecutionRoleArn", role)?,
            kind: NodeKind::FargateProfile(name.to_owned()),
        }]))
    }

    async fn access_entry(&self, cluster: &ClusterId, principal: &str) -> Result<Option<Vec<RoleUse>>, PortError> {
        let call = Call::new("eks:DescribeAccessEntry", part_resource("access entry", principal, cluster));
        let Regional { client, pace } = self.region(&cluster.region);
        let request = client.describe_access_entry().cluster_name(&cluster.name).principal_arn(principal);
        let response = call.send(&pace, || request.clone().send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let entry_type = call.required("type", response.access_entry().and_then(|entry| entry.r#type()))?;
        let is_of_nodes = entry_type != STANDARD;
        Ok(is_of_nodes
            .then(|| vec![RoleUse { role_arn: principal.to_owned(), kind: NodeKind::AccessEntry(entry_type) }]))
    }

    /// The role of the association, and its target role, which may be in another account. The session policy limits the
    /// sessions of the last one.
    async fn pod_identity(&self, cluster: &ClusterId, id: &str) -> Result<Option<Vec<RoleUse>>, PortError> {
        let resource = part_resource("Pod Identity association", id, cluster);
        let call = Call::new("eks:DescribePodIdentityAssociation", resource);
        let Regional { client, pace } = self.region(&cluster.region);
        let request = client.describe_pod_identity_association().cluster_name(&cluster.name).association_id(id);
        let response = call.send(&pace, || request.clone().send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let association = response.association().ok_or_else(|| call.missing_field("association"))?;
        let role = call.required("roleArn", association.role_arn())?;
        let target = optional(association.target_role_arn());
        let session_policy = optional(association.policy()).map(|document| {
            let association_arn = call.required("associationArn", association.association_arn())?;
            Ok(SessionPolicy { association_arn, document })
        });
        let session_policy = session_policy.transpose()?;
        let namespace = association.namespace().unwrap_or_default();
        let pods = format!("{namespace}/{}", association.service_account().unwrap_or_default());
        let of_pods = |role_arn, session_policy| RoleUse {
            role_arn,
            kind: NodeKind::PodIdentity { pods: pods.clone(), session_policy },
        };
        Ok(Some(match target {
            Some(target) => vec![of_pods(role, None), of_pods(target, session_policy)],
            None => vec![of_pods(role, session_policy)],
        }))
    }

    /// The role of the add-on. One without a role uses the node's role or a Pod Identity association.
    async fn addon(&self, cluster: &ClusterId, name: &str) -> Result<Option<Vec<RoleUse>>, PortError> {
        let call = Call::new("eks:DescribeAddon", part_resource("add-on", name, cluster));
        let Regional { client, pace } = self.region(&cluster.region);
        let response =
            call.send(&pace, || client.describe_addon().cluster_name(&cluster.name).addon_name(name).send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let addon = response.addon().ok_or_else(|| call.missing_field("addon"))?;
        let role = optional(addon.service_account_role_arn());
        Ok(role.map(|role_arn| vec![RoleUse { role_arn, kind: NodeKind::Addon(name.to_owned()) }]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Clients;
    use crate::aws::replay::{Replay, response};

    #[tokio::test]
    async fn deny_in_a_service_control_policy_closes_the_region() {
        use PortErrorKind::{Denied, DeniedByServiceControlPolicy, ExplicitlyDenied};
        let policy = "arn:aws:organizations::111122223333:policy/o-a/service_control_policy/p-b";
        for (reason, expected) in [
            ("with an explicit deny in a service control policy".to_owned(), DeniedByServiceControlPolicy),
            (format!("with an explicit deny in a service control policy: {policy}"), DeniedByServiceControlPolicy),
            ("with an explicit deny in a resource control policy".to_owned(), ExplicitlyDenied),
            ("with an explicit deny in an identity-based policy".to_owned(), ExplicitlyDenied),
            ("because no service control policy allows the eks:ListClusters action".to_owned(), Denied),
        ] {
            let body = format!(
                r#"{{"__type":"AccessDeniedException","message":"User: u is not authorized to perform: eks:ListClusters on resource: r {reason}"}}"#
            );
            let replay = Replay::new([response(403, &body)]);
            let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
            let error = clients.eks.clusters("us-east-1").await.unwrap_err();
            assert_eq!(error.kind(), expected, "{reason}");
        }
    }
}
