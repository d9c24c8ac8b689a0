//! IAM: roles, their policies and their instance profiles.

use aws_sdk_iam::Client;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{self, EntityType, ManagedPolicyDetail, Role, RoleDetail};

use super::call::Call;
use super::pace::Pace;
use super::pages;
use crate::policy::tag::Tag;
use crate::rule::ports::{
    Iam, InlinePolicy, InstanceProfile, ListedRole, Page, PolicyDetails, PolicyVersion, PortError, RoleDetails,
    RoleRecord,
};

/// The most items that IAM puts on a page
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>).
const ITEMS_PER_PAGE: i32 = 1000;

/// Roles per page of GetAccountAuthorizationDetails. IAM allows 1,000. But a role may have 10,240 characters of inline
/// policies, which are percent-encoded in XML, and a whole page is held in memory.
const DETAILED_ROLES_PER_PAGE: i32 = 400;

/// Policies per page of GetAccountAuthorizationDetails. Each may have five versions of 6,144 characters.
const DETAILED_POLICIES_PER_PAGE: i32 = 200;

/// IAM's name for the token of the next page.
const MARKER: &str = "Marker";

const ACCOUNT: &str = "the account";

/// IAM of the account that the client's credentials belong to.
#[derive(Debug, Clone)]
pub struct IamService {
    client: Client,
    pace: Pace,
}

impl IamService {
    /// Uses this client, at this pace.
    pub(super) fn new(client: Client, pace: Pace) -> Self {
        Self { client, pace }
    }
}

/// The resource does not exist, or no longer.
fn gone<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("NoSuchEntity")
}

/// The marker of the next page. A truncated page without a marker would end the list too early, so it is an error. A
/// marker counts even if the page is not called truncated: a needless request costs less than a policy that is not read.
fn marker(call: &Call, truncated: bool, marker: Option<&str>) -> Result<Option<String>, PortError> {
    let marker = marker.filter(|marker| !marker.is_empty());
    if truncated { call.required(MARKER, marker).map(Some) } else { Ok(marker.map(str::to_owned)) }
}

fn tags(tags: &[types::Tag]) -> Vec<Tag> {
    tags.iter().map(|tag| Tag::new(tag.key(), tag.value())).collect()
}

fn role_resource(name: &str) -> String {
    format!("role `{name}`")
}

fn policy_resource(arn: &str) -> String {
    format!("policy `{arn}`")
}

impl Iam for IamService {
    async fn role(&self, name: &str) -> Result<Option<RoleRecord>, PortError> {
        let call = Call::new("iam:GetRole", role_resource(name));
        let response = call.send(&self.pace, || self.client.get_role().role_name(name).send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let role = response.role().ok_or_else(|| call.missing_field("Role"))?;
        let boundary = role.permissions_boundary();
        let boundary_arn = |arn| call.required("PermissionsBoundaryArn", arn);
        Ok(Some(RoleRecord {
            name: call.required("RoleName", Some(role.role_name()))?,
            arn: call.required("Arn", Some(role.arn()))?,
            id: call.required("RoleId", Some(role.role_id()))?,
            trust_policy: call.required("AssumeRolePolicyDocument", role.assume_role_policy_document())?,
            tags: tags(role.tags()),
            permissions_boundary: boundary.map(|it| boundary_arn(it.permissions_boundary_arn())).transpose()?,
        }))
    }

    async fn inline_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        let call = Call::new("iam:ListRolePolicies", role_resource(role));
        let request = |marker| {
            self.client.list_role_policies().role_name(role).max_items(ITEMS_PER_PAGE).set_marker(marker).send()
        };
        pages::list_if_exists(&call, &self.pace, MARKER, gone, request, |page| {
            let next = marker(&call, page.is_truncated(), page.marker())?;
            Ok(Page { items: page.policy_names, next })
        })
        .await
    }

    async fn inline_policy(&self, role: &str, policy: &str) -> Result<Option<String>, PortError> {
        let call = Call::new("iam:GetRolePolicy", format!("inline policy `{policy}` of role `{role}`"));
        let response =
            call.send(&self.pace, || self.client.get_role_policy().role_name(role).policy_name(policy).send()).await;
        let response = call.if_exists(response, gone)?;
        response.map(|it| call.required("PolicyDocument", Some(it.policy_document()))).transpose()
    }

