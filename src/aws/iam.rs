//! IAM: roles and their policies.
//!
//! Knows IAM's operations, markers and `NoSuchEntity`; which are asked in which order is the rule's business.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{self, EntityType, ManagedPolicyDetail, Role, RoleDetail};

use super::error::{failed, told, untold};
use super::pages::leads_on;
use crate::policy::tag::Tag;
use crate::rule::ports::{
    Iam, InstanceProfile, ListedRole, Page, PolicyDetails, PolicyVersion, PortError, RoleDetails, RoleRecord,
};

/// The most that IAM puts on a page (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>).
const PAGE: i32 = 1000;

/// The most roles in detail on a page. IAM would give 1,000, but a role may have 10,240 characters of inline policies,
/// percent-encoded in XML, and a page is held whole.
const DETAILED_ROLES: i32 = 400;

/// The most policies in detail on a page: each may have five versions of 6,144 characters.
const DETAILED_POLICIES: i32 = 200;

/// IAM of the account whose credentials the client has.
#[derive(Debug, Clone)]
pub struct IamService {
    client: Client,
}

impl IamService {
    /// Asks by `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

/// Whether what was asked for does not exist, or no longer.
macro_rules! gone {
    ($error:expr) => {
        $error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception())
    };
}

fn tags(tags: &[types::Tag]) -> Vec<Tag> {
    tags.iter().map(|tag| Tag::new(tag.key(), tag.value())).collect()
}

/// A page says whether there are more, and where: one that says so without the marker ends the list too early, and so does
/// one that leads back to itself.
fn whole(
    operation: &'static str,
    resource: &str,
    truncated: bool,
    marker: Option<&str>,
    asked_with: &mut Option<String>,
) -> Result<(), PortError> {
    match marker.filter(|marker| truncated && !marker.is_empty()) {
        None if truncated => Err(untold(operation, resource, "Marker")),
        marker => leads_on(operation, resource, "Marker", marker, asked_with),
    }
}

/// The same of a page that was asked for by itself.
fn next(
    operation: &'static str,
    truncated: bool,
    marker: Option<String>,
    asked_with: Option<&str>,
) -> Result<Option<String>, PortError> {
    whole(operation, THE_ACCOUNT, truncated, marker.as_deref(), &mut asked_with.map(str::to_owned))?;
    Ok(marker.filter(|_| truncated))
}

fn of_role(name: &str) -> String {
    format!("role `{name}`")
}

fn of_policy(arn: &str) -> String {
    format!("policy `{arn}`")
}

