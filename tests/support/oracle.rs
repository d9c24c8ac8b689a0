//! Compares the solver with the naive evaluator on one role. Every witness is a request that can exist and that the naive
//! evaluator allows, it names what it assumes, and no random request needs less. Random requests for an action that the
//! solver refuses are refused by the naive evaluator too.
//!
//! Tests and a fuzz target use it.
#![allow(clippy::unwrap_used, reason = "clippy takes the helpers of tests for no tests")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;
use std::sync::Arc;

use ecr_read_only::access::{Assumption, Decision, Grant, GrantKind, Policy, PolicySource, Role, Witness, catalogue};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::policy::{Document, TrustPolicy};
use serde_json::Value;
use time::OffsetDateTime;

use super::generate::Rng;
use super::generate::probe::{Interest, allowed_request, changed, completed, probe};
use super::naive::catalogue::{CatalogueAction, catalogue as naive_catalogue};
use super::naive::request::can_exist;
use super::naive::{Answer, Judge, Place, Request, RoleDocs, explain};

/// 2027-01-15T08:00:00Z, the time of evaluation.
pub const AT: i64 = 1_800_000_000;

/// What a request needs that is not allowed in every reading.
const READING: &str = "one of two readings";

/// How often a witness gets values for the keys that it does not list and that every request has.
const COMPLETIONS: usize = 4;

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
    /// Random requests for permitted actions whose witness is unusual.
    pub alternatives: u64,
    /// Witnesses that rest on one of two readings although a random request does not.
    pub avoidable_readings: u64,
    /// One text for each action for which a random request needs less than the witness, other than a reading.
    pub improvable: Vec<String>,
    /// One text for each action on which the two disagree.
    pub disagreements: Vec<String>,
}

/// One role with what is needed to judge its decisions.
struct Case<'a> {
    docs: &'a RoleDocs,
    judge: Judge<'a>,
    interest: Interest<'a>,
    actions: &'a [CatalogueAction],
}

impl Tally {
    /// Compares the decisions on one role. Each refused action gets `probes` random requests.
    pub fn judge(&mut self, docs: &RoleDocs, actions: &[CatalogueAction], probes: u64, rng: &mut Rng) {
        let case = Case { docs, judge: Judge::new(docs).unwrap(), interest: Interest::of(docs), actions };
        let at = OffsetDateTime::from_unix_timestamp(AT).unwrap();
        let permissions = ecr_read_only::access::permissions(&role(docs), at);
        for (action, decision) in catalogue::actions().iter().zip(&permissions.catalogued) {
            let known = actions.iter().find(|known| known.action == action.full_name).unwrap();
            self.compare(&case, known, decision, probes, rng);
        }
        let mut named = case.judge.unknown_actions(actions);
        for (name, decision) in &permissions.unknown {
            named.remove(&name.to_lowercase());
            self.compare(&case, &unknown(rng, name), decision, probes, rng);
        }
        for name in named {
            self.compare(&case, &unknown(rng, &name), &Decision::Refused, probes, rng);
        }
    }

    fn compare(&mut self, case: &Case<'_>, action: &CatalogueAction, decision: &Decision, probes: u64, rng: &mut Rng) {
        match decision {
            Decision::Undecided => self.undecided += 1,
            Decision::Permitted(witness) => {
                self.permitted += 1;
                let request = Request {
                    action: action.action.clone(),
                    resource: witness.resource.clone(),
                    context: witness.context.clone(),
                };
                match case.problem(&request, witness, action, rng) {
                    Err(problem) => {
                        let explanation = explained(case.docs, &request);
                        self.disagreements.push(format!("unsound {request:?}: {problem}\n{explanation}"));
                    }
                    Ok(answer) => self.look_for_better(case, action, &request, &answer, probes, rng),
                }
            }
            Decision::Refused => {
                self.refused += 1;
                let (made, found) = allowed_request(rng, &case.interest, &case.judge, action, case.actions, AT, probes);
                self.probes += made;
                if let Some(request) = found {
                    assert!(case.judge.allowed(&request).is_ok_and(|answer| answer.allowed), "{request:?}");
                    let explanation = explained(case.docs, &request);
                    self.disagreements.push(format!("missed {request:?}\n{explanation}"));
                }
            }
        }
    }

    /// Looks for an allowed request that needs less than the witness: not another account, no unusual key, no reading.
    fn look_for_better(
        &mut self,
        case: &Case<'_>,
        action: &CatalogueAction,
        request: &Request,
        answer: &Answer,
        probes: u64,
        rng: &mut Rng,
    ) {
        let needs = case.needs(request, answer);
        if needs.is_empty() {
            return;
        }
        for number in 0..probes {
            let other = if number % 2 == 0 {
                changed(rng, &case.interest, action, case.actions, AT, request)
            } else {
                probe(rng, &case.interest, action, case.actions, AT)
            };
            let Some(other) = other else { continue };
            self.alternatives += 1;
            let Ok(answer) = case.judge.allowed(&other) else { continue };
            let others = case.needs(&other, &answer);
            if !answer.allowed || !others.is_subset(&needs) || others == needs {
                continue;
            }
            // The search prefers certain requests, but does not promise to find one.
            if needs.difference(&others).eq([READING]) {
                self.avoidable_readings += 1;
                return;
            }
            let explanation = explained(case.docs, &other);
            self.improvable
                .push(format!("worse {request:?} needs {needs:?}\nbetter {other:?} needs {others:?}\n{explanation}"));
            return;
        }
    }
}

