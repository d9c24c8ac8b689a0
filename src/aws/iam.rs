//! IAM: roles and their policies.
//!
//! Knows IAM's operations, markers and `NoSuchEntity`; which are asked in which order is the rule's business.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{EntityType, PolicyUsageType};

use super::{failed, told, untold};
use crate::rule::ports::{Iam, PolicyUsage, PortError, RoleRecord};

/// The most that IAM puts on a page (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRolePolicies.html>).
const PAGE: i32 = 1000;

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

/// A page says whether there are more, and where: one that says so without the marker ends the list too early.
fn whole(operation: &'static str, resource: &str, truncated: bool, marker: Option<&str>) -> Result<(), PortError> {
    if truncated && marker.is_none_or(str::is_empty) { Err(untold(operation, resource, "Marker")) } else { Ok(()) }
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
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => {
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
            tags: role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
            permissions_boundary,
        }))
    }

    async fn inline_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        const OPERATION: &str = "iam:ListRolePolicies";
        let resource = of_role(role);
        let mut pages = self.client.list_role_policies().role_name(role).max_items(PAGE).into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => {
                    return Ok(None);
                }
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker())?;
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
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn attached_policies(&self, role: &str) -> Result<Option<Vec<String>>, PortError> {
        const OPERATION: &str = "iam:ListAttachedRolePolicies";
        let resource = of_role(role);
        let mut pages =
            self.client.list_attached_role_policies().role_name(role).max_items(PAGE).into_paginator().send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => {
                    return Ok(None);
                }
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker())?;
            for policy in page.attached_policies() {
                arns.push(told(OPERATION, &resource, "PolicyArn", policy.policy_arn())?.to_owned());
            }
        }
        Ok(Some(arns))
    }

    async fn default_version(&self, policy_arn: &str) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "iam:GetPolicy";
        let resource = of_policy(policy_arn);
        match self.client.get_policy().policy_arn(policy_arn).send().await {
            Ok(answer) => {
                let version = answer.policy().and_then(|policy| policy.default_version_id());
                told(OPERATION, &resource, "DefaultVersionId", version).map(str::to_owned).map(Some)
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => Ok(None),
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
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => Ok(None),
            Err(error) => Err(failed(OPERATION, &resource, &error)),
        }
    }

    async fn attached_roles(&self, policy_arn: &str, usage: PolicyUsage) -> Result<Vec<String>, PortError> {
        const OPERATION: &str = "iam:ListEntitiesForPolicy";
        let resource = of_policy(policy_arn);
        let usage = match usage {
            PolicyUsage::Permissions => PolicyUsageType::PermissionsPolicy,
            PolicyUsage::Boundary => PolicyUsageType::PermissionsBoundary,
        };
        let mut pages = self
            .client
            .list_entities_for_policy()
            .policy_arn(policy_arn)
            .entity_filter(EntityType::Role)
            .policy_usage_filter(usage)
            .max_items(PAGE)
            .into_paginator()
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_entity_exception()) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(failed(OPERATION, &resource, &error)),
            };
            whole(OPERATION, &resource, page.is_truncated(), page.marker())?;
            for role in page.policy_roles() {
                names.push(told(OPERATION, &resource, "RoleName", role.role_name())?.to_owned());
            }
        }
        Ok(names)
    }
}
