//! Tags: a key and a value that users put on roles, repositories and other resources.
//!
//! Source: IAM User Guide, "Tags for AWS Identity and Access Management resources"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html>).

/// A tag. Key and value are case-sensitive, but the names of condition keys such as `aws:PrincipalTag/team` are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The key, such as `team`.
    pub key: String,
    /// The value; may be empty.
    pub value: String,
}

impl Tag {
    /// A tag from its key and value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}
