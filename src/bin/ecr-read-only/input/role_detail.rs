//! One entry of `RoleDetailList`. A member that is missing is no empty list: AWS's output has every list.

use std::borrow::Cow;

use ecr_read_only::policy::Json;
use ecr_read_only::policy::tag::Tag;
use serde::{Deserialize, Deserializer};

/// The entry as it is in the file.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct RawRole<'a> {
    #[serde(borrow)]
    role_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    role_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
    #[serde(borrow)]
    assume_role_policy_document: Option<Json<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    role_policy_list: Option<Vec<InlinePolicy<'a>>>,
    #[serde(borrow, default, deserialize_with = "list")]
    attached_managed_policies: Option<Vec<AttachedPolicy<'a>>>,
    #[serde(borrow)]
    permissions_boundary: Option<Boundary<'a>>,
    #[serde(borrow, default, deserialize_with = "list")]
    tags: Option<Vec<TagEntry<'a>>>,
    #[serde(borrow, default, deserialize_with = "list")]
    instance_profile_list: Option<Vec<InstanceProfile<'a>>>,
}

/// Reads a list; `null` is an empty one. A missing member stays `None`.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Vec<T>>, D::Error> {
    Option::<Vec<T>>::deserialize(deserializer).map(|list| Some(list.unwrap_or_default()))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct InlinePolicy<'a> {
    #[serde(borrow)]
    policy_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    policy_document: Option<Json<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct AttachedPolicy<'a> {
    #[serde(borrow)]
    policy_arn: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct Boundary<'a> {
    #[serde(borrow)]
    permissions_boundary_arn: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct InstanceProfile<'a> {
    #[serde(borrow)]
    instance_profile_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tags: Option<Vec<TagEntry<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct TagEntry<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
}

/// A role of the file with all members that its verdict depends on.
#[derive(Debug, PartialEq)]
pub(crate) struct RoleDetail<'a> {
    pub(crate) role_name: Cow<'a, str>,
    pub(crate) role_id: Cow<'a, str>,
    pub(crate) arn: Cow<'a, str>,
    pub(crate) trust_policy: Json<'a>,
    /// Names and documents.
    pub(crate) inline_policies: Vec<(Cow<'a, str>, Json<'a>)>,
    /// The ARNs of the attached managed policies.
    pub(crate) attached: Vec<Cow<'a, str>>,
    /// The ARN of the permissions boundary.
    pub(crate) boundary: Option<Cow<'a, str>>,
    pub(crate) tags: Vec<Tag>,
    /// Names and tags. An instance profile without `Tags` counts as untagged: AWS does not print them for all.
    pub(crate) instance_profiles: Vec<(Cow<'a, str>, Vec<Tag>)>,
}

/// Why an entry gives no role.
pub(crate) enum DetailError {
    /// A value has another type than in AWS's output.
    Malformed(serde_json::Error),
    /// A member is missing.
    Partial(String),
}

impl<'a> RoleDetail<'a> {
    /// Reads the JSON text of an entry.
    ///
    /// # Errors
    /// [`DetailError`] names the malformed or missing member.
    pub(crate) fn parse(text: &'a str) -> Result<Self, DetailError> {
        let raw: RawRole<'a> = serde_json::from_str(text).map_err(DetailError::Malformed)?;
        raw.complete().map_err(DetailError::Partial)
    }
}

impl<'a> RawRole<'a> {
    fn complete(self) -> Result<RoleDetail<'a>, String> {
        let members = [
            ("RoleName", self.role_name.is_some()),
            ("RoleId", self.role_id.is_some()),
            ("Arn", self.arn.is_some()),
            ("AssumeRolePolicyDocument", self.assume_role_policy_document.is_some()),
            ("InstanceProfileList", self.instance_profile_list.is_some()),
            ("RolePolicyList", self.role_policy_list.is_some()),
            ("AttachedManagedPolicies", self.attached_managed_policies.is_some()),
            ("Tags", self.tags.is_some()),
        ];
        let missing: Vec<String> =
            members.iter().filter(|one| !one.1).map(|(name, _)| format!("no `{name}`")).collect();
        let (Some(trust_policy), []) = (self.assume_role_policy_document, missing.as_slice()) else {
            let missing = missing.join(", ");
            return Err(format!("the role has {missing} in the file; save the file again without `--query`"));
        };
        let inline = self.role_policy_list.into_iter().flatten().map(|policy| {
            let name = policy.policy_name.ok_or("an entry of `RolePolicyList` has no `PolicyName`")?;
            match policy.policy_document {
                Some(document) => Ok((name, document)),
                None => Err(format!("policy `{name}` has no `PolicyDocument`")),
            }
        });
        let attached = self.attached_managed_policies.into_iter().flatten();
        let attached =
            attached.map(|policy| policy.policy_arn.ok_or("an entry of `AttachedManagedPolicies` has no `PolicyArn`"));
        let boundary = self.permissions_boundary.map(|boundary| {
            boundary.permissions_boundary_arn.ok_or("`PermissionsBoundary` has no `PermissionsBoundaryArn`")
        });
        let profiles = self.instance_profile_list.into_iter().flatten().map(|profile| {
            let name = profile
                .instance_profile_name
                .ok_or("an entry of `InstanceProfileList` has no `InstanceProfileName`")?;
            let tags = tags(profile.tags)?;
            Ok::<_, String>((name, tags))
        });
        Ok(RoleDetail {
            role_name: self.role_name.unwrap_or_default(),
            role_id: self.role_id.unwrap_or_default(),
            arn: self.arn.unwrap_or_default(),
            trust_policy,
            inline_policies: inline.collect::<Result<_, String>>()?,
            attached: attached.collect::<Result<_, _>>()?,
            boundary: boundary.transpose()?,
            tags: tags(self.tags)?,
            instance_profiles: profiles.collect::<Result<_, _>>()?,
        })
    }
}

fn tags(entries: Option<Vec<TagEntry<'_>>>) -> Result<Vec<Tag>, String> {
    let tag = |TagEntry { key, value }| {
        let key: Cow<'_, str> = key.ok_or("a tag has no `Key`")?;
        let value: Cow<'_, str> = value.ok_or_else(|| format!("tag `{key}` has no `Value`"))?;
        Ok(Tag::new(key, value))
    };
    entries.into_iter().flatten().map(tag).collect()
}