    async fn attached_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        let call = Call::new("iam:ListAttachedRolePolicies", role_resource(role));
        let request = |marker| {
            let request = self.client.list_attached_role_policies().role_name(role);
            request.max_items(ITEMS_PER_PAGE).set_marker(marker).send()
        };
        pages::list_if_exists(&call, &self.pace, MARKER, gone, request, |page| {
            let arns = page.attached_policies().iter().map(|policy| call.required("PolicyArn", policy.policy_arn()));
            let next = marker(&call, page.is_truncated(), page.marker())?;
            Ok(Page { items: arns.collect::<Result<_, _>>()?, next })
        })
        .await
    }

    async fn instance_profiles(&self, role: &str) -> Result<Option<Vec<InstanceProfile>>, PortError> {
        let call = Call::new("iam:ListInstanceProfilesForRole", role_resource(role));
        let request = |marker| {
            let request = self.client.list_instance_profiles_for_role().role_name(role);
            request.max_items(ITEMS_PER_PAGE).set_marker(marker).send()
        };
        pages::list_if_exists(&call, &self.pace, MARKER, gone, request, |page| {
            let profiles = page.instance_profiles().iter().map(|profile| {
                let name = call.required("InstanceProfileName", Some(profile.instance_profile_name()))?;
                // This list omits tags
                // (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html>).
                Ok(InstanceProfile { name, tags: None })
            });
            let next = marker(&call, page.is_truncated(), page.marker())?;
            Ok(Page { items: profiles.collect::<Result<_, PortError>>()?, next })
        })
        .await
    }

    async fn instance_profile_tags(&self, profile: &str) -> Result<Option<Vec<Tag>>, PortError> {
        let call = Call::new("iam:GetInstanceProfile", format!("instance profile `{profile}`"));
        let response =
            call.send(&self.pace, || self.client.get_instance_profile().instance_profile_name(profile).send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let profile = response.instance_profile().ok_or_else(|| call.missing_field("InstanceProfile"))?;
        Ok(Some(tags(profile.tags())))
    }

    async fn default_version(&self, policy_arn: &str) -> Result<Option<PolicyVersion>, PortError> {
        let call = Call::new("iam:GetPolicy", policy_resource(policy_arn));
        let response = call.send(&self.pace, || self.client.get_policy().policy_arn(policy_arn).send()).await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let policy = response.policy().ok_or_else(|| call.missing_field("Policy"))?;
        Ok(Some(PolicyVersion {
            arn: policy_arn.to_owned(),
            policy_id: call.required("PolicyId", policy.policy_id())?,
            version: call.required("DefaultVersionId", policy.default_version_id())?,
        }))
    }

    async fn policy_version(&self, policy_arn: &str, version: &str) -> Result<Option<String>, PortError> {
        let call = Call::new("iam:GetPolicyVersion", format!("version `{version}` of policy `{policy_arn}`"));
        let response = call
            .send(&self.pace, || self.client.get_policy_version().policy_arn(policy_arn).version_id(version).send())
            .await;
        let Some(response) = call.if_exists(response, gone)? else { return Ok(None) };
        let document = response.policy_version().and_then(|version| version.document());
        call.required("Document", document).map(Some)
    }

    async fn attached_roles(&self, policy_arn: &str) -> Result<Vec<String>, PortError> {
        let call = Call::new("iam:ListEntitiesForPolicy", policy_resource(policy_arn));
        // Without a usage filter the list has both uses, policy and permissions boundary
        // (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>).
        let request = |marker| {
            let request = self.client.list_entities_for_policy().policy_arn(policy_arn).entity_filter(EntityType::Role);
            request.max_items(ITEMS_PER_PAGE).set_marker(marker).send()
        };
        let roles = pages::list_if_exists(&call, &self.pace, MARKER, gone, request, |page| {
            let names = page.policy_roles().iter().map(|role| call.required("RoleName", role.role_name()));
            let next = marker(&call, page.is_truncated(), page.marker())?;
            Ok(Page { items: names.collect::<Result<_, _>>()?, next })
        });
        Ok(roles.await?.unwrap_or_default())
    }

    async fn roles(&self) -> Result<Vec<ListedRole>, PortError> {
        let call = Call::new("iam:ListRoles", ACCOUNT);
        let request = |marker| self.client.list_roles().max_items(ITEMS_PER_PAGE).set_marker(marker).send();
        pages::list(&call, &self.pace, MARKER, request, |page| {
            let roles = page.roles().iter().map(|role| listed_role(&call, role));
            let next = marker(&call, page.is_truncated(), page.marker())?;
            Ok(Page { items: roles.collect::<Result<_, _>>()?, next })
        })
        .await
    }

    async fn roles_in_instance_profiles(&self) -> Result<Vec<(InstanceProfile, ListedRole)>, PortError> {
        let call = Call::new("iam:ListInstanceProfiles", ACCOUNT);
        let request = |marker| self.client.list_instance_profiles().max_items(ITEMS_PER_PAGE).set_marker(marker).send();
        pages::list(&call, &self.pace, MARKER, request, |page| {
            let mut items = Vec::new();
            for profile in page.instance_profiles() {
                let name = call.required("InstanceProfileName", Some(profile.instance_profile_name()))?;
                for role in profile.roles() {
                    // This list omits tags
                    // (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>).
                    items.push((InstanceProfile { name: name.clone(), tags: None }, listed_role(&call, role)?));
                }
            }
            Ok(Page { items, next: marker(&call, page.is_truncated(), page.marker())? })
        })
        .await
    }

    async fn role_details(&self, current: Option<&str>) -> Result<Page<RoleDetails>, PortError> {
        let call = details_call(ACCOUNT);
        let request = self.client.get_account_authorization_details().filter(EntityType::Role);
        let request = request.max_items(DETAILED_ROLES_PER_PAGE).set_marker(current.map(str::to_owned));
        let page = call.send(&self.pace, || request.clone().send()).await.map_err(|error| call.failed(&error))?;
        let next = marker(&call, page.is_truncated(), page.marker())?;
        let roles = page.role_detail_list().iter().map(role_details);
        Ok(Page { items: roles.collect::<Result<_, _>>()?, next: pages::next(&call, MARKER, current, next)? })
    }

    async fn policy_details(&self, current: Option<&str>) -> Result<Page<PolicyDetails>, PortError> {
        let call = details_call(ACCOUNT);
        let request = self.client.get_account_authorization_details().filter(EntityType::LocalManagedPolicy);
        let request = request.max_items(DETAILED_POLICIES_PER_PAGE).set_marker(current.map(str::to_owned));
        let page = call.send(&self.pace, || request.clone().send()).await.map_err(|error| call.failed(&error))?;
        let next = marker(&call, page.is_truncated(), page.marker())?;
        // A policy whose default version is missing here is read with its own calls later.
        let policies = page.policies().iter().filter_map(policy_details);
        Ok(Page { items: policies.collect(), next: pages::next(&call, MARKER, current, next)? })
    }
}

