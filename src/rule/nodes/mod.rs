//! Is a role a node role, and why.

pub(in crate::rule) mod classify;
pub(in crate::rule) mod exemption;
pub(in crate::rule) mod facts;
pub(in crate::rule) mod sessions;
