//! The solver held against the naive evaluator on one role: every witness is a request that can exist and that the naive
//! evaluator allows, and random search finds no allowed request for an action that the solver refuses.
//!
//! Tests and a fuzz target both use it.
#![allow(clippy::unwrap_used, reason = "clippy takes the helpers of tests for no tests")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::sync::Arc;

use ecr_read_only::access::{Decision, Policy, PolicySource, Role, catalogue, permissions};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::policy::{Document, TrustPolicy};
use serde_json::Value;
use time::OffsetDateTime;

use super::generate::Rng;
use super::generate::probe::{Interest, probe};
use super::naive::catalogue::{CatalogueAction, catalogue as naive_catalogue};
use super::naive::request::well_formed;
use super::naive::{Judge, Request, RoleDocs, explain};

/// 2027-01-15T08:00:00Z, the time of evaluation.
pub const AT: i64 = 1_800_000_000;

/// The naive evaluator's own catalogue.
pub fn actions() -> Vec<CatalogueAction> {
    naive_catalogue(&serde_json::from_str(include_str!("catalogue.json")).unwrap()).unwrap()
}

/// A document as the naive evaluator has it, for the solver: some are text, plain or percent-encoded.
fn text(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

/// The role for the solver.
pub fn role(docs: &RoleDocs) -> Role {
    role_of(docs, text)
}

/// The role for the solver, its documents as `text` writes them.
pub fn role_of(docs: &RoleDocs, text: impl Fn(&Value) -> String) -> Role {
    let document = |value: &Value| Arc::new(Document::parse(&text(value)).unwrap());
    let source = |name: &str| {
        if name.starts_with("arn:") { PolicySource::Managed(name.into()) } else { PolicySource::Inline(name.into()) }
    };
    let policy = |(name, value): &(String, Value)| Policy { source: source(name), document: document(value) };
    Role {
        arn: docs.arn.clone(),
        id: docs.id.clone(),
        trust_policy: TrustPolicy::parse(&text(&docs.trust)).unwrap(),
        tags: docs.tags.iter().map(|(key, value)| Tag::new(key, value)).collect(),
        policies: docs.policies.iter().map(policy).collect(),
        permissions_boundary: docs.boundary.as_ref().map(policy),
    }
}

/// What the naive evaluator says of the statements that match the action.
fn bearing(docs: &RoleDocs, request: &Request) -> String {
    let lines = explain(docs, request);
    lines.into_iter().filter(|line| !line.contains("action Ok(No)")).collect::<Vec<_>>().join("\n")
}

/// What was seen of some roles.
#[derive(Debug, Default)]
pub struct Tally {
    /// Actions that some request may perform.
    pub permitted: u64,
    /// Actions that none may.
    pub refused: u64,
    /// Actions that were not decided.
    pub undecided: u64,
    /// Requests tried for refused actions.
    pub probes: u64,
    /// Where the two disagree.
    pub disagreements: Vec<String>,
}

impl Tally {
    /// Holds one role's decisions against the naive evaluator, each refused action by so many probes.
    pub fn judge(&mut self, docs: &RoleDocs, actions: &[CatalogueAction], probes: u64, rng: &mut Rng) {
        let judge = Judge::new(docs).unwrap();
        let interest = Interest::of(docs);
        let permissions = permissions(&role(docs), OffsetDateTime::from_unix_timestamp(AT).unwrap());
        for (action, decision) in catalogue::actions().iter().zip(&permissions.catalogued) {
            match decision {
                Decision::Undecided => self.undecided += 1,
                Decision::Permitted(witness) => {
                    self.permitted += 1;
                    let request = Request {
                        action: action.full_name.to_owned(),
                        resource: witness.resource.clone(),
                        context: witness.context.clone(),
                    };
                    let sound = well_formed(docs, &request, actions, AT).and_then(|()| {
                        let answer = judge.allowed(&request)?;
                        let problem = match (answer.allowed, answer.certain == witness.assumed.is_empty()) {
                            (true, true) => return Ok(()),
                            (true, false) => format!("takes for granted {:?}", witness.assumed),
                            (false, _) => "refused".to_owned(),
                        };
                        Err(format!("{problem}\n{}", bearing(docs, &request)))
                    });
                    if let Err(problem) = sound {
                        self.disagreements.push(format!("unsound {request:?}: {problem}"));
                    }
                }
                Decision::Refused => {
                    self.refused += 1;
                    let known = actions.iter().find(|known| known.action == action.full_name).unwrap();
                    for _ in 0..probes {
                        let Some(request) = probe(rng, &interest, known, actions, AT) else { continue };
                        self.probes += 1;
                        if judge.allowed(&request).is_ok_and(|answer| answer.allowed) {
                            let explained = bearing(docs, &request);
                            self.disagreements.push(format!("missed {request:?}\n{explained}"));
                            break;
                        }
                    }
                }
            }
        }
    }
}
