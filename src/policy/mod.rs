//! IAM's policy language, for any service: documents, patterns, condition operators, trust policies.
//!
//! A document goes through these steps:
//!
//! 1. `json` parses text into a tree. `document` turns the tree into statements, or refuses it with the path to the
//!    place. `trust` does the same for trust policies.
//! 2. [`pattern`] matches the entries of `Action` and `Resource`. [`variable`] replaces policy variables; the result is a
//!    [`glob`].
//! 3. [`condition`] turns a condition into a [`requirement`] on its key. [`comparison`] checks one value against it.
//!    [`number`], [`instant`] and [`address`] convert texts.
//! 4. [`language`] finds a string that some globs match and others do not, within a [`budget`].
//!
//! Where AWS's documentation leaves a question open, a statement has two readings: see [`reading`].
//!
//! This layer does no I/O, and knows nothing of ECR, roles or verdicts.

pub mod address;
pub mod arn;
mod binary;
pub mod budget;
pub mod comparison;
pub mod condition;
pub mod context_key;
mod document;
pub mod glob;
pub mod instant;
mod json;
pub mod language;
pub mod number;
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
