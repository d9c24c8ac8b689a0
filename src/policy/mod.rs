//! IAM's policy language: documents, patterns, condition operators, trust policies.
//!
//! Knows what the words of a policy mean, for any service. Knows nothing of ECR, of roles or of verdicts, and
//! does no I/O.

pub mod arn;
pub mod budget;
pub mod comparison;
pub mod condition;
pub mod context_key;
mod document;
mod json;
pub mod language;
pub mod pattern;
pub mod reading;
pub mod tag;
mod trust;

pub use document::{Document, Effect, Scope, Statement};
pub use json::{DocumentError, Json};
pub use trust::TrustPolicy;
