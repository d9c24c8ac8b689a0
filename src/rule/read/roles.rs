//! Reads roles and their policies from IAM. An event's copy of them can be out of date, so it is not used.
//!
//! Knows which documents count for a role, which calls read them, and what to do if one disappears meanwhile. What they
//! permit, and which roles are node roles, is not its business. The calls for one role follow one another; the caller
//! chooses how many roles are read at the same time, and so limits the calls in flight.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;

use crate::access::{Policy, PolicySource, Role};
use crate::policy::arn::Arn;
use crate::policy::tag::Tag;
use crate::policy::{Document, DocumentError, TrustPolicy};
use crate::rule::ports::error::PortError;
use crate::rule::ports::iam::{Iam, InlinePolicy, InstanceProfile, PolicyVersion, RoleDetails, RoleRecord};
use crate::rule::progress::Progress;
use crate::rule::read::cache::AccountCache;

/// The most roles, or managed policies, that are read one by one. More of them are read in pages of all that the account
/// has. One role costs three calls and one for each inline policy, one managed policy up to two calls. A page has hundreds.
pub(in crate::rule) const MAX_READ_ONE_BY_ONE: usize = 32;

/// Why a role could not be read or understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// A call failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A document is not one that IAM would store.
    #[error("{document} could not be understood: {cause}")]
    Document {
        /// Which document.
        document: String,
        /// What is wrong with it, and where.
        cause: DocumentError,
    },
    /// IAM lists a policy and reports that it does not exist, also when asked again.
    #[error("policy `{arn}` is attached but does not exist")]
    PolicyMissing {
        /// The policy's ARN.
        arn: String,
    },
    /// IAM names a default version and reports that it does not exist, also when asked again.
    #[error("the default version of policy `{arn}` does not exist")]
    DefaultVersionMissing {
        /// The policy's ARN.
        arn: String,
    },
}

impl RoleError {
    pub(in crate::rule) fn document(document: String) -> impl FnOnce(DocumentError) -> Self {
        move |cause| Self::Document { document, cause }
    }
}

/// A role, read completely.
#[derive(Debug)]
pub(in crate::rule) enum RoleRead {
    /// Everything that counts for its permissions.
    Complete(Box<Role>),
    /// The role is gone.
    Gone,
}

/// A role, as far as it was read.
#[derive(Debug)]
pub(in crate::rule) struct RoleDraft {
    pub(in crate::rule) record: RoleRecord,
    inline: Option<Vec<InlinePolicy>>,
    attached: Option<Vec<String>>,
    instance_profiles: Option<Vec<InstanceProfile>>,
}

impl From<RoleRecord> for RoleDraft {
    fn from(record: RoleRecord) -> Self {
        Self { record, inline: None, attached: None, instance_profiles: None }
    }
}

impl From<RoleDetails> for RoleDraft {
    fn from(details: RoleDetails) -> Self {
        Self {
            record: details.record,
            inline: Some(details.inline),
            attached: Some(details.attached),
            instance_profiles: Some(details.instance_profiles),
        }
    }
}

impl RoleDraft {
    /// The draft, with the instance profiles of the role.
    pub(in crate::rule) fn in_profiles(self, profiles: Vec<InstanceProfile>) -> Self {
        Self { instance_profiles: Some(profiles), ..self }
    }

    pub(in crate::rule) fn trust_policy(&self) -> Result<TrustPolicy, RoleError> {
        TrustPolicy::parse(&self.record.trust_policy).map_err(RoleError::document("the trust policy".to_owned()))
    }

    /// The role's managed policies and its permissions boundary, as far as they were read.
    pub(in crate::rule) fn managed_policies(&self) -> impl Iterator<Item = &String> {
        self.attached.iter().flatten().chain(&self.record.permissions_boundary)
    }
}

/// Why a role was not read to the end.
enum Interruption {
    Failed(RoleError),
    /// A managed policy disappeared after it was listed.
    PolicyGone(String),
}

impl<E: Into<RoleError>> From<E> for Interruption {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The document of a managed policy's default version; `None` if the policy is gone.
type ManagedDocument = Result<Option<Arc<Document>>, RoleError>;

/// A managed policy of this evaluation; `None` before it is read. Concurrent readers share one read.
type CachedDocument = AsyncMutex<Option<ManagedDocument>>;

/// Reads roles. Each managed policy is read once, however many roles it is attached to.
pub(in crate::rule) struct RoleReader<'a, I> {
    iam: &'a I,
    cache: Arc<AccountCache>,
    managed: Mutex<HashMap<String, Arc<CachedDocument>>>,
}

