//! IAM of one account, as a trait and plain types.

use crate::policy::arn::Arn;
use crate::policy::tag::Tag;
use crate::rule::ports::error::PortError;

/// A role as GetRole returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRecord {
    /// The role's name, as IAM spells it.
    pub name: String,
    /// The ARN, path included.
    pub arn: String,
    /// The unique id, `AROA…`.
    pub id: String,
    /// The trust policy's text, percent-encoded or plain.
    pub trust_policy: String,
    /// The tags.
    pub tags: Vec<Tag>,
    /// The ARN of the permissions boundary.
    pub permissions_boundary: Option<String>,
}

/// An instance profile that holds a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceProfile {
    /// Its name.
    pub name: String,
    /// Its tags; `None` if the response has none of the profile's tags.
    pub tags: Option<Vec<Tag>>,
}

/// A role as ListRoles returns it: without tags and permissions boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRole {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The trust policy's text, percent-encoded or plain, if the list has it.
    pub trust_policy: Option<String>,
}

/// A role with everything that counts for its permissions, except the documents of managed policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDetails {
    /// The role.
    pub record: RoleRecord,
    /// Its inline policies.
    pub inline: Vec<InlinePolicy>,
    /// The ARNs of the managed policies attached to it.
    pub attached: Vec<String>,
    /// The instance profiles that hold it.
    pub instance_profiles: Vec<InstanceProfile>,
}

/// An inline policy of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InlinePolicy {
    /// Its name, unique in the role.
    pub name: String,
    /// Its document's text, percent-encoded or plain.
    pub document: String,
}

/// The policy that an ARN names now, and its default version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyVersion {
    /// The ARN.
    pub arn: String,
    /// The unique id, `ANPA…`. A policy that is deleted and made again has the same ARN and another id.
    pub policy_id: String,
    /// The id of the default version.
    pub version: String,
}

/// A managed policy's default version, with its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyDetails {
    /// The version.
    pub version: PolicyVersion,
    /// The document.
    pub document: String,
}

/// A page of a list that is too long to keep in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// The marker of the next page; `None` on the last page.
    pub next: Option<String>,
}

/// IAM of one account. Documents are texts as IAM stores them, percent-encoded or plain.
pub trait Iam {
    /// The role of that name; `None` if it is gone.
    fn role(&self, name: &str) -> impl Future<Output = Result<Option<RoleRecord>, PortError>> + Send;

    /// The names of the role's inline policies; `None` if the role is gone.
    fn inline_policies(&self, role: &str) -> impl Future<Output = Result<Option<Vec<String>>, PortError>> + Send;

    /// The document of an inline policy; `None` if it is gone.
    fn inline_policy(&self, role: &str, policy: &str)
    -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// The ARNs of the managed policies attached to the role; `None` if the role is gone.
    fn attached_policies(&self, role: &str) -> impl Future<Output = Result<Option<Vec<String>>, PortError>> + Send;

    /// The instance profiles that hold the role; `None` if the role is gone.
    fn instance_profiles(
        &self,
        role: &str,
    ) -> impl Future<Output = Result<Option<Vec<InstanceProfile>>, PortError>> + Send;

    /// The tags of an instance profile; `None` if it is gone.
    fn instance_profile_tags(&self, profile: &str) -> impl Future<Output = Result<Option<Vec<Tag>>, PortError>> + Send;

    /// A managed policy's default version; `None` if the policy is gone.
    fn default_version(
        &self,
        policy_arn: &str,
    ) -> impl Future<Output = Result<Option<PolicyVersion>, PortError>> + Send;

    /// The document of one version of a managed policy; `None` if it is gone.
    fn policy_version(
        &self,
        policy_arn: &str,
        version: &str,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// The names of the roles that a managed policy is attached to, as a policy or as a permissions boundary. A role with
    /// both may be there twice. No names if the policy is gone.
    fn attached_roles(&self, policy_arn: &str) -> impl Future<Output = Result<Vec<String>, PortError>> + Send;

    /// All roles of the account.
    fn roles(&self) -> impl Future<Output = Result<Vec<ListedRole>, PortError>> + Send;

    /// All instance profiles of the account that hold a role, without their tags, each with its role.
    fn roles_in_instance_profiles(
        &self,
    ) -> impl Future<Output = Result<Vec<(InstanceProfile, ListedRole)>, PortError>> + Send;

    /// A page of all roles of the account, in detail. Without a marker the first page.
    fn role_details(&self, marker: Option<&str>) -> impl Future<Output = Result<Page<RoleDetails>, PortError>> + Send;

    /// A page of the account's own managed policies. Without a marker the first page.
    fn policy_details(
        &self,
        marker: Option<&str>,
    ) -> impl Future<Output = Result<Page<PolicyDetails>, PortError>> + Send;
}

/// A role's name in lower case. IAM keeps role names unique in an account without regard to case and path
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>).
pub(in crate::rule) fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// The name in a role's ARN. Text that is not the ARN of a role is returned as it is.
pub(in crate::rule) fn role_name(arn: &str) -> &str {
    Arn::parse(arn).and_then(|arn| arn.role_name()).unwrap_or(arn)
}
