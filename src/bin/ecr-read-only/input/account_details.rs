//! The output of `aws iam get-account-authorization-details`: pages of roles and policies.
//!
//! Each role stays text until it is needed. A file of thousands of roles so takes little more memory than its own size.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ecr_read_only::access::node_marks::{RoleData, node_marks};
use ecr_read_only::access::{Policy, PolicySource, Role};
use ecr_read_only::policy::arn::Arn;
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::policy::{Document, DocumentError, Json, TrustPolicy};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Why the file cannot be used. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DetailsError {
    #[error(
        "not the JSON output of `aws iam get-account-authorization-details`: {0}; save it again with `--output json`"
    )]
    Json(#[from] serde_json::Error),
    #[error(
        "pages are missing: the last page says that more follow (`IsTruncated` or `NextToken`); save the output again \
         without `--max-items` and `--no-paginate`, or append the other pages in order"
    )]
    Truncated,
    #[error("no `RoleDetailList`: give the output of `aws iam get-account-authorization-details`")]
    NoRoles,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page<'a> {
    #[serde(borrow)]
    role_detail_list: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    policies: Option<Vec<ManagedPolicy<'a>>>,
    is_truncated: Option<bool>,
    #[serde(borrow)]
    next_token: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ManagedPolicy<'a> {
    #[serde(borrow)]
    arn: Cow<'a, str>,
    #[serde(borrow)]
    default_version_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    policy_version_list: Vec<PolicyVersion<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyVersion<'a> {
    #[serde(borrow)]
    document: Option<&'a RawValue>,
    #[serde(borrow)]
    version_id: Option<Cow<'a, str>>,
    #[serde(default)]
    is_default_version: bool,
}

/// The members that identify a role. They are readable even if the rest of the role is malformed.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RoleIdentity<'a> {
    #[serde(borrow)]
    role_name: Cow<'a, str>,
    #[serde(borrow)]
    role_id: Cow<'a, str>,
    #[serde(borrow)]
    arn: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoleDetail<'a> {
    #[serde(borrow)]
    role_name: Cow<'a, str>,
    #[serde(borrow)]
    role_id: Cow<'a, str>,
    #[serde(borrow)]
    arn: Cow<'a, str>,
    #[serde(borrow)]
    assume_role_policy_document: Option<Json<'a>>,
    #[serde(borrow)]
    role_policy_list: Option<Vec<InlinePolicy<'a>>>,
    #[serde(borrow)]
    attached_managed_policies: Option<Vec<AttachedPolicy<'a>>>,
    #[serde(borrow)]
    permissions_boundary: Option<Boundary<'a>>,
    #[serde(borrow)]
    tags: Option<Vec<TagEntry<'a>>>,
    #[serde(borrow)]
    instance_profile_list: Option<Vec<InstanceProfile<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceProfile<'a> {
    #[serde(borrow)]
    instance_profile_name: Cow<'a, str>,
    #[serde(borrow)]
    tags: Option<Vec<TagEntry<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InlinePolicy<'a> {
    #[serde(borrow)]
    policy_name: Cow<'a, str>,
    #[serde(borrow)]
    policy_document: Option<Json<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedPolicy<'a> {
    #[serde(borrow)]
    policy_arn: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary<'a> {
    #[serde(borrow)]
    permissions_boundary_arn: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagEntry<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow, default)]
    value: Cow<'a, str>,
}

/// The roles of an account, and the default versions of its managed policies by ARN.
pub(crate) struct AccountDetails<'a> {
    roles: Vec<&'a RawValue>,
    policies: HashMap<Cow<'a, str>, KnownPolicy<'a>>,
}

/// The default version of a managed policy: its JSON text, and the document read from it.
struct KnownPolicy<'a> {
    text: &'a str,
    document: Result<Arc<Document>, String>,
}