impl Iam for IamService {
    async fn role(&self, name: &str) -> Result<Option<RoleRecord>, PortError> {
        const OPERATION: &str = "iam:GetRole";
        let resource = of_role(name);
        let answer = match self.client.get_role().role_name(name).send().await {
            Ok(answer) => answer,
            Err(error) if gone!(error) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(OPERATION, &resource, &error)),
        };
        let role = answer.role().ok_or_else(|| untold(OPERATION, &resource, "Role"))?;
        let told = |field, value| told(OPERATION, &resource, field, value).map(str::to_owned);
        let permissions_boundary = match role.permissions_boundary() {
            None => None,
            Some(boundary) => Some(told("PermissionsBoundaryArn", boundary.permissions_boundary_arn())?),
        };
        Ok(Some(RoleRecord {
            name: told("RoleName", Some(role.role_name()))?,
            arn: told("Arn", Some(role.arn()))?,
            id: told("RoleId", Some(role.role_id()))?,
            trust_policy: told("AssumeRolePolicyDocument", role.assume_role_policy_document())?,
            tags: tags(role.tags()),
            permissions_boundary,
        }))
    }

    async fn inline_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        const OPERATION: &str = "iam:ListRolePolicies";
        let resource = of_role(role);
        let mut pages = self.client.list_role_policies().role_name(role).max_items(PAGE).into_paginator().send();
        let mut names = Vec::new();
        let mut asked_with = None;
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if gone!(error) => {
                    return Ok(None);
                }
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker(), &mut asked_with)?;
            names.extend(page.policy_names);
        }
        Ok(Some(names))
    }

    async fn inline_policy(&self, role: &str, policy: &str) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "iam:GetRolePolicy";
        let resource = format!("inline policy `{policy}` of role `{role}`");
        match self.client.get_role_policy().role_name(role).policy_name(policy).send().await {
            Ok(answer) => told(OPERATION, &resource, "PolicyDocument", Some(answer.policy_document()))
                .map(str::to_owned)
                .map(Some),
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn attached_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        const OPERATION: &str = "iam:ListAttachedRolePolicies";
        let resource = of_role(role);
        let mut pages =
            self.client.list_attached_role_policies().role_name(role).max_items(PAGE).into_paginator().send();
        let mut arns = Vec::new();
        let mut asked_with = None;
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if gone!(error) => {
                    return Ok(None);
                }
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker(), &mut asked_with)?;
            for policy in page.attached_policies() {
                arns.push(told(OPERATION, &resource, "PolicyArn", policy.policy_arn())?.to_owned());
            }
        }
        Ok(Some(arns))
    }

    async fn instance_profiles(&self, role: &str) -> Result<Option<Vec<InstanceProfile>>, PortError> {
        const OPERATION: &str = "iam:ListInstanceProfilesForRole";
        let resource = of_role(role);
        let mut pages =
            self.client.list_instance_profiles_for_role().role_name(role).max_items(PAGE).into_paginator().send();
        let mut profiles = Vec::new();
        let mut asked_with = None;
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if gone!(error) => return Ok(None),
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker(), &mut asked_with)?;
            for profile in page.instance_profiles() {
                let name = told(OPERATION, &resource, "InstanceProfileName", Some(profile.instance_profile_name()))?;
                // This list leaves tags out
                // (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfilesForRole.html>).
                profiles.push(InstanceProfile { name: name.to_owned(), tags: None });
            }
        }
        Ok(Some(profiles))
    }

    async fn instance_profile_tags(&self, profile: &str) -> Result<Option<Vec<Tag>>, PortError> {
        const OPERATION: &str = "iam:GetInstanceProfile";
        let resource = format!("instance profile `{profile}`");
        match self.client.get_instance_profile().instance_profile_name(profile).send().await {
            Ok(answer) => match answer.instance_profile() {
                Some(profile) => Ok(Some(tags(profile.tags()))),
                None => Err(untold(OPERATION, &resource, "InstanceProfile")),
            },
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn default_version(&self, policy_arn: &str) -> Result<Option<PolicyVersion>, PortError> {
        const OPERATION: &str = "iam:GetPolicy";
        let resource = of_policy(policy_arn);
        match self.client.get_policy().policy_arn(policy_arn).send().await {
            Ok(answer) => {
                let policy = answer.policy().ok_or_else(|| untold(OPERATION, &resource, "Policy"))?;
                let told = |field, value| told(OPERATION, &resource, field, value).map(str::to_owned);
                Ok(Some(PolicyVersion {
                    arn: policy_arn.to_owned(),
                    policy_id: told("PolicyId", policy.policy_id())?,
                    version: told("DefaultVersionId", policy.default_version_id())?,
                }))
            }
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn policy_version(&self, policy_arn: &str, version: &str) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "iam:GetPolicyVersion";
        let resource = format!("version `{version}` of policy `{policy_arn}`");
        match self.client.get_policy_version().policy_arn(policy_arn).version_id(version).send().await {
            Ok(answer) => {
                let document = answer.policy_version().and_then(|version| version.document());
                told(OPERATION, &resource, "Document", document).map(str::to_owned).map(Some)
            }
            Err(error) if gone!(error) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn attached_roles(&self, policy_arn: &str) -> Result<Vec<String>, PortError> {
        const OPERATION: &str = "iam:ListEntitiesForPolicy";
        let resource = of_policy(policy_arn);
        // Without a filter of usage both are listed
        // (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>).
        let mut pages = self
            .client
            .list_entities_for_policy()
            .policy_arn(policy_arn)
            .entity_filter(EntityType::Role)
            .max_items(PAGE)
            .into_paginator()
            .send();
        let mut names = Vec::new();
        let mut asked_with = None;
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if gone!(error) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker(), &mut asked_with)?;
            for role in page.policy_roles() {
                names.push(told(OPERATION, &resource, "RoleName", role.role_name())?.to_owned());
            }
        }
        Ok(names)
    }

    async fn roles(&self) -> Result<Vec<ListedRole>, PortError> {
        const OPERATION: &str = "iam:ListRoles";
        let mut pages = self.client.list_roles().max_items(PAGE).into_paginator().send();
        let mut roles = Vec::new();
        let mut asked_with = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(OPERATION, THE_ACCOUNT, &error))?;
            whole(OPERATION, THE_ACCOUNT, page.is_truncated(), page.marker(), &mut asked_with)?;
            for role in page.roles() {
                roles.push(listed(OPERATION, role)?);
            }
        }
        Ok(roles)
    }

    async fn roles_in_instance_profiles(&self) -> Result<Vec<(InstanceProfile, ListedRole)>, PortError> {
        const OPERATION: &str = "iam:ListInstanceProfiles";
        let mut pages = self.client.list_instance_profiles().max_items(PAGE).into_paginator().send();
        let mut roles = Vec::new();
        let mut asked_with = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed(OPERATION, THE_ACCOUNT, &error))?;
            whole(OPERATION, THE_ACCOUNT, page.is_truncated(), page.marker(), &mut asked_with)?;
            for profile in page.instance_profiles() {
                let name = told(OPERATION, THE_ACCOUNT, "InstanceProfileName", Some(profile.instance_profile_name()))?;
                for role in profile.roles() {
                    // This list leaves tags out
                    // (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListInstanceProfiles.html>).
                    roles.push((InstanceProfile { name: name.to_owned(), tags: None }, listed(OPERATION, role)?));
                }
            }
        }
        Ok(roles)
    }

    async fn role_details(&self, marker: Option<&str>) -> Result<Page<RoleDetails>, PortError> {
        let answer = self
            .client
            .get_account_authorization_details()
            .filter(EntityType::Role)
            .max_items(DETAILED_ROLES)
            .set_marker(marker.map(str::to_owned))
            .send()
            .await
            .map_err(|error| failed(DETAILS, THE_ACCOUNT, &error))?;
        let items = answer.role_detail_list().iter().map(role_details).collect::<Result<_, _>>()?;
        Ok(Page { items, next: next(DETAILS, answer.is_truncated, answer.marker, marker)? })
    }

    async fn policy_details(&self, marker: Option<&str>) -> Result<Page<PolicyDetails>, PortError> {
        let answer = self
            .client
            .get_account_authorization_details()
            .filter(EntityType::LocalManagedPolicy)
            .max_items(DETAILED_POLICIES)
            .set_marker(marker.map(str::to_owned))
            .send()
            .await
            .map_err(|error| failed(DETAILS, THE_ACCOUNT, &error))?;
        // One whose default version is not among those told is asked for by itself.
        let items = answer.policies().iter().filter_map(policy_details).collect();
        Ok(Page { items, next: next(DETAILS, answer.is_truncated, answer.marker, marker)? })
    }
}

