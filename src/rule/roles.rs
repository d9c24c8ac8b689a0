//! Reads a role's policies from IAM, which is the truth, whatever an event says.
//!
//! Knows which documents bear on a role and what to do about those that go while they are read. Must not
//! know what they permit. Calls of one role follow each other; how many roles are read at once is the
//! caller's choice, and so the bound on calls in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::Mutex as AsyncMutex;

use super::ports::{Iam, PortError, RoleRecord};
use crate::access::{Policy, PolicySource, Role};
use crate::policy::{Document, DocumentError, TrustPolicy};

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
pub(super) enum Reading {
    /// The role is gone.
    Gone,
    /// No node can run under the role: its trust policy rules it out, and its policies were not read.
    RuledOut,
    /// All that bears on its permissions.
    Role(Box<Role>),
}

/// Why a reading did not come to its end.
enum Interrupted {
    Failed(RoleError),
    /// A managed policy went between its listing and its reading.
    PolicyGone(String),
}

impl<E: Into<RoleError>> From<E> for Interrupted {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads roles, and each managed policy once however many roles it is attached to.
pub(super) struct RoleReader<'a, I> {
    iam: &'a I,
    managed: Mutex<HashMap<String, Arc<Slot>>>,
}

/// A managed policy's default version: unread, or what reading it came to. Whoever comes while it is being
/// read waits for the same answer.
type Slot = AsyncMutex<Option<Result<Option<Arc<Document>>, RoleError>>>;

impl<'a, I: Iam> RoleReader<'a, I> {
    pub(super) fn new(iam: &'a I) -> Self {
        Self { iam, managed: Mutex::default() }
    }

    /// The role itself, without its policies; `None` if it is gone.
    pub(super) async fn record(&self, name: &str) -> Result<Option<RoleRecord>, RoleError> {
        Ok(self.iam.role(name).await?)
    }

    /// Reads the rest of a role. If a policy goes meanwhile, the role is read once more: either the policy was
    /// detached first, or IAM contradicts itself.
    pub(super) async fn complete(&self, record: RoleRecord) -> Result<Reading, RoleError> {
        match self.attempt(&record).await {
            Ok(reading) => return Ok(reading),
            Err(Interrupted::Failed(error)) => return Err(error),
            // IAM is eventually consistent: a policy just made may be listed first and found later.
            Err(Interrupted::PolicyGone(arn)) => self.forget(&arn),
        }
        let again = match self.record(&record.name).await? {
            // A role of the same name with another id is another role.
            Some(again) if again.id == record.id => again,
            _ => return Ok(Reading::Gone),
        };
        self.attempt(&again).await.map_err(|interrupted| match interrupted {
            Interrupted::Failed(error) => error,
            Interrupted::PolicyGone(arn) => RoleError::PolicyMissing { arn },
        })
    }

    async fn attempt(&self, record: &RoleRecord) -> Result<Reading, Interrupted> {
        let name = record.name.as_str();
        let trust_policy =
            TrustPolicy::parse(&record.trust_policy).map_err(RoleError::document("the trust policy".to_owned()))?;
        if trust_policy.rules_out_nodes() {
            return Ok(Reading::RuledOut);
        }
        let Some(inline) = self.iam.inline_policies(name).await? else { return Ok(Reading::Gone) };
        let Some(attached) = self.iam.attached_policies(name).await? else { return Ok(Reading::Gone) };
        let mut policies = Vec::with_capacity(inline.len() + attached.len());
        for policy in inline {
            // An inline policy that is gone by now grants nothing any more.
            let Some(text) = self.iam.inline_policy(name, &policy).await? else { continue };
            let document = Document::parse(&text).map_err(RoleError::document(format!("inline policy `{policy}`")))?;
            policies.push(Policy { source: PolicySource::Inline(policy), document: Arc::new(document) });
        }
        for arn in attached {
            policies.push(self.managed_policy(arn).await?);
        }
        let permissions_boundary = match &record.permissions_boundary {
            Some(arn) => Some(self.managed_policy(arn.clone()).await?),
            None => None,
        };
        // IAM promises no order, and the same role is to read the same every time.
        policies.sort_by(|one, other| one.source.cmp(&other.source));
        Ok(Reading::Role(Box::new(Role {
            arn: record.arn.clone(),
            id: record.id.clone(),
            trust_policy,
            tags: record.tags.clone(),
            policies,
            permissions_boundary,
        })))
    }

    async fn managed_policy(&self, arn: String) -> Result<Policy, Interrupted> {
        match self.managed_document(&arn).await? {
            Some(document) => Ok(Policy { source: PolicySource::Managed(arn), document }),
            None => Err(Interrupted::PolicyGone(arn)),
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
            let Some(text) = self.iam.policy_version(arn, &version).await? else { continue };
            let document = Document::parse(&text)
                .map_err(RoleError::document(format!("version `{version}` of policy `{arn}`")))?;
            return Ok(Some(Arc::new(document)));
        }
        Err(RoleError::DefaultVersionMissing { arn: arn.to_owned() })
    }
}
