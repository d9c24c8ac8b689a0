//! An unknown of a request, and the values that it can have.

use super::universe::Universe;

/// An unknown of a request.
#[derive(Debug, Clone)]
pub(in crate::access) struct Slot {
    pub(in crate::access) kind: Kind,
    /// Whether a request may lack the key.
    pub(in crate::access) optional: bool,
    /// Whether a request may have several values for the key.
    pub(in crate::access) multivalued: bool,
    /// Values to try first, so that a witness looks like a real request.
    pub(in crate::access) preferred: Vec<String>,
    /// Texts to try next, for the same reason. They are among those of the kind.
    pub(in crate::access) usual: Vec<Universe>,
}

/// What a request has for an unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::access) enum SlotValue {
    /// The request has no such key.
    Absent,
    /// The value, or the values of a key that may have several; at least one.
    Present(Vec<String>),
}

impl SlotValue {
    pub(in crate::access) fn one(value: String) -> Self {
        Self::Present(vec![value])
    }

    /// The values; `None` if the key is absent.
    pub(in crate::access) fn values(&self) -> Option<&[String]> {
        match self {
            Self::Absent => None,
            Self::Present(values) => Some(values),
        }
    }

    /// The first value; `None` if the key is absent.
    pub(in crate::access) fn first(&self) -> Option<&str> {
        self.values()?.first().map(String::as_str)
    }
}

/// The values that an unknown can have.
#[derive(Debug, Clone)]
pub(in crate::access) enum Kind {
    /// The strings of a universe.
    Text(Universe),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A whole number that is not negative.
    Number,
    /// An instant in seconds since 1970, not before this one.
    InstantFrom(f64),
    /// An instant in seconds since 1970, not after the value of the slot with this number.
    InstantUntil(usize),
    /// An IP address.
    Address,
    /// An IPv4 address for private networks: RFC 1918, or the shared addresses of RFC 6598, which VPCs use too.
    PrivateAddress,
}
