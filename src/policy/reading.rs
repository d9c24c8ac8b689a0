//! The two readings of what AWS's documentation leaves open.
//!
//! An Allow is read wide and a Deny narrow, so that what is found is an upper bound of what IAM allows.

/// The two readings of what the documentation leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The one under which a pattern matches more.
    Wide,
    /// The one under which a pattern matches less.
    Narrow,
}

impl Reading {
    /// The other reading, for a pattern under a negation.
    pub fn other(self) -> Self {
        match self {
            Self::Wide => Self::Narrow,
            Self::Narrow => Self::Wide,
        }
    }
}