impl<'a, I: Iam> RoleReader<'a, I> {
    pub(in crate::rule) fn new(iam: &'a I, cache: Arc<AccountCache>) -> Self {
        Self { iam, cache, managed: Mutex::default() }
    }

    /// The role without its policies; `None` if it is gone.
    pub(in crate::rule) async fn draft(&self, name: &str) -> Result<Option<RoleDraft>, RoleError> {
        Ok(self.iam.role(name).await?.map(RoleDraft::from))
    }

    /// The wanted roles among all of the account, with everything but the documents of managed policies. If a page fails,
    /// those of the pages before it, and the failure.
    pub(in crate::rule) async fn drafts(
        &self,
        progress: &Progress,
        mut is_wanted: impl FnMut(&RoleDetails) -> bool + Send,
    ) -> (Vec<RoleDraft>, Option<PortError>) {
        progress.begin("reading pages of roles", None);
        let mut drafts = Vec::new();
        let mut marker = None;
        loop {
            let page = match self.iam.role_details(marker.as_deref()).await {
                Ok(page) => page,
                Err(error) => return (drafts, Some(error)),
            };
            progress.advance(1);
            drafts.extend(page.items.into_iter().filter(&mut is_wanted).map(RoleDraft::from));
            marker = page.next;
            if marker.is_none() {
                return (drafts, None);
            }
        }
    }

