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
pub mod glob;
mod json;
pub mod language;
pub mod operator;
pub mod pattern;
pub mod reading;
pub mod requirement;
pub mod tag;
mod trust;
pub mod variable;

pub use document::{Document, Effect, Scope, Statement};
pub use json::{DocumentError, Json};
pub use trust::TrustPolicy;
