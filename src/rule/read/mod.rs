//! Reads roles and clusters from AWS, each thing once, and caches what does not change between invocations.

pub(in crate::rule) mod answers;
pub(in crate::rule) mod cache;
pub(in crate::rule) mod clusters;
pub(in crate::rule) mod roles;
