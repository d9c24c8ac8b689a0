//! The solver against the naive evaluator, on generated roles: every witness is a request that can exist and that the
//! naive evaluator allows, and random search finds no allowed request for an action that the solver refuses.
//!
//! `ORACLE_ROLES` (default 150), `ORACLE_FIRST_SEED` (default 1) and `ORACLE_PROBES` (default 6, per refused action)
//! choose the size; a failure prints the role's seed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use ecr_read_only::access::{Decision, Policy, PolicySource, Role, catalogue, permissions};
use ecr_read_only::policy::{Document, TrustPolicy};
use serde_json::Value;
use support::generate::Rng;
use support::generate::account::{account, role_docs, role_names};
use support::generate::probe::{Interest, probe};
use support::naive::catalogue::{CatalogueAction, catalogue as naive_catalogue};
use support::naive::request::well_formed;
use support::naive::{Judge, Request, RoleDocs, explain};
use time::OffsetDateTime;

/// 2027-01-15T08:00:00Z, the time of evaluation.
const AT: i64 = 1_800_000_000;

fn at() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(AT).unwrap()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A document as the naive evaluator has it, for the solver: some are text, plain or percent-encoded.
fn text(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

fn role(docs: &RoleDocs) -> Role {
    let document = |value: &Value| Arc::new(Document::parse(&text(value)).unwrap());
    let source = |name: &str| {
        if name.starts_with("arn:") { PolicySource::Managed(name.into()) } else { PolicySource::Inline(name.into()) }
    };
    let policy = |(name, value): &(String, Value)| Policy { source: source(name), document: document(value) };
    Role {
        arn: docs.arn.clone(),
        id: docs.id.clone(),
        trust_policy: TrustPolicy::parse(&text(&docs.trust)).unwrap(),
        tags: docs.tags.clone(),
        policies: docs.policies.iter().map(policy).collect(),
        permissions_boundary: docs.boundary.as_ref().map(policy),
    }
}

/// What the naive evaluator says of the statements that match the action.
fn bearing(docs: &RoleDocs, request: &Request) -> String {
    let lines = explain(docs, request);
    lines.into_iter().filter(|line| !line.contains("action Ok(No)")).collect::<Vec<_>>().join("\n")
}

#[derive(Default)]
struct Tally {
    roles: u64,
    permitted: u64,
    refused: u64,
    undecided: u64,
    undecided_roles: BTreeSet<u64>,
    probes: u64,
    failures: Vec<String>,
}

impl Tally {
    fn judge(&mut self, seed: u64, actions: &[CatalogueAction], probes: u64) {
        let details = account(seed, 1);
        let docs = role_docs(&details, &role_names(&details)[0]).unwrap();
        let judge = Judge::new(&docs).unwrap();
        let interest = Interest::of(&docs);
        let mut rng = Rng::new(seed ^ 0x5eed);
        self.roles += 1;
        let permissions = permissions(&role(&docs), at());
        for (action, decision) in catalogue::actions().iter().zip(&permissions.catalogued) {
            match decision {
                Decision::Undecided => {
                    self.undecided += 1;
                    self.undecided_roles.insert(seed);
                }
                Decision::Permitted(witness) => {
                    self.permitted += 1;
                    let request = Request {
                        action: action.full_name.to_owned(),
                        resource: witness.resource.clone(),
                        context: witness.context.clone(),
                    };
                    let sound = well_formed(&docs, &request, actions, AT).and_then(|()| {
                        let answer = judge.allowed(&request)?;
                        let problem = match (answer.allowed, answer.certain == witness.assumed.is_empty()) {
                            (true, true) => return Ok(()),
                            (true, false) => format!("takes for granted {:?}", witness.assumed),
                            (false, _) => "refused".to_owned(),
                        };
                        Err(format!("{problem}\n{}", bearing(&docs, &request)))
                    });
                    if let Err(problem) = sound {
                        self.failures.push(format!("seed {seed}: unsound {request:?}: {problem}"));
                    }
                }
                Decision::Refused => {
                    self.refused += 1;
                    let known = actions.iter().find(|known| known.action == action.full_name).unwrap();
                    for _ in 0..probes {
                        let Some(request) = probe(&mut rng, &interest, known, actions, AT) else { continue };
                        self.probes += 1;
                        if judge.allowed(&request).is_ok_and(|answer| answer.allowed) {
                            let explained = bearing(&docs, &request);
                            self.failures.push(format!("seed {seed}: missed {request:?}\n{explained}"));
                            break;
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_solver_agrees_with_the_naive_evaluator() {
    let actions = naive_catalogue(&serde_json::from_str(include_str!("support/catalogue.json")).unwrap()).unwrap();
    let (first, roles) = (setting("ORACLE_FIRST_SEED", 1), setting("ORACLE_ROLES", 150));
    let mut tally = Tally::default();
    for seed in first..first + roles {
        tally.judge(seed, &actions, setting("ORACLE_PROBES", 6));
    }
    println!(
        "{} roles from seed {first}: {} permitted, {} refused by {} probes, {} undecided {:?}",
        tally.roles, tally.permitted, tally.refused, tally.probes, tally.undecided, tally.undecided_roles
    );
    // One of each role: the actions of a role tend to fail together.
    tally.failures.dedup_by_key(|failure| failure.split(':').next().map(str::to_owned));
    let shown = tally.failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(tally.failures.is_empty(), "{} disagreements:\n{shown}", tally.failures.len());
}
