//! The two readings of a policy. This is the central idea of the crate.
//!
//! AWS's documentation does not answer every question about a policy. Does the action `ecr*:PutImage` match
//! `ecr:PutImage`, or nothing, because the service prefix contains a wildcard? The crate does not choose. It can read
//! such a place in two ways:
//!
//! - [`Reading::Wide`]: the place matches as many requests as the documentation permits.
//! - [`Reading::Narrow`]: the place matches as few requests as the documentation permits.
//!
//! Most policies have no such place. For them both readings are the same.
//!
//! # An Allow is read wide, a Deny narrow
//!
//! IAM permits a request if an Allow matches it and no Deny does. An Allow that is read wide permits more. A Deny that
//! is read narrow forbids less. So the crate finds at least the requests that IAM permits:
//!
//! - If it finds no request outside the allowed access, IAM permits none, and COMPLIANT is safe.
//! - If it finds one, that may depend on a reading. The witness then lists the statements concerned (`assumed`).
//!
//! # A negation swaps the readings
//!
//! A statement with `NotAction` matches if its list does not match. To make the statement match more, the list has to
//! match less. So the list is read with [`Reading::other`]. The same holds for `NotResource` and for the values of a
//! negated operator such as `StringNotEquals`.
//!
//! | statement | the statement is read | its `Action` list | its `NotAction` list |
//! |---|---|---|---|
//! | Allow | wide | wide | narrow |
//! | Deny | narrow | narrow | wide |
//!
//! # Example
//!
//! ```
//! use ecr_read_only::policy::pattern::ActionPattern;
//! use ecr_read_only::policy::reading::Reading;
//!
//! // The documentation describes wildcards in the action's name: one reading.
//! let usual = ActionPattern::new("ecr:Put*");
//! assert!(usual.matches("ecr", "PutImage", Reading::Wide));
//! assert!(usual.matches("ecr", "PutImage", Reading::Narrow));
//!
//! // It does not describe wildcards in the service prefix: two readings. An Allow with this entry permits PutImage.
//! // A Deny with this entry does not forbid it.
//! let doubtful = ActionPattern::new("ecr*:PutImage");
//! assert!(doubtful.matches("ecr", "PutImage", Reading::Wide));
//! assert!(!doubtful.matches("ecr", "PutImage", Reading::Narrow));
//! ```
//!
//! # For those who change the crate
//!
//! Where the documentation is silent, add a case for each reading and cite the page. If one reading is enough, the code
//! does not mention readings.

// INVARIANT: what matches under `Narrow` also matches under `Wide`. IAM's own behaviour lies between the two. Every
// function with a `Reading` parameter keeps this; the verdicts rely on it.

/// How a place is read of which AWS's documentation leaves the meaning open. See the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Reading {
    /// The reading that matches more requests. For an Allow.
    #[default]
    Wide,
    /// The reading that matches fewer requests. For a Deny.
    Narrow,
}

impl Reading {
    /// The opposite reading, for what is inside a negation.
    pub fn other(self) -> Self {
        match self {
            Self::Wide => Self::Narrow,
            Self::Narrow => Self::Wide,
        }
    }

    /// Whether a place matches if one of these results is the right one, and it is not documented which.
    pub fn accepts(self, mut results: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::Wide => results.any(|matches| matches),
            Self::Narrow => results.all(|matches| matches),
        }
    }
}