fn details_call(resource: impl Into<String>) -> Call {
    Call::new("iam:GetAccountAuthorizationDetails", resource)
}

fn listed_role(call: &Call, role: &Role) -> Result<ListedRole, PortError> {
    Ok(ListedRole {
        name: call.required("RoleName", Some(role.role_name()))?,
        arn: call.required("Arn", Some(role.arn()))?,
        trust_policy: role.assume_role_policy_document().map(str::to_owned),
    })
}

fn role_details(role: &RoleDetail) -> Result<RoleDetails, PortError> {
    let name = details_call(ACCOUNT).required("RoleName", role.role_name())?;
    let call = details_call(role_resource(&name));
    let boundary = role.permissions_boundary();
    let boundary_arn = |arn| call.required("PermissionsBoundaryArn", arn);
    let inline = role.role_policy_list().iter().map(|policy| {
        Ok(InlinePolicy {
            name: call.required("PolicyName", policy.policy_name())?,
            document: call.required("PolicyDocument", policy.policy_document())?,
        })
    });
    let attached = role.attached_managed_policies().iter().map(|it| call.required("PolicyArn", it.policy_arn()));
    let profiles = role.instance_profile_list().iter().map(|profile| {
        Ok(InstanceProfile {
            name: call.required("InstanceProfileName", Some(profile.instance_profile_name()))?,
            // It is not documented whether this operation returns the tags of profiles. No tags here means unknown.
            tags: Some(tags(profile.tags())).filter(|tags| !tags.is_empty()),
        })
    });
    Ok(RoleDetails {
        inline: inline.collect::<Result<_, PortError>>()?,
        attached: attached.collect::<Result<_, _>>()?,
        instance_profiles: profiles.collect::<Result<_, PortError>>()?,
        record: RoleRecord {
            arn: call.required("Arn", role.arn())?,
            id: call.required("RoleId", role.role_id())?,
            trust_policy: call.required("AssumeRolePolicyDocument", role.assume_role_policy_document())?,
            tags: tags(role.tags()),
            permissions_boundary: boundary.map(|it| boundary_arn(it.permissions_boundary_arn())).transpose()?,
            name,
        },
    })
}

/// A policy with the document of its default version; `None` if the response lacks a part of it.
fn policy_details(policy: &ManagedPolicyDetail) -> Option<PolicyDetails> {
    let id = policy.default_version_id()?;
    let default = policy.policy_version_list().iter().find(|version| version.version_id() == Some(id))?;
    Some(PolicyDetails {
        version: PolicyVersion {
            arn: policy.arn()?.to_owned(),
            policy_id: policy.policy_id()?.to_owned(),
            version: id.to_owned(),
        },
        document: default.document().filter(|document| !document.is_empty())?.to_owned(),
    })
}