impl<'a> AccountDetails<'a> {
    /// Reads the pages, which follow one another in the text.
    ///
    /// # Errors
    /// [`DetailsError`] if the text is not the output of the AWS CLI, or if pages are missing.
    pub(crate) fn parse(text: &'a str) -> Result<Self, DetailsError> {
        let (mut roles, mut policies) = (Vec::new(), HashMap::new());
        let (mut truncated, mut any_roles) = (false, false);
        for page in serde_json::Deserializer::from_str(text).into_iter::<Page<'a>>() {
            let page = page?;
            truncated = page.is_truncated == Some(true) || page.next_token.is_some();
            any_roles |= page.role_detail_list.is_some();
            roles.extend(page.role_detail_list.into_iter().flatten());
            for policy in page.policies.into_iter().flatten() {
                let text = policy.default_document().map_or("", RawValue::get);
                match policies.entry(policy.arn) {
                    Entry::Vacant(entry) => {
                        entry.insert(KnownPolicy { text, document: document(text) });
                    }
                    // Pages of two runs: it is not known which document applies now.
                    Entry::Occupied(mut known) if known.get().text != text => {
                        known.get_mut().document =
                            Err("the file holds two different documents; save it again".to_owned());
                    }
                    Entry::Occupied(_) => {}
                }
            }
        }
        match (truncated, any_roles) {
            (true, _) => Err(DetailsError::Truncated),
            (_, false) => Err(DetailsError::NoRoles),
            _ => Ok(Self { roles, policies }),
        }
    }

    /// The number of roles.
    pub(crate) fn len(&self) -> usize {
        self.roles.len()
    }

    /// At most `count` roles from index `start` on, in the order of the file.
    pub(crate) fn roles(&self, start: usize, count: usize) -> impl Iterator<Item = RoleEntry<'_>> {
        self.roles.iter().skip(start).take(count).map(|text| {
            let (identity, detail) = match serde_json::from_str::<RoleDetail<'_>>(text.get()) {
                Ok(mut detail) => {
                    let role_name = std::mem::take(&mut detail.role_name);
                    let role_id = std::mem::take(&mut detail.role_id);
                    (RoleIdentity { role_name, role_id, arn: std::mem::take(&mut detail.arn) }, Ok(detail))
                }
                Err(error) => {
                    let identity = serde_json::from_str(text.get()).unwrap_or_default();
                    (identity, Err(format!("malformed entry of `RoleDetailList`: {error}")))
                }
            };
            RoleEntry { identity, detail, account: self }
        })
    }

    fn policy(&self, arn: &str) -> Result<Policy, String> {
        let missing = || format!("policy `{arn}` is not in the file; save it again without `--filter`");
        let known = self.policies.get(arn).ok_or_else(missing)?;
        let document = known.document.as_ref().map_err(|error| format!("policy `{arn}`: {error}"))?;
        Ok(Policy { source: PolicySource::Managed(arn.to_owned()), document: Arc::clone(document) })
    }
}

impl<'a> ManagedPolicy<'a> {
    fn default_document(&self) -> Option<&'a RawValue> {
        let version = self.policy_version_list.iter().find(|version| version.is_default_version).or_else(|| {
            let named = self.default_version_id.as_ref()?;
            self.policy_version_list.iter().find(|version| version.version_id.as_ref() == Some(named))
        });
        version?.document
    }
}

/// Reads the document of a managed policy. The text is empty if the file has none.
fn document(text: &str) -> Result<Arc<Document>, String> {
    if text.is_empty() {
        return Err("the file has no document for the default version".to_owned());
    }
    let json: Json<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    document_of(&json).map(Arc::new).map_err(|error| error.to_string())
}

/// The AWS CLI prints a document as an object; the API returns it as text.
fn document_of(json: &Json<'_>) -> Result<Document, DocumentError> {
    match json {
        Json::String(text) => Document::parse(text),
        tree => Document::from_json(tree),
    }
}

