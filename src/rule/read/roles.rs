//! Reads roles and their policies from IAM, which is the truth, whatever an event says.
//!
//! Knows which documents bear on a role, by which calls they are had, and what to do about those that go while they are
//! read. Must not know what they permit, nor which roles are nodes'. Calls of one role follow each other; how many roles
//! are read at once is the caller's choice, and so the bound on calls in flight.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;

use crate::access::{Policy, PolicySource, Role};
use crate::policy::tag::Tag;
use crate::policy::{Document, DocumentError, TrustPolicy};
use crate::rule::ports::error::PortError;
use crate::rule::ports::iam::{Iam, InstanceProfile, PolicyVersion, RoleDetails, RoleRecord};
use crate::rule::read::cache::AccountCache;

/// How many roles, or managed policies, are asked for one by one. If there are more, all of the account's are listed in
/// detail instead: a role by itself costs three calls and one for each inline policy, a policy up to two, and a page of
/// the list has hundreds of either.
pub(in crate::rule) const MAX_READ_ONE_BY_ONE: usize = 32;

/// Why a role could not be read or understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// A call failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A document was read, and is none that IAM would have stored.
    #[error("{document} could not be understood: {cause}")]
    Document {
        /// Which one.
        document: String,
        /// What is wrong with it, and where.
        cause: DocumentError,
    },
    /// IAM lists a policy and denies that it exists, even when asked again.
    #[error("policy `{arn}` is attached but does not exist")]
    PolicyMissing {
        /// Its ARN.
        arn: String,
    },
    /// IAM names a default version and denies that it exists, even when asked again.
    #[error("the default version of policy `{arn}` does not exist")]
    DefaultVersionMissing {
        /// The policy's ARN.
        arn: String,
    },
}

impl RoleError {
    fn document(document: String) -> impl FnOnce(DocumentError) -> Self {
        move |cause| Self::Document { document, cause }
    }
}

/// What IAM says of a role.
#[derive(Debug)]
pub(in crate::rule) enum RoleRead {
    /// The role is gone.
    Gone,
    /// All that bears on its permissions.
    Complete(Box<Role>),
}

/// A role of which so much is read as was needed so far.
#[derive(Debug)]
pub(in crate::rule) struct RoleDraft {
    pub(in crate::rule) record: RoleRecord,
    inline: Option<Vec<(String, String)>>,
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
    /// The same role, known to be in these instance profiles.
    pub(in crate::rule) fn in_profiles(self, profiles: Vec<InstanceProfile>) -> Self {
        Self { instance_profiles: Some(profiles), ..self }
    }

    pub(in crate::rule) fn trust_policy(&self) -> Result<TrustPolicy, RoleError> {
        TrustPolicy::parse(&self.record.trust_policy).map_err(RoleError::document("the trust policy".to_owned()))
    }

    /// The managed policies that bear on the role, as far as they are known.
    pub(in crate::rule) fn managed_policies(&self) -> impl Iterator<Item = &String> {
        self.attached.iter().flatten().chain(&self.record.permissions_boundary)
    }
}

/// Why a reading did not come to its end.
enum ReadError {
    Failed(RoleError),
    /// A managed policy went between its listing and its reading.
    PolicyGone(String),
}

impl<E: Into<RoleError>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads roles, and each managed policy once however many roles it is attached to.
pub(in crate::rule) struct RoleReader<'a, I> {
    iam: &'a I,
    cache: Arc<AccountCache>,
    managed: Mutex<HashMap<String, Arc<CachedDocument>>>,
}

/// A managed policy's default version: unread, or what reading it came to. Whoever comes while it is being
/// read waits for the same answer.
type CachedDocument = AsyncMutex<Option<Result<Option<Arc<Document>>, RoleError>>>;

impl<'a, I: Iam> RoleReader<'a, I> {
    pub(in crate::rule) fn new(iam: &'a I, cache: Arc<AccountCache>) -> Self {
        Self { iam, cache, managed: Mutex::default() }
    }

    /// The role itself, without its policies; `None` if it is gone.
    pub(in crate::rule) async fn draft(&self, name: &str) -> Result<Option<RoleDraft>, RoleError> {
        Ok(self.iam.role(name).await?.map(RoleDraft::from))
    }

    /// All roles of the account that are wanted, in detail.
    pub(in crate::rule) async fn drafts(
        &self,
        wanted: impl Fn(&RoleDetails) -> bool + Send,
    ) -> Result<Vec<RoleDraft>, PortError> {
        let mut drafts = Vec::new();
        let mut marker = None;
        loop {
            let page = self.iam.role_details(marker.as_deref()).await?;
            drafts.extend(page.items.into_iter().filter(&wanted).map(RoleDraft::from));
            marker = page.next;
            if marker.is_none() {
                return Ok(drafts);
            }
        }
    }

