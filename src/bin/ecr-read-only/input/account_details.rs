//! The roles and policies in the output of `aws iam get-account-authorization-details`, of one account or of several.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use ecr_read_only::access::node_marks::{RoleData, node_marks};
use ecr_read_only::access::{Policy, PolicySource, Role};
use ecr_read_only::policy::Json;
use ecr_read_only::policy::TrustPolicy;
use ecr_read_only::policy::arn::Arn;
use ecr_read_only::policy::tag::Tag;
use serde_json::value::RawValue;

use super::accounts::{Group, PagesMissing, grouped};
use super::managed_policies::{ManagedPolicies, document_of};
use super::pages::{self, Page, PagesError, account_of, first_texts, problem_in};
use super::role_detail::{DetailError, RoleDetail};
use crate::report::Account;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DetailsError {
    #[error(transparent)]
    Pages(#[from] PagesError),
    #[error(transparent)]
    Missing(#[from] PagesMissing),
}

/// The roles of the file, and the managed policies of each account.
pub(crate) struct AccountDetails<'a> {
    text: &'a str,
    roles: Vec<StoredRole<'a>>,
    groups: Vec<PagesOfAccount<'a>>,
    /// The policies of pages that can belong to several accounts. AWS maintains all of them.
    unassigned: ManagedPolicies<'a>,
}

/// The pages of one account.
struct PagesOfAccount<'a> {
    accounts: Vec<String>,
    policies: ManagedPolicies<'a>,
    error: Option<String>,
}

struct StoredRole<'a> {
    json: &'a RawValue,
    /// The place of its account's pages; `None` if its page shows no account.
    group: Option<usize>,
    /// The file has another role of this ARN with different data.
    ambiguous: bool,
}

impl<'a> AccountDetails<'a> {
    /// Reads the pages in the text.
    ///
    /// # Errors
    /// [`DetailsError`] if the text is not the output of the AWS CLI, or if pages of every account are missing.
    pub(crate) fn parse(text: &'a str) -> Result<Self, DetailsError> {
        let pages = pages::read(text)?;
        let groups = grouped(&pages)?;
        let mut group_of = vec![None; pages.len()];
        for (place, group) in groups.iter().enumerate() {
            for page in &group.pages {
                group_of.get_mut(*page).into_iter().for_each(|of| *of = Some(place));
            }
        }
        let of_account = |group: Group| PagesOfAccount {
            accounts: group.accounts,
            policies: ManagedPolicies::default(),
            error: group.error.map(|error| error.to_string()),
        };
        let mut details = Self {
            text,
            roles: Vec::new(),
            groups: groups.into_iter().map(of_account).collect(),
            unassigned: ManagedPolicies::default(),
        };
        let mut known = HashMap::new();
        for (page, group) in pages.into_iter().zip(group_of) {
            details.add(page, group, &mut known);
        }
        Ok(details)
    }

