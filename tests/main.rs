//! The tests of the library, one module for each subject. They need no feature and no AWS SDK.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a panic in a test is a failure"
)]

mod support;

mod annotations;
mod code_map;
mod denied_regions;
mod discovery;
mod events;
mod exemptions;
mod finding_texts;
mod findings;
mod free_values;
mod fresh_facts;
mod handler;
mod language;
mod layering;
mod many;
mod naive;
mod node_roles;
mod oracle;
mod outages;
mod parameters;
mod pod_sessions;
mod properties;
mod verdicts;
