//! A naive evaluator of single requests, with which the solver is compared.
//!
//! It follows the documentation (IAM User Guide, Service Authorization Reference) and shares no code with the crate: one
//! function for each rule, no search. It decides one request of one role.
//!
//! Where AWS's documentation leaves two readings, the answer is [`Tri::Maybe`]. An Allow with this answer matches, a Deny
//! does not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "clippy takes the helpers of tests for no tests"
)]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

pub mod catalogue;
pub mod condition;
pub mod context;
pub mod pattern;
pub mod request;
pub mod resource;
pub mod statement;
pub mod value;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use catalogue::CatalogueAction;
use context::{Trust, View};
use statement::{Effect, Statement};

/// A request: one action on one resource in one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `service:Name`.
    pub action: String,
    /// An ARN, or `*` for an action without resource type.
    pub resource: String,
    /// The condition keys with their values. A key that is not listed is absent, or the role determines its value, or it is
    /// always present.
    pub context: BTreeMap<String, Vec<String>>,
}

/// A role with its documents.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleDocs {
    /// The role's ARN, with the path.
    pub arn: String,
    /// The role's unique identifier, `AROA…`.
    pub id: String,
    /// The role's tags.
    pub tags: Vec<(String, String)>,
    /// The trust policy.
    pub trust: Value,
    /// Inline policies by name, managed policies by ARN (their default versions).
    pub policies: Vec<(String, Value)>,
    /// The permissions boundary's ARN and document.
    pub boundary: Option<(String, Value)>,
    /// The ARN of the Pod Identity association that makes the session, and its policy. Without one, any session of the role.
    pub session: Option<(String, Value)>,
}

/// An answer that may depend on the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tri {
    /// No in every reading.
    No,
    /// Yes in one reading, no in another.
    Maybe,
    /// Yes in every reading.
    Yes,
}

impl Tri {
    /// The opposite. `Maybe` stays `Maybe`.
    pub fn negate(self) -> Tri {
        match self {
            Tri::No => Tri::Yes,
            Tri::Maybe => Tri::Maybe,
            Tri::Yes => Tri::No,
        }
    }

    /// The answer for the results of several readings.
    pub fn of_readings(readings: &[bool]) -> Tri {
        if readings.iter().all(|reading| *reading) {
            Tri::Yes
        } else if readings.iter().any(|reading| *reading) {
            Tri::Maybe
        } else {
            Tri::No
        }
    }
}

impl From<bool> for Tri {
    fn from(value: bool) -> Tri {
        if value { Tri::Yes } else { Tri::No }
    }
}

/// An answer, or the key that the request has to list for an answer.
pub type Outcome = Result<Tri, String>;

/// Whether one of the outcomes is yes. A missing value matters only if no other outcome decides.
pub fn any_of(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    let mut best = Ok(Tri::No);
    for outcome in outcomes {
        match (outcome, &best) {
            (Ok(Tri::Yes), _) => return Ok(Tri::Yes),
            (Err(text), Ok(_)) => best = Err(text),
            (Ok(tri), Ok(so_far)) if tri > *so_far => best = Ok(tri),
            _ => {}
        }
    }
    best
}

/// Whether all outcomes are yes. A missing value matters only if no other outcome decides.
pub fn all_of(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
    negate(any_of(outcomes.into_iter().map(negate)))
}

/// The opposite of an outcome.
pub fn negate(outcome: Outcome) -> Outcome {
    outcome.map(Tri::negate)
}

/// The policy that contains a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In one of the role's identity-based policies.
    Identity,
    /// In the role's permissions boundary.
    Boundary,
    /// In the session policy.
    Session,
}

/// A statement that matches the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// Identity-based policy, boundary or session policy.
    pub place: Place,
    /// The inline policy's name or the managed policy's ARN.
    pub policy: String,
    /// The statement's position, from 0.
    pub statement: usize,
    /// The statement's `Sid`.
    pub sid: Option<String>,
    /// Whether it matches in every reading.
    pub certain: bool,
}

/// The decision on one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether IAM would allow it, in the reading that finds more access.
    pub allowed: bool,
    /// Whether the decision is the same in every reading.
    pub certain: bool,
    /// The Allow statements that match, of all policies.
    pub allows: Vec<Matched>,
    /// The Deny statements that match in every reading.
    pub denies: Vec<Matched>,
}

/// Whether IAM would allow this request to a session of this role.
///
/// # Errors
/// A policy is malformed, or the decision depends on a key that every request has and this request does not list.
pub fn allowed(role: &RoleDocs, request: &Request) -> Result<Answer, String> {
    Judge::new(role)?.allowed(request)
}

/// A role with parsed documents, to decide many requests.
pub struct Judge<'a> {
    role: &'a RoleDocs,
    trust: Trust,
    sources: Vec<(Place, &'a str, Vec<Statement>)>,
}