    /// The managed policies attached to the role; `None` if the role is gone.
    pub(in crate::rule) async fn attached<'s>(
        &self,
        draft: &'s mut RoleDraft,
    ) -> Result<Option<&'s [String]>, RoleError> {
        if draft.attached.is_none() {
            draft.attached = self.iam.attached_policies(&draft.record.name).await?;
        }
        Ok(draft.attached.as_deref())
    }

    /// The instance profiles that hold the role, perhaps without their tags; `None` if the role is gone.
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
    pub(in crate::rule) async fn tags(&self, profile: InstanceProfile) -> Result<Vec<Tag>, RoleError> {
        match profile.tags {
            Some(tags) => Ok(tags),
            None => Ok(self.iam.instance_profile_tags(&profile.name).await?.unwrap_or_default()),
        }
    }

    /// Gets ready for many roles: if more of the account's own managed policies are wanted than are to be asked for one by
    /// one, reads them in pages and keeps those. What the pages do not have is asked for by itself later; what keeps them
    /// from being read is the answer for every policy that is wanted. AWS's policies are few on the roles of nodes.
    pub(in crate::rule) async fn prepare(&self, mut wanted: BTreeSet<String>) {
        wanted.retain(|arn| !arn.contains(":iam::aws:"));
        if wanted.len() <= MAX_READ_ONE_BY_ONE {
            return;
        }
        let mut marker = None;
        loop {
            let page = match self.iam.policy_details(marker.as_deref()).await {
                Ok(page) => page,
                Err(error) => {
                    for arn in &wanted {
                        self.settle(arn, Err(error.clone().into()));
                    }
                    return;
                }
            };
            for policy in page.items {
                if wanted.contains(&policy.version.arn) {
                    let arn = policy.version.arn.clone();
                    self.settle(&arn, self.understand(policy.version, &policy.document).map(Some));
                }
            }
            marker = page.next;
            if marker.is_none() {
                return;
            }
        }
    }

    fn settle(&self, arn: &str, answer: Result<Option<Arc<Document>>, RoleError>) {
        let mut managed = self.managed.lock().unwrap_or_else(PoisonError::into_inner);
        managed.entry(arn.to_owned()).or_insert_with(|| Arc::new(AsyncMutex::new(Some(answer))));
    }

    /// Reads the rest of a role. If a policy goes meanwhile, the role is read once more: either the policy was
    /// detached first, or IAM contradicts itself.
    pub(in crate::rule) async fn complete(&self, draft: RoleDraft) -> Result<RoleRead, RoleError> {
        let (name, id) = (draft.record.name.clone(), draft.record.id.clone());
        match self.attempt(draft).await {
            Ok(reading) => return Ok(reading),
            Err(ReadError::Failed(error)) => return Err(error),
            // IAM is eventually consistent: a policy just made may be listed first and found later.
            Err(ReadError::PolicyGone(arn)) => self.forget(&arn),
        }
        let again = match self.draft(&name).await? {
            // A role of the same name with another id is another role.
            Some(again) if again.record.id == id => again,
            _ => return Ok(RoleRead::Gone),
        };
        self.attempt(again).await.map_err(|error| match error {
            ReadError::Failed(error) => error,
            ReadError::PolicyGone(arn) => RoleError::PolicyMissing { arn },
        })
    }

    async fn attempt(&self, mut draft: RoleDraft) -> Result<RoleRead, ReadError> {
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
        for (policy, text) in inline {
            let document = Document::parse(&text).map_err(RoleError::document(format!("inline policy `{policy}`")))?;
            policies.push(Policy { source: PolicySource::Inline(policy), document: Arc::new(document) });
        }
        for arn in attached {
            policies.push(self.managed_policy(arn.clone()).await?);
        }
        let permissions_boundary = match &draft.record.permissions_boundary {
            Some(arn) => Some(self.managed_policy(arn.clone()).await?),
            None => None,
        };
        // IAM promises no order, and the same role is to read the same every time.
        policies.sort_by(|one, other| one.source.cmp(&other.source));
        Ok(RoleRead::Complete(Box::new(Role {
            arn: draft.record.arn,
            id: draft.record.id,
            trust_policy,
            tags: draft.record.tags,
            policies,
            permissions_boundary,
        })))
    }

    /// The inline policies of a role; `None` if the role is gone.
    async fn inline(&self, role: &str) -> Result<Option<Vec<(String, String)>>, PortError> {
        let Some(names) = self.iam.inline_policies(role).await? else { return Ok(None) };
        let mut inline = Vec::with_capacity(names.len());
        for name in names {
            // An inline policy that is gone by now grants nothing any more.
            inline.extend(self.iam.inline_policy(role, &name).await?.map(|document| (name, document)));
        }
        Ok(Some(inline))
    }

    async fn managed_policy(&self, arn: String) -> Result<Policy, ReadError> {
        match self.managed_document(&arn).await? {
            Some(document) => Ok(Policy { source: PolicySource::Managed(arn), document }),
            None => Err(ReadError::PolicyGone(arn)),
        }
    }

    async fn managed_document(&self, arn: &str) -> Result<Option<Arc<Document>>, RoleError> {
        let slot = {
            let mut managed = self.managed.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(managed.entry(arn.to_owned()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref() {
            return known.clone();
        }
        let read = self.read_default_version(arn).await;
        *slot = Some(read.clone());
        read
    }

    fn forget(&self, arn: &str) {
        self.managed.lock().unwrap_or_else(PoisonError::into_inner).remove(arn);
    }

    async fn read_default_version(&self, arn: &str) -> Result<Option<Arc<Document>>, RoleError> {
        // Twice, because the version that was the default may be deleted as soon as another is.
        for _ in 0..2 {
            let Some(version) = self.iam.default_version(arn).await? else { return Ok(None) };
            if let Some(document) = self.cache.document(&version) {
                return Ok(Some(document));
            }
            let Some(text) = self.iam.policy_version(arn, &version.version).await? else { continue };
            return self.understand(version, &text).map(Some);
        }
        Err(RoleError::DefaultVersionMissing { arn: arn.to_owned() })
    }

    fn understand(&self, version: PolicyVersion, text: &str) -> Result<Arc<Document>, RoleError> {
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
