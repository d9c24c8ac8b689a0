//! Asking AWS, each thing once: roles, clusters, and the cache that outlives an invocation.

pub(in crate::rule) mod cache;
pub(in crate::rule) mod clusters;
pub(in crate::rule) mod roles;
