//! The names of condition keys.
//!
//! Source: IAM User Guide, "AWS global condition context keys": the names of keys do not depend on letter case
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>).

/// The name of a condition key, such as `aws:PrincipalTag/team`.
///
/// Two names mean the same key if [`ContextKey::lower`] is equal. `==` and `<` compare the names as written, so that
/// statements with different spellings stay different and sort the same way every time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextKey {
    written: Box<str>,
    lower: Box<str>,
}

impl ContextKey {
    /// A key from its name in a policy.
    pub fn new(written: &str) -> Self {
        Self { written: written.into(), lower: written.to_lowercase().into() }
    }

    /// The name as the policy spells it.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The name in lower case.
    pub fn lower(&self) -> &str {
        &self.lower
    }
}