    /// The ARNs of the managed policies attached to the role; `None` if the role is gone.
    pub(in crate::rule) async fn attached<'s>(
        &self,
        draft: &'s mut RoleDraft,
    ) -> Result<Option<&'s [String]>, RoleError> {
        if draft.attached.is_none() {
            draft.attached = self.iam.attached_policies(&draft.record.name).await?;
        }
        Ok(draft.attached.as_deref())
    }

    /// The instance profiles that hold the role, some without their tags; `None` if the role is gone.
    pub(in crate::rule) async fn instance_profiles(
        &self,
        draft: &mut RoleDraft,
    ) -> Result<Option<Vec<InstanceProfile>>, RoleError> {
        if draft.instance_profiles.is_none() {
            draft.instance_profiles = self.iam.instance_profiles(&draft.record.name).await?;
        }
        Ok(draft.instance_profiles.clone())
    }

    /// The tags of an instance profile; none if it is gone.
    pub(in crate::rule) async fn profile_tags(&self, profile: InstanceProfile) -> Result<Vec<Tag>, RoleError> {
        match profile.tags {
            Some(tags) => Ok(tags),
            None => Ok(self.iam.instance_profile_tags(&profile.name).await?.unwrap_or_default()),
        }
    }

    /// Reads managed policies for many roles. If more of the account's own policies are wanted than are read one by one, it
    /// reads them in pages and keeps the wanted ones. A policy that the pages do not have is read alone later. If a page
    /// fails, every wanted policy that was not read yet has this failure. AWS's own policies are few, and read one by one.
    pub(in crate::rule) async fn prefetch_policies(&self, progress: &Progress, mut wanted: BTreeSet<String>) {
        wanted.retain(|arn| Arn::parse(arn).and_then(|arn| arn.aws_managed_policy()).is_none());
        if wanted.len() <= MAX_READ_ONE_BY_ONE {
            return;
        }
        progress.begin("reading pages of policies", None);
        let mut marker = None;
        loop {
            let page = match self.iam.policy_details(marker.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    for arn in &wanted {
                        self.keep(arn, Err(error.clone().into()));
                    }
                    return;
                }
            };
            progress.advance(1);
            for policy in page.items {
                if wanted.contains(&policy.version.arn) {
                    let arn = policy.version.arn.clone();
                    self.keep(&arn, self.parse(policy.version, &policy.document).map(Some));
                }
            }
            marker = page.next;
            if marker.is_none() {
                return;
            }
        }
    }

    fn keep(&self, arn: &str, document: ManagedDocument) {
        self.managed().entry(arn.to_owned()).or_insert_with(|| Arc::new(AsyncMutex::new(Some(document))));
    }

    fn managed(&self) -> MutexGuard<'_, HashMap<String, Arc<CachedDocument>>> {
        self.managed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the rest of a role. If a managed policy disappears meanwhile, the role is read once more: the policy was
    /// detached before, or IAM contradicts itself.
    pub(in crate::rule) async fn complete(&self, draft: RoleDraft) -> Result<RoleRead, RoleError> {
        let (name, id) = (draft.record.name.clone(), draft.record.id.clone());
        match self.try_complete(draft).await {
            Ok(read) => return Ok(read),
            Err(Interruption::Failed(error)) => return Err(error),
            // IAM is eventually consistent: a new policy can be listed before it can be read.
            Err(Interruption::PolicyGone(arn)) => drop(self.managed().remove(&arn)),
        }
        let again = match self.draft(&name).await? {
            // A role with the same name and another id is another role.
            Some(again) if again.record.id == id => again,
            _ => return Ok(RoleRead::Gone),
        };
        self.try_complete(again).await.map_err(|interruption| match interruption {
            Interruption::Failed(error) => error,
            Interruption::PolicyGone(arn) => RoleError::PolicyMissing { arn },
        })
    }

    async fn try_complete(&self, mut draft: RoleDraft) -> Result<RoleRead, Interruption> {
        let trust_policy = draft.trust_policy()?;
        let inline = match draft.inline.take() {
            Some(inline) => inline,
            None => match self.inline(&draft.record.name).await? {
                Some(inline) => inline,
                None => return Ok(RoleRead::Gone),
            },
        };
        let Some(attached) = self.attached(&mut draft).await? else { return Ok(RoleRead::Gone) };
        let mut policies = Vec::with_capacity(inline.len() + attached.len());
        for InlinePolicy { name, document } in inline {
            let document =
                Document::parse(&document).map_err(RoleError::document(format!("inline policy `{name}`")))?;
            policies.push(Policy { source: PolicySource::Inline(name), document: Arc::new(document) });
        }
        for arn in attached {
            policies.push(self.managed_policy(arn.clone()).await?);
        }
        let permissions_boundary = match &draft.record.permissions_boundary {
            Some(arn) => Some(self.managed_policy(arn.clone()).await?),
            None => None,
        };
        // IAM promises no order, and the same role has to give the same answer every time.
        policies.sort_by(|one, other| one.source.cmp(&other.source));
        Ok(RoleRead::Complete(Box::new(Role {
            arn: draft.record.arn,
            id: draft.record.id,
            trust_policy,
            tags: draft.record.tags,
            policies,
            permissions_boundary,
            session_policy: None,
        })))
    }

    /// The inline policies of a role; `None` if the role is gone.
    async fn inline(&self, role: &str) -> Result<Option<Vec<InlinePolicy>>, PortError> {
        let Some(names) = self.iam.inline_policies(role).await? else { return Ok(None) };
        let mut inline = Vec::with_capacity(names.len());
        for name in names {
            // An inline policy that is gone by now grants nothing.
            let document = self.iam.inline_policy(role, &name).await?;
            inline.extend(document.map(|document| InlinePolicy { name, document }));
        }
        Ok(Some(inline))
    }

    async fn managed_policy(&self, arn: String) -> Result<Policy, Interruption> {
        match self.managed_document(&arn).await? {
            Some(document) => Ok(Policy { source: PolicySource::Managed(arn), document }),
            None => Err(Interruption::PolicyGone(arn)),
        }
    }

    async fn managed_document(&self, arn: &str) -> ManagedDocument {
        let cached = Arc::clone(self.managed().entry(arn.to_owned()).or_default());
        let mut cached = cached.lock().await;
        if let Some(document) = cached.as_ref() {
            return document.clone();
        }
        let document = self.read_default_version(arn).await;
        *cached = Some(document.clone());
        document
    }

    async fn read_default_version(&self, arn: &str) -> ManagedDocument {
        // Twice: the default version can be deleted as soon as another version is the default.
        for _ in 0..2 {
            let Some(version) = self.iam.default_version(arn).await? else { return Ok(None) };
            if let Some(document) = self.cache.document(&version) {
                return Ok(Some(document));
            }
            let Some(text) = self.iam.policy_version(arn, &version.version).await? else { continue };
            return self.parse(version, &text).map(Some);
        }
        Err(RoleError::DefaultVersionMissing { arn: arn.to_owned() })
    }

    /// The document of a policy version, from the cache or from its text.
    fn parse(&self, version: PolicyVersion, text: &str) -> Result<Arc<Document>, RoleError> {
        if let Some(document) = self.cache.document(&version) {
            return Ok(document);
        }
        let document = Document::parse(text)
            .map_err(RoleError::document(format!("version `{}` of policy `{}`", version.version, version.arn)))?;
        let document = Arc::new(document);
        self.cache.insert_document(version, &document, text.len());
        Ok(document)
    }
}
