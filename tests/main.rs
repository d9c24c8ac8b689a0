//! The tests of the library, one module for each subject. They need no feature and no AWS SDK.

mod support;

mod discovery;
mod events;
mod finding_texts;
mod findings;
mod handler;
mod language;
mod layering;
mod many;
mod naive;
mod node_roles;
mod oracle;
mod parameters;
mod properties;
mod verdicts;
