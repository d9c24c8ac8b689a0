//! A remark on one statement, and the text that people read.

use std::fmt;

use serde::Serialize;

use crate::access::decision::{Grant, GrantKind};

/// Why a statement matches no request. Of several reasons in the resources the first one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkKind {
    /// A variable of a template that was not replaced: `${AWS::Region}`.
    TemplateVariable,
    /// The tag or the digest of an image at the end of an ARN: `…:repository/app:latest`.
    TagInArn,
    /// Not the ARN of a repository: without `repository/`, an image's address, too many fields.
    NotARepositoryArn,
    /// An ARN of another partition, or a region of another one.
    OtherPartition,
    /// A placeholder that was not replaced: `ACCOUNT_ID`.
    Placeholder,
    /// Upper-case letters in a repository name.
    UpperCase,
    /// Another reason, such as conditions that exclude each other.
    Other,
}

/// An Allow statement that names ECR actions and matches no request, even without the role's other statements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The kind of the reason.
    pub kind: RemarkKind,
    /// The inline policy's name or the managed policy's ARN.
    pub policy: String,
    /// The statement's place in the document, from 0.
    pub statement: usize,
    /// The statement's `Sid`, if it has one.
    pub sid: Option<String>,
    /// The reason, without a full stop.
    pub text: String,
    #[serde(skip)]
    attached: GrantKind,
}

impl Remark {
    pub(super) fn new(grant: Grant, kind: RemarkKind, text: String) -> Self {
        let Grant { policy, kind: attached, sid, statement } = grant;
        Self { kind, policy, statement, sid, text, attached }
    }
}

/// `policy NAME, statement 0, matches no ECR request: …`. It may match requests to other services.
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, statement, sid, text, attached, .. } = self;
        let grant = Grant { policy: policy.clone(), kind: *attached, sid: sid.clone(), statement: *statement };
        write!(f, "{grant}, matches no ECR request: {text}")
    }
}
