//! Compares the solver with the naive evaluator on one role. Every witness is a request that can exist and that the naive
//! evaluator allows. Random requests for an action that the solver refuses are refused by the naive evaluator too.
//!
//! Tests and a fuzz target use it.
#![allow(clippy::unwrap_used, reason = "clippy takes the helpers of tests for no tests")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::sync::Arc;

use ecr_read_only::access::{Assumption, Decision, Policy, PolicySource, Role, catalogue, permissions};
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

/// The text of a document. Some documents are JSON strings that contain the text, plain or percent-encoded.
fn text(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

/// The role for the solver.
pub fn role(docs: &RoleDocs) -> Role {
    role_of(docs, text)
}

/// The role for the solver, with documents as `text` writes them.
pub fn role_of(docs: &RoleDocs, text: impl Fn(&Value) -> String) -> Role {
    let document = |value: &Value| Arc::new(Document::parse(&text(value)).unwrap());
    let source = |name: &str| match name.split(':').nth(2) {
        Some("eks") => PolicySource::Association(name.into()),
        Some(_) => PolicySource::Managed(name.into()),
        None => PolicySource::Inline(name.into()),
    };
    let policy = |(name, value): &(String, Value)| Policy { source: source(name), document: document(value) };
    Role {
        arn: docs.arn.clone(),
        id: docs.id.clone(),
        trust_policy: TrustPolicy::parse(&text(&docs.trust)).unwrap(),
        tags: docs.tags.iter().map(|(key, value)| Tag::new(key, value)).collect(),
        policies: docs.policies.iter().map(policy).collect(),
        permissions_boundary: docs.boundary.as_ref().map(policy),
        session_policy: docs.session.as_ref().map(policy),
    }
}

/// The naive evaluator's result for each statement that may match the action.
fn explained(docs: &RoleDocs, request: &Request) -> String {
    let lines = explain(docs, request);
    lines.into_iter().filter(|line| !line.contains("action Ok(No)")).collect::<Vec<_>>().join("\n")
}

/// The counts and disagreements of several roles.
#[derive(Debug, Default)]
pub struct Tally {
    /// Permitted actions.
    pub permitted: u64,
    /// Refused actions.
    pub refused: u64,
    /// Undecided actions.
    pub undecided: u64,
    /// Random requests for refused actions.
    pub probes: u64,
    /// One text for each action on which the two disagree.
    pub disagreements: Vec<String>,
}

impl Tally {
    /// Compares the decisions on one role. Each refused action gets `probes` random requests.
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
                    let rests_on_reading = |one: &Assumption| matches!(one, Assumption::Statement { .. });
                    let certain = !witness.assumed.iter().any(rests_on_reading);
                    let sound = well_formed(docs, &request, actions, AT).and_then(|()| {
                        let answer = judge.allowed(&request)?;
                        let problem = match (answer.allowed, answer.certain == certain) {
                            (true, true) => return Ok(()),
                            (true, false) => format!("wrong assumptions {:?}", witness.assumed),
                            (false, _) => "refused".to_owned(),
                        };
                        Err(format!("{problem}\n{}", explained(docs, &request)))
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
                            let explanation = explained(docs, &request);
                            self.disagreements.push(format!("missed {request:?}\n{explanation}"));
                            break;
                        }
                    }
                }
            }
        }
    }
}