fn tags_of(entries: &Option<Vec<TagEntry<'_>>>) -> Vec<Tag> {
    entries.iter().flatten().map(|tag| Tag::new(&*tag.key, &*tag.value)).collect()
}

/// One role of the account.
pub(crate) struct RoleEntry<'a> {
    identity: RoleIdentity<'a>,
    detail: Result<RoleDetail<'a>, String>,
    account: &'a AccountDetails<'a>,
}

impl RoleEntry<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.identity.role_name
    }

    pub(crate) fn arn(&self) -> &str {
        &self.identity.arn
    }

    pub(crate) fn id(&self) -> &str {
        &self.identity.role_id
    }

    pub(crate) fn trust_policy(&self) -> Result<TrustPolicy, String> {
        let detail = self.detail.as_ref().map_err(Clone::clone)?;
        let document = detail
            .assume_role_policy_document
            .as_ref()
            .ok_or("the role has no trust policy (`AssumeRolePolicyDocument`)")?;
        let policy = match document {
            Json::String(text) => TrustPolicy::parse(text),
            tree => TrustPolicy::from_json(tree),
        };
        policy.map_err(|error| format!("trust policy: {error}"))
    }

    /// The marks that make this a node role. None if the trust policy rules nodes out.
    pub(crate) fn node_marks(&self, trust_policy: &TrustPolicy) -> Vec<String> {
        let Ok(detail) = self.detail.as_ref() else { return Vec::new() };
        let profiles = detail.instance_profile_list.iter().flatten();
        let profiles: Vec<_> =
            profiles.map(|profile| (&*profile.instance_profile_name, tags_of(&profile.tags))).collect();
        let role = RoleData {
            trust_policy,
            tags: &tags_of(&detail.tags),
            attached: detail.attached_managed_policies.iter().flatten().map(|policy| &*policy.policy_arn).collect(),
            instance_profiles: profiles.iter().map(|(name, tags)| (*name, tags.as_slice())).collect(),
        };
        node_marks(&role).iter().map(ToString::to_string).collect()
    }

    /// The role with all its policies.
    ///
    /// # Errors
    /// A text that names the malformed or missing part.
    pub(crate) fn role(&self, trust_policy: TrustPolicy) -> Result<Role, String> {
        let detail = self.detail.as_ref().map_err(Clone::clone)?;
        let is_role = |arn: Arn<'_>| {
            (arn.service, arn.region) == ("iam", "")
                && !arn.partition.is_empty()
                && arn.account.len() == 12
                && arn.resource.starts_with("role/")
                && !arn.resource.contains(':')
        };
        if !Arn::parse(&self.identity.arn).is_some_and(is_role) {
            // The partition and the account decide which resources exist. A wrong ARN would give a wrong verdict.
            let arn = &self.identity.arn;
            return Err(format!("`Arn` is `{arn}`, expected one such as `arn:aws:iam::123456789012:role/name`"));
        }
        let mut policies = Vec::new();
        for inline in detail.role_policy_list.iter().flatten() {
            let name = &inline.policy_name;
            let document =
                inline.policy_document.as_ref().ok_or_else(|| format!("policy `{name}` has no `PolicyDocument`"))?;
            let document = document_of(document).map_err(|error| format!("policy `{name}`: {error}"))?;
            policies.push(Policy { source: PolicySource::Inline(name.to_string()), document: Arc::new(document) });
        }
        for attached in detail.attached_managed_policies.iter().flatten() {
            policies.push(self.account.policy(&attached.policy_arn)?);
        }
        let boundary = detail.permissions_boundary.as_ref();
        Ok(Role {
            arn: self.identity.arn.to_string(),
            id: self.identity.role_id.to_string(),
            trust_policy,
            tags: tags_of(&detail.tags),
            policies,
            permissions_boundary: match boundary {
                Some(boundary) => Some(self.account.policy(&boundary.permissions_boundary_arn)?),
                None => None,
            },
            session_policy: None,
        })
    }
}