/// An action that the catalogue does not know. Its requests name a repository or `*`, and may have every key.
fn unknown(rng: &mut Rng, name: &str) -> CatalogueAction {
    let types = if rng.chance(70) { vec!["repository".to_owned()] } else { Vec::new() };
    CatalogueAction {
        action: name.to_owned(),
        access_level: "Unknown".to_owned(),
        resource_types: types,
        condition_keys: ["aws:RequestTag/${TagKey}", "aws:TagKeys", "ecr:AccountSetting"].map(str::to_owned).to_vec(),
    }
}

impl Case<'_> {
    /// The naive evaluator's answer on a witness.
    ///
    /// # Errors
    /// What is wrong with the witness.
    fn problem(
        &self,
        request: &Request,
        witness: &Witness,
        action: &CatalogueAction,
        rng: &mut Rng,
    ) -> Result<Answer, String> {
        can_exist(self.docs, self.judge.trust(), request, self.actions, AT)?;
        let mut answer = self.answer(request, witness);
        if answer.is_err() {
            // The witness does not list keys that may have any value.
            for _ in 0..COMPLETIONS {
                let completed = completed(rng, &self.interest, action, request, AT);
                if can_exist(self.docs, self.judge.trust(), &completed, self.actions, AT).is_ok() {
                    answer = self.answer(&completed, witness);
                    let with_request = |problem| format!("{problem} with {:?}", completed.context);
                    answer = Ok(answer.map_err(with_request)?);
                }
            }
        }
        let answer = answer?;
        let assumed: BTreeSet<(String, String)> = witness.assumed.iter().filter_map(of_context).collect();
        let unusual: BTreeSet<(String, String)> = unusual(request).collect();
        if assumed != unusual {
            return Err(format!("the context is unusual in {unusual:?}, and not in {assumed:?}"));
        }
        let other_account = owner(request).filter(|account| *account != self.own_account());
        if witness.other_account.as_deref() != other_account {
            return Err(format!("names {:?} as the other account", witness.other_account));
        }
        Ok(answer)
    }

    fn answer(&self, request: &Request, witness: &Witness) -> Result<Answer, String> {
        let answer = self.judge.allowed(request)?;
        if !answer.allowed {
            return Err("refused".to_owned());
        }
        let rests_on_reading = witness.assumed.iter().any(|one| matches!(one, Assumption::Statement { .. }));
        if answer.certain == rests_on_reading {
            return Err(format!("wrong assumptions {:?}", witness.assumed));
        }
        let matches = |grant: &Grant| {
            answer.allows.iter().any(|one| {
                (one.place, one.policy.as_str(), one.statement)
                    == (place(grant), grant.policy.as_str(), grant.statement)
            })
        };
        match witness.grants.iter().find(|grant| !matches(grant)) {
            Some(grant) => Err(format!("{grant} does not allow it")),
            None => Ok(answer),
        }
    }

    /// What makes a request less convincing than others.
    fn needs(&self, request: &Request, answer: &Answer) -> BTreeSet<String> {
        let mut needs: BTreeSet<String> = unusual(request).map(|(key, _)| key).collect();
        if !answer.certain {
            needs.insert(READING.to_owned());
        }
        if owner(request).is_some_and(|account| account != self.own_account()) {
            needs.insert("another account".to_owned());
        }
        needs
    }

    fn own_account(&self) -> &str {
        self.docs.arn.split(':').nth(4).unwrap_or_default()
    }
}

/// The account that owns the resource; `None` for `*`.
fn owner(request: &Request) -> Option<&str> {
    request.resource.split(':').nth(4)
}

fn place(grant: &Grant) -> Place {
    match grant.kind {
        GrantKind::Inline | GrantKind::Managed => Place::Identity,
        GrantKind::Boundary => Place::Boundary,
        GrantKind::Session => Place::Session,
    }
}

fn of_context(assumption: &Assumption) -> Option<(String, String)> {
    match assumption {
        Assumption::Context { key, value, .. } => Some((key.to_lowercase(), value.clone())),
        Assumption::Statement { .. } => None,
    }
}

/// The keys that only unusual requests have, with their values.
fn unusual(request: &Request) -> impl Iterator<Item = (String, String)> {
    request.context.iter().filter_map(|(key, values)| {
        let key = key.to_lowercase();
        let value = values.first()?;
        let unusual = match key.as_str() {
            "aws:viaawsservice" | "aws:multifactorauthpresent" => value == "true",
            "aws:referer" => true,
            _ => false,
        };
        unusual.then(|| (key, value.clone()))
    })
}
