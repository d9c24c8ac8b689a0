//! Can a role that EKS nodes run under do more to Amazon ECR than read?
//!
//! Imports go one way: [`policy`] ← [`access`] ← [`rule`] ← [`aws`] ← the binaries.

pub mod access;
#[cfg(feature = "lambda")]
pub mod aws;
pub mod policy;
pub mod rule;
