//! What a role may do to Amazon ECR, and the verdict on it.
//!
//! Knows ECR, roles and how IAM evaluates requests. Does no I/O and reads no clock. Of AWS Config it knows only the
//! compliance types and the annotation.

mod annotation;
pub mod catalogue;
#[rustfmt::skip]
mod catalogue_data;
mod clauses;
mod conditions;
mod context;
mod decider;
mod decision;
mod examples;
pub mod node_marks;
mod permissions;
mod remarks;
mod request;
mod resources;
mod role;
mod solver;
mod statements;
mod ties;
mod unusual;
mod variables;
mod verdict;

pub use annotation::{ANNOTATION_CHARACTERS, Annotation, AnnotationResult, NotAnAnnotation, NotApplicable, parsed_day};
pub use decision::{Assumption, Decision, Grant, GrantKind, Refusal, StatementName, Witness};
pub use permissions::{Permissions, STEPS_PER_ROLE, permissions, refusals};
pub use remarks::{Remark, RemarkKind};
pub use role::{Policy, PolicySource, Role};
pub use verdict::{Access, AllowedAccess, Compliance, Criteria, NotAccepted, Verdict, judge};
