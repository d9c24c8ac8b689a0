//! Is it a node's role, and why.

pub(in crate::rule) mod classify;
pub(in crate::rule) mod facts;
