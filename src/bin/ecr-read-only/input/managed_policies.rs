//! The managed policies of the pages, by ARN. A document is read when the first role needs it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use ecr_read_only::policy::{Document, DocumentError, Json};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::pages::{Entry, problem_in};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct PolicyDetail<'a> {
    #[serde(borrow)]
    default_version_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    policy_version_list: Option<Vec<PolicyVersion<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", expecting = "an object")]
struct PolicyVersion<'a> {
    #[serde(borrow)]
    document: Option<Json<'a>>,
    #[serde(borrow)]
    version_id: Option<Cow<'a, str>>,
    is_default_version: Option<bool>,
}

impl<'a> PolicyDetail<'a> {
    /// The document of the default version.
    fn default_document(self) -> Result<Json<'a>, String> {
        let versions = self.policy_version_list.ok_or("the file has no `PolicyVersionList` for it")?;
        let named = self.default_version_id;
        let is_default = |version: &PolicyVersion<'_>| {
            version.is_default_version.unwrap_or_else(|| named.is_some() && version.version_id == named)
        };
        let mut defaults = versions.into_iter().filter(is_default);
        let (default, another) = (defaults.next(), defaults.next());
        let default = default.ok_or("the file has no default version of it (`IsDefaultVersion`)")?;
        let contradicted = named.is_some() && default.version_id.is_some() && default.version_id != named;
        if another.is_some() || contradicted {
            return Err("the file has more than one default version of it; save it again".to_owned());
        }
        default.document.ok_or_else(|| "the file has no document for the default version".to_owned())
    }
}

/// Managed policies by ARN.
#[derive(Default)]
pub(crate) struct ManagedPolicies<'a>(HashMap<Cow<'a, str>, ManagedPolicy<'a>>);

/// One managed policy.
struct ManagedPolicy<'a> {
    /// The different entries for its ARN: more than one if pages of several runs differ.
    entries: Vec<&'a RawValue>,
    document: OnceLock<Result<Arc<Document>, String>>,
}

impl<'a> ManagedPolicies<'a> {
    /// Adds the policy of a page.
    pub(crate) fn add(&mut self, entry: Entry<'a>) {
        let new = || ManagedPolicy { entries: Vec::new(), document: OnceLock::new() };
        let entries = &mut self.0.entry(entry.arn).or_insert_with(new).entries;
        if entries.iter().all(|known| known.get() != entry.json.get()) {
            entries.push(entry.json);
        }
    }

    /// The default version of the policy; `None` if the pages do not have the policy. `text` is the whole file.
    pub(crate) fn document(&self, arn: &str, text: &str) -> Option<Result<Arc<Document>, String>> {
        let policy = self.0.get(arn)?;
        Some(policy.document.get_or_init(|| policy.read(text)).clone())
    }
}

impl ManagedPolicy<'_> {
    fn read(&self, text: &str) -> Result<Arc<Document>, String> {
        let mut document = None;
        for entry in &self.entries {
            let detail: PolicyDetail<'_> = serde_json::from_str(entry.get())
                .map_err(|error| problem_in(text, entry.get(), &error))
                .map_err(|problem| {
                    format!("malformed entry of `Policies`: {problem}; save the output again and do not change it")
                })?;
            let default = detail.default_document()?;
            if document.as_ref().is_some_and(|other| *other != default) {
                // Pages of two runs: it is not known which document applies now.
                return Err("the file holds two different documents; save it again".to_owned());
            }
            document = Some(default);
        }
        let document = document.ok_or("the file has no document for it")?;
        document_of(&document).map(Arc::new).map_err(|error| error.to_string())
    }
}

/// The AWS CLI prints a document as an object; the API returns it as text.
pub(crate) fn document_of(json: &Json<'_>) -> Result<Document, DocumentError> {
    match json {
        Json::String(text) => Document::parse(text),
        tree => Document::from_json(tree),
    }
}
