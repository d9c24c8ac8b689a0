//! The results of an evaluation, for AWS Config, AWS Security Hub, the log and the caller.

pub(in crate::rule) mod evaluations;
mod finding_text;
pub(in crate::rule) mod findings;
pub(in crate::rule) mod outcome;