    /// Adds a page. `known` are the places of the roles so far, by account and ARN.
    fn add(&mut self, page: Page<'a>, group: Option<usize>, known: &mut HashMap<(Option<usize>, Cow<'a, str>), usize>) {
        for role in page.roles.into_iter().flatten() {
            let place = self.roles.len();
            if !role.arn.is_empty() {
                match known.entry((group, role.arn)) {
                    Place::Vacant(entry) => {
                        entry.insert(place);
                    }
                    Place::Occupied(earlier) => {
                        if let Some(earlier) = self.roles.get_mut(*earlier.get()) {
                            earlier.ambiguous |= !is_same(earlier.json.get(), role.json.get());
                        }
                        continue;
                    }
                }
            }
            self.roles.push(StoredRole { json: role.json, group, ambiguous: false });
        }
        let policies = match group.and_then(|group| self.groups.get_mut(group)) {
            Some(group) => &mut group.policies,
            None => &mut self.unassigned,
        };
        page.policies.into_iter().for_each(|policy| policies.add(policy));
    }

    /// The accounts in the order of the file.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account> {
        let accounts = |group: &PagesOfAccount<'a>| {
            let error = group.error.clone();
            let account = move |id: &String| Account { id: id.clone(), error: error.clone() };
            group.accounts.iter().map(account).collect::<Vec<_>>()
        };
        self.groups.iter().flat_map(accounts)
    }

    /// The number of roles.
    pub(crate) fn len(&self) -> usize {
        self.roles.len()
    }

    /// The names of the roles, in the order of the file.
    pub(crate) fn role_names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.roles.iter().map(|role| {
            let [name] = first_texts(role.json, ["RoleName"]);
            name
        })
    }

    /// At most `count` roles from index `start` on, in the order of the file.
    pub(crate) fn roles(&self, start: usize, count: usize) -> impl Iterator<Item = RoleEntry<'_>> {
        self.roles.iter().skip(start).take(count).map(|role| self.entry(role))
    }

    fn entry<'s>(&'s self, role: &StoredRole<'a>) -> RoleEntry<'s> {
        let json = role.json.get();
        let group = role.group.and_then(|group| self.groups.get(group));
        let (names, detail) = match RoleDetail::parse(json) {
            Ok(mut detail) => {
                let names = [&mut detail.role_name, &mut detail.arn, &mut detail.role_id].map(std::mem::take);
                (names, Ok(detail))
            }
            Err(error) => {
                let error = match error {
                    DetailError::Malformed(error) => {
                        let problem = problem_in(self.text, json, &error);
                        let remedy = if is_cut_by_powershell(json) {
                            ""
                        } else {
                            "; save the output again and do not change it"
                        };
                        format!("malformed entry of `RoleDetailList`: {problem}{remedy}")
                    }
                    DetailError::Partial(error) => error,
                };
                (first_texts(role.json, ["RoleName", "Arn", "RoleId"]), Err(error))
            }
        };
        let detail = match group.and_then(|group| group.error.as_ref()) {
            Some(error) => Err(error.clone()),
            None if role.ambiguous => {
                Err("the file has two different roles with this ARN; save the output again".to_owned())
            }
            None => detail,
        };
        let [name, arn, id] = names;
        RoleEntry { json, name, arn, id, detail, group, details: self }
    }
}

/// Whether `ConvertTo-Json` of PowerShell has cut the data of a role: for an object below its depth it writes `"@{Key=…}"`.
fn is_cut_by_powershell(json: &str) -> bool {
    json.contains("\"@{")
}

/// Whether two entries of one ARN have the same data, apart from members that no verdict depends on.
fn is_same(one: &str, other: &str) -> bool {
    one == other || matches!((RoleDetail::parse(one), RoleDetail::parse(other)), (Ok(one), Ok(other)) if one == other)
}

/// One role of the file.
pub(crate) struct RoleEntry<'a> {
    json: &'a str,
    name: Cow<'a, str>,
    arn: Cow<'a, str>,
    id: Cow<'a, str>,
    detail: Result<RoleDetail<'a>, String>,
    group: Option<&'a PagesOfAccount<'a>>,
    details: &'a AccountDetails<'a>,
}