impl<'a> Judge<'a> {
    /// Reads a role's documents.
    ///
    /// # Errors
    /// A document is malformed.
    pub fn new(role: &'a RoleDocs) -> Result<Judge<'a>, String> {
        let identity = role.policies.iter().map(|policy| (Place::Identity, policy));
        let boundary = role.boundary.iter().map(|policy| (Place::Boundary, policy));
        let session = role.session.iter().map(|policy| (Place::Session, policy));
        let mut sources = Vec::new();
        for (place, (name, document)) in identity.chain(boundary).chain(session) {
            let statements = statement::parse(document).map_err(|text| format!("document `{name}`: {text}"))?;
            sources.push((place, name.as_str(), statements));
        }
        Ok(Judge { role, trust: Trust::of_sessions(role)?, sources })
    }

    /// Who can assume the role.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The same as [`allowed`].
    ///
    /// # Errors
    /// The decision depends on a key that every request has and this request does not list.
    pub fn allowed(&self, request: &Request) -> Result<Answer, String> {
        let view = View::new(self.role, &self.trust, request)?;
        let mut allows = Vec::new();
        let mut denies = Vec::new();
        let mut identity = Vec::new();
        let (mut boundary, mut session) = (Vec::new(), Vec::new());
        let mut deny = Vec::new();
        for (place, policy, statements) in &self.sources {
            for (index, statement) in statements.iter().enumerate() {
                let outcome = statement.matches(&view);
                let matched = |certain| Matched {
                    place: *place,
                    policy: (*policy).to_owned(),
                    statement: index,
                    sid: statement.sid.clone(),
                    certain,
                };
                match statement.effect {
                    Effect::Allow => {
                        if let Ok(tri @ (Tri::Maybe | Tri::Yes)) = outcome {
                            allows.push(matched(tri == Tri::Yes));
                        }
                        match place {
                            Place::Identity => identity.push(outcome),
                            Place::Boundary => boundary.push(outcome),
                            Place::Session => session.push(outcome),
                        }
                    }
                    Effect::Deny => {
                        if outcome == Ok(Tri::Yes) {
                            denies.push(matched(true));
                        }
                        // A Deny that matches the action or resource in one reading only does not deny.
                        let doubtful = [statement.action(&view), statement.resource(&view)].contains(&Ok(Tri::Maybe));
                        deny.push(if doubtful && outcome.is_err() { Ok(Tri::Maybe) } else { outcome });
                    }
                }
            }
        }

        let bounded = if self.role.boundary.is_some() { possible(boundary) } else { Ok(Tri::Yes) };
        let limited = if self.role.session.is_some() { possible(session) } else { Ok(Tri::Yes) };
        let granted = all_of([possible(identity), bounded, limited]);
        // `allowed` asks if an Allow matches and no Deny does in some reading; `certain` asks if all readings agree.
        let (allowed, certain) = match (granted, any_of(deny)) {
            (Ok(Tri::No), _) | (_, Ok(Tri::Yes)) => (false, true),
            (Err(text), _) | (_, Err(text)) => return Err(text),
            (Ok(grant), Ok(block)) => (true, grant == Tri::Yes && block == Tri::No),
        };
        Ok(Answer { allowed, certain, allows, denies })
    }
}

impl Judge<'_> {
    /// The actions of ECR, in lower case, that an Allow of the identity-based policies names without wildcards and that the
    /// catalogue does not know. Operations without an action are not among them: naming one grants nothing.
    pub fn unknown_actions(&self, catalogue: &[CatalogueAction]) -> BTreeSet<String> {
        let identity = self.sources.iter().filter(|(place, ..)| *place == Place::Identity);
        let allows = identity.flat_map(|(.., statements)| statements).filter(|one| one.effect == Effect::Allow);
        let names = allows.flat_map(Statement::named_actions).map(|name| name.to_lowercase());
        let unknown = |name: &String| {
            let known = catalogue.iter().any(|action| action.action.to_lowercase() == *name);
            let of_ecr = matches!(name.split_once(':'), Some(("ecr" | "ecr-public", action)) if !action.is_empty());
            let literal = !name.contains(|c: char| "*?,".contains(c) || c.is_whitespace());
            of_ecr && literal && !known && !request::without_action(name)
        };
        names.filter(unknown).collect()
    }

    /// How far a request is from being allowed: 0 if it is allowed in one reading, else the number of parts of statements
    /// (a resource, a condition, a Deny) that stand in the way. `None` if no Allow matches the action.
    pub fn distance(&self, request: &Request) -> Option<usize> {
        let view = View::new(self.role, &self.trust, request).ok()?;
        let mut nearest: BTreeMap<Place, Option<usize>> = BTreeMap::from([(Place::Identity, None)]);
        let mut denies = 0;
        for (place, _, statements) in &self.sources {
            let nearest = nearest.entry(*place).or_default();
            for statement in statements {
                match statement.effect {
                    Effect::Allow => {
                        if let Some(misses) = statement.misses(&view) {
                            *nearest = Some(nearest.map_or(misses, |least| least.min(misses)));
                        }
                    }
                    Effect::Deny => {
                        denies += usize::from(!matches!(statement.matches(&view), Ok(Tri::No | Tri::Maybe)))
                    }
                }
            }
        }
        nearest.into_values().sum::<Option<usize>>().map(|misses| misses + denies)
    }
}

/// One Allow that matches is enough, even if another one cannot be decided.
fn possible(outcomes: Vec<Outcome>) -> Outcome {
    let doubtful = outcomes.contains(&Ok(Tri::Maybe));
    match any_of(outcomes) {
        Err(_) if doubtful => Ok(Tri::Maybe),
        other => other,
    }
}

/// The result of each statement for a request, for the message of a failed test.
pub fn explain(role: &RoleDocs, request: &Request) -> Vec<String> {
    let judge = match Judge::new(role) {
        Ok(judge) => judge,
        Err(text) => return vec![text],
    };
    let view = match View::new(role, &judge.trust, request) {
        Ok(view) => view,
        Err(text) => return vec![text],
    };
    let mut lines = Vec::new();
    for (_, policy, statements) in &judge.sources {
        lines.extend(statements.iter().enumerate().map(|(index, one)| line(policy, index, one, &view)));
    }
    lines
}

fn line(policy: &str, index: usize, statement: &Statement, view: &View<'_>) -> String {
    format!(
        "{policy}[{index}] {:?}: action {:?}, resource {:?}, condition {:?}",
        statement.effect,
        statement.action(view),
        statement.resource(view),
        statement.condition(view),
    )
}