const DETAILS: &str = "iam:GetAccountAuthorizationDetails";
const THE_ACCOUNT: &str = "the account";

fn listed(operation: &'static str, role: &Role) -> Result<ListedRole, PortError> {
    let told = |field, value| told(operation, THE_ACCOUNT, field, value).map(str::to_owned);
    Ok(ListedRole {
        name: told("RoleName", Some(role.role_name()))?,
        arn: told("Arn", Some(role.arn()))?,
        trust_policy: role.assume_role_policy_document().map(str::to_owned),
    })
}

fn role_details(role: &RoleDetail) -> Result<RoleDetails, PortError> {
    let name = told(DETAILS, THE_ACCOUNT, "RoleName", role.role_name())?;
    let resource = of_role(name);
    let told = |field, value| told(DETAILS, &resource, field, value).map(str::to_owned);
    let permissions_boundary = match role.permissions_boundary() {
        None => None,
        Some(boundary) => Some(told("PermissionsBoundaryArn", boundary.permissions_boundary_arn())?),
    };
    let inline = role.role_policy_list().iter().map(|policy| {
        Ok((told("PolicyName", policy.policy_name())?, told("PolicyDocument", policy.policy_document())?))
    });
    let attached = role.attached_managed_policies().iter().map(|policy| told("PolicyArn", policy.policy_arn()));
    let profiles = role.instance_profile_list().iter().map(|profile| {
        Ok(InstanceProfile {
            name: told("InstanceProfileName", Some(profile.instance_profile_name()))?,
            // Whether this operation tells the tags of profiles is not documented: none told are none known.
            tags: Some(tags(profile.tags())).filter(|tags| !tags.is_empty()),
        })
    });
    Ok(RoleDetails {
        record: RoleRecord {
            name: name.to_owned(),
            arn: told("Arn", role.arn())?,
            id: told("RoleId", role.role_id())?,
            trust_policy: told("AssumeRolePolicyDocument", role.assume_role_policy_document())?,
            tags: tags(role.tags()),
            permissions_boundary,
        },
        inline: inline.collect::<Result<_, PortError>>()?,
        attached: attached.collect::<Result<_, _>>()?,
        instance_profiles: profiles.collect::<Result<_, PortError>>()?,
    })
}

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

#[cfg(test)]
mod tests {
    use super::next;

    #[test]
    fn a_page_leads_to_another_or_is_the_last() {
        let page = |truncated, marker: &str| {
            let marker = Some(marker.to_owned()).filter(|marker| !marker.is_empty());
            next("iam:X", truncated, marker, Some("a")).map_err(|error| error.to_string())
        };
        let error = |cause: &str| Err(format!("iam:X of the account failed: {cause}"));
        assert_eq!(page(true, "b"), Ok(Some("b".to_owned())));
        assert_eq!(page(false, ""), Ok(None));
        assert_eq!(page(false, "b"), Ok(None));
        assert_eq!(page(true, ""), error("the answer lacks `Marker`"));
        assert_eq!(page(true, "a"), error("the answer's `Marker` leads back to the same page"));
    }
}