impl RoleEntry<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn arn(&self) -> &str {
        &self.arn
    }

    /// The id of the role's account; `None` if the ARN is malformed.
    pub(crate) fn account(&self) -> Option<&str> {
        account_of(&self.arn)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The error, with its cause and the remedy if PowerShell has cut the role's data.
    pub(crate) fn with_cause(&self, error: String) -> String {
        if is_cut_by_powershell(self.json) {
            return format!(
                "{error}; PowerShell has cut the role's data: save it again with `ConvertTo-Json -Depth 100`"
            );
        }
        error
    }

    /// The role's data.
    ///
    /// # Errors
    /// A text that names the malformed or missing part.
    fn detail(&self) -> Result<&RoleDetail<'_>, String> {
        self.detail.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn trust_policy(&self) -> Result<TrustPolicy, String> {
        let policy = match &self.detail()?.trust_policy {
            Json::String(text) => TrustPolicy::parse(text),
            tree => TrustPolicy::from_json(tree),
        };
        policy.map_err(|error| format!("trust policy: {error}"))
    }

    /// The marks that make this a node role. None if the trust policy rules nodes out.
    pub(crate) fn node_marks(&self, trust_policy: &TrustPolicy) -> Result<Vec<String>, String> {
        let detail = self.detail()?;
        let role = RoleData {
            trust_policy,
            tags: &detail.tags,
            attached: detail.attached.iter().map(|arn| &**arn).collect(),
            instance_profiles: detail.instance_profiles.iter().map(|(name, tags)| (&**name, tags.as_slice())).collect(),
        };
        Ok(node_marks(&role).iter().map(ToString::to_string).collect())
    }

    /// The role with all its policies.
    ///
    /// # Errors
    /// A text that names the malformed or missing part.
    pub(crate) fn role(&self, trust_policy: TrustPolicy) -> Result<Role, String> {
        let detail = self.detail()?;
        let is_role = |arn: Arn<'_>| {
            (arn.service, arn.region) == ("iam", "")
                && !arn.partition.is_empty()
                && arn.resource.starts_with("role/")
                && !arn.resource.contains(':')
        };
        if self.account().is_none() || !Arn::parse(&self.arn).is_some_and(is_role) {
            // The partition and the account decide which resources exist. A wrong ARN would give a wrong verdict.
            let arn = &self.arn;
            return Err(format!("`Arn` is `{arn}`, expected one such as `arn:aws:iam::123456789012:role/name`"));
        }
        let mut policies = Vec::new();
        for (name, document) in &detail.inline_policies {
            let document = document_of(document).map_err(|error| format!("policy `{name}`: {error}"))?;
            policies.push(Policy { source: PolicySource::Inline(name.to_string()), document: document.into() });
        }
        for arn in &detail.attached {
            let missing =
                || format!("policy `{arn}` is not in the file; save it again without `--filter` and `--query`");
            policies.push(self.managed(arn).ok_or_else(missing)??);
        }
        let boundary = detail.boundary.as_ref().map(|arn| self.managed(arn).ok_or_else(|| missing_boundary(arn))?);
        Ok(Role {
            arn: self.arn.to_string(),
            id: self.id.to_string(),
            trust_policy,
            tags: detail.tags.iter().map(|tag| Tag::new(&tag.key, &tag.value)).collect(),
            policies,
            permissions_boundary: boundary.transpose()?,
            session_policy: None,
        })
    }

    /// The managed policy in the pages of the role's account; `None` if it is not there.
    fn managed(&self, arn: &str) -> Option<Result<Policy, String>> {
        let AccountDetails { text, unassigned, .. } = self.details;
        let own = self.group.and_then(|group| group.policies.document(arn, text));
        let of_unassigned = || {
            let document = unassigned.document(arn, text)?;
            Some(document.map_err(|error| format!("{error}; put the pages of each account together and in order")))
        };
        Some(match own.or_else(of_unassigned)? {
            Ok(document) => Ok(Policy { source: PolicySource::Managed(arn.to_owned()), document }),
            Err(error) => Err(format!("policy `{arn}`: {error}")),
        })
    }
}

/// The error of a role whose permissions boundary is not in the file.
fn missing_boundary(arn: &str) -> String {
    format!(
        "the permissions boundary, policy `{arn}`, is not in the file; save it again without `--filter`, or append the output \
         of `aws iam get-policy-version --policy-arn {arn} --version-id VERSION --query \
         \"{{Policies: [{{Arn: '{arn}', PolicyVersionList: [PolicyVersion]}}]}}\"`"
    )
}
