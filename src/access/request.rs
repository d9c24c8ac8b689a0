//! A request with unknown parts: the unknowns, their slots, and the rules that tie them to each other.
//!
//! Knows which unknowns belong together and what a policy variable stands for. Must not know statements: `clauses.rs`
//! turns these into clauses over the slots.
//!
//! Sources: IAM User Guide, "AWS global condition context keys", "IAM policy elements: Variables and tags".

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::{ResourceType, Service};
use super::context::{FixedValues, Knowledge, RoleContext, Target, Unknown, UnknownValue};
use super::solver::slot::Slot;
use super::solver::{Clause, Literal, Values};
use crate::policy::budget::Budget;
use crate::policy::comparison::{Comparison, Texts, date};
use crate::policy::context_key::ContextKey;
use crate::policy::glob::{Glob, LetterCase};
use crate::policy::operator::Quantifier;
use crate::policy::requirement::{IfPresent, Requirement};
use crate::policy::variable::{Meaning, Variable};

/// A request for one target. Its unknowns get their slots when a statement first mentions them.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) role: &'a RoleContext<'a>,
    pub(super) target: Target,
    unknowns: Vec<Unknown>,
    /// The slot of each unknown.
    places: BTreeMap<Unknown, usize>,
    /// The condition keys that statements mention: the spelling by the key in lower case.
    spelled: BTreeMap<String, String>,
    pub(super) slots: Vec<Slot>,
    pub(super) fixed: FixedValues,
    /// The unknowns that variables stand for and that are not fixed. Statements read them as wildcards.
    open: RefCell<Vec<Unknown>>,
    pub(super) budget: &'a Budget,
}

impl<'a> Request<'a> {
    pub(super) fn new(role: &'a RoleContext<'a>, target: Target, fixed: FixedValues, budget: &'a Budget) -> Self {
        let mut request = Self {
            role,
            target,
            unknowns: Vec::new(),
            places: BTreeMap::new(),
            spelled: BTreeMap::new(),
            slots: Vec::new(),
            fixed,
            open: RefCell::default(),
            budget,
        };
        if target.resource != ResourceType::None {
            for unknown in [Unknown::Region, Unknown::Account, Unknown::Resource] {
                request.slot_of(&unknown);
            }
        }
        request
    }

    /// The same request with more fixed values.
    pub(super) fn with_fixed(&self, more: impl Iterator<Item = UnknownValue>) -> Self {
        let mut request = self.clone();
        request.fixed.extend(more);
        request
    }

    /// The first value that an unknown has.
    pub(super) fn value(&self, unknown: &Unknown, values: &Values) -> Option<String> {
        values.get(self.find_slot(unknown)?)?.first().map(str::to_owned)
    }

    pub(super) fn find_slot(&self, unknown: &Unknown) -> Option<usize> {
        self.places.get(unknown).copied()
    }

    /// The slot of the unknown; a new one if it has none yet.
    pub(super) fn slot_of(&mut self, unknown: &Unknown) -> usize {
        if let Some(index) = self.find_slot(unknown) {
            return index;
        }
        // A token is issued before its requests are made: its slot refers to the slot of the request's time.
        let now = match unknown {
            Unknown::Key(key) if key == "aws:tokenissuetime" => self.slot_of(&Unknown::Now),
            _ => 0,
        };
        self.slots.push(self.role.slot(&self.target, unknown, now));
        self.unknowns.push(unknown.clone());
        self.places.insert(unknown.clone(), self.slots.len() - 1);
        self.slots.len() - 1
    }

    /// The clauses that do not depend on statements: which unknowns belong together, the fixed values, and that no
    /// request has all values of one of the `excluded` lists.
    pub(super) fn ties(&mut self, excluded: &[FixedValues]) -> Vec<Clause> {
        let fixed = self.fixed.clone();
        for UnknownValue { unknown, .. } in fixed.iter().chain(excluded.iter().flatten()) {
            self.slot_of(unknown);
        }
        let key = |unknown: &Unknown| if let Unknown::Key(key) = unknown { Some(key.clone()) } else { None };
        let keys: Vec<String> = self.unknowns.iter().filter_map(key).collect();
        let mut clauses = Vec::new();
        for key in &keys {
            let slot = self.slot_of(&Unknown::Key(key.clone()));
            let name = key.strip_prefix("aws:").unwrap_or_default();
            // `aws:CalledVia…` is present only in a call that a service makes for the role.
            if name.starts_with("calledvia") {
                let via = self.slot_of(&Unknown::Key("aws:viaawsservice".to_owned()));
                clauses.push(vec![vec![absent(slot)], vec![equals(via, "true", Quantifier::Value)]]);
            }
            // A request arrives over the internet or through a VPC endpoint, not both.
            if is_vpc_key(name) && keys.iter().any(|key| key == "aws:sourceip") {
                let source_ip = self.slot_of(&Unknown::Key("aws:sourceip".to_owned()));
                clauses.push(vec![vec![absent(slot)], vec![absent(source_ip)]]);
            }
            // `repository/*` stands for all repositories. It is not a repository and has no tags.
            if self.target.all_repositories && name.starts_with("resourcetag/") {
                let resource = self.slot_of(&Unknown::Resource);
                let all = equals(resource, "repository/*", Quantifier::Value);
                clauses.push(vec![vec![absent(slot)], vec![all.negated()]]);
            }
            // `aws:TagKeys` holds the key of every `aws:RequestTag`.
            if name.starts_with("requesttag/") {
                let spelled = self.spelled.get(key).unwrap_or(key);
                let tag = spelled.split_once('/').map_or("", |(_, tag)| tag).to_owned();
                let tag_keys = self.slot_of(&Unknown::Key("aws:tagkeys".to_owned()));
                clauses.push(vec![vec![absent(slot)], vec![equals(tag_keys, &tag, Quantifier::Any)]]);
            }
        }
        let mut has = |UnknownValue { unknown, value }: &UnknownValue| {
            let slot = self.slot_of(unknown);
            value.as_ref().map_or_else(|| absent(slot), |value| equals(slot, value, Quantifier::Value))
        };
        clauses.extend(fixed.iter().map(|value| vec![vec![has(value)]]));
        clauses.extend(excluded.iter().map(|all| all.iter().map(|value| vec![has(value).negated()]).collect()));
        clauses
    }

    /// The clause that the resource belongs to the role's account.
    pub(super) fn own_account(&self) -> Option<Clause> {
        let slot = self.find_slot(&Unknown::Account)?;
        Some(vec![vec![equals(slot, self.role.account(), Quantifier::Value)]])
    }

    /// Makes slots for the keys that a statement mentions, even if no clause uses them: a witness lists them all.
    pub(super) fn add_keys(&mut self, keys: &[ContextKey]) {
        for key in keys {
            let (spelled, lower) = (key.as_written(), key.lower());
            if let Knowledge::Unknown(unknown) = self.role.knowledge(&self.target, lower) {
                self.slot_of(&unknown);
                let known = self.spelled.entry(lower.to_owned()).or_insert_with(|| spelled.to_owned());
                if spelled < known.as_str() {
                    spelled.clone_into(known);
                }
            }
        }
    }

    /// What a policy variable stands for. An unknown that is not fixed is noted as open.
    pub(super) fn meaning(&self, variable: &Variable) -> Meaning {
        let key = variable.key.lower();
        let unknown = match self.role.knowledge(&self.target, key) {
            Knowledge::Absent => return Meaning::Absent,
            Knowledge::Value(value) => return Meaning::Text(value),
            Knowledge::Unknown(unknown) => unknown,
        };
        if let Some(fixed) = self.fixed.iter().find(|fixed| fixed.unknown == unknown) {
            return match &fixed.value {
                Some(value) => Meaning::Text(spelled_value(key, &unknown, value)),
                None => Meaning::Absent,
            };
        }
        let form = self.role.form(&unknown).filter(|_| variable.default.is_none());
        // AWS does not document a variable of a key with several values. It stays a wildcard in every search.
        if !unknown.is_multivalued() {
            self.open.borrow_mut().push(unknown);
        }
        form.map_or(Meaning::Anything, |form| Meaning::Like(Glob::new(&form)))
    }

    /// The open unknowns noted since the last call, sorted, each once.
    pub(super) fn take_open(&mut self) -> Vec<Unknown> {
        let mut open = std::mem::take(self.open.get_mut());
        open.sort_unstable();
        open.dedup();
        open
    }

    /// The ARN of the request's resource; `*` for a target without resource.
    pub(super) fn resource_arn(&self, values: &Values) -> String {
        if self.target.resource == ResourceType::None {
            return "*".to_owned();
        }
        let value =
            |unknown: &Unknown| self.find_slot(unknown).and_then(|slot| values.get(slot)?.first()).unwrap_or_default();
        let region = if self.target.service == Service::Ecr { value(&Unknown::Region) } else { "" };
        let (partition, service) = (self.role.partition(), self.target.service.prefix());
        format!("arn:{partition}:{service}:{region}:{}:{}", value(&Unknown::Account), value(&Unknown::Resource))
    }

    /// Adds the keys that a statement mentions to a witness, with the values that the request has for them.
    pub(super) fn mention(&self, keys: &[ContextKey], values: &Values, context: &mut BTreeMap<String, Vec<String>>) {
        for key in keys {
            let (spelled, lower) = (key.as_written(), key.lower());
            self.mention_key(spelled, lower, values, context);
            // A request with a tag also has `aws:TagKeys`; one with `aws:CalledVia` also has `aws:ViaAWSService`.
            if lower.starts_with("aws:requesttag/") {
                self.mention_key("aws:TagKeys", "aws:tagkeys", values, context);
            }
            if lower.starts_with("aws:calledvia") {
                self.mention_key("aws:ViaAWSService", "aws:viaawsservice", values, context);
            }
        }
    }

    fn mention_key(&self, key: &str, lower: &str, values: &Values, context: &mut BTreeMap<String, Vec<String>>) {
        let known = match self.role.knowledge(&self.target, lower) {
            Knowledge::Absent => None,
            Knowledge::Value(value) => Some(vec![value]),
            Knowledge::Unknown(unknown) => {
                let found = self.find_slot(&unknown).and_then(|slot| values.get(slot)?.values());
                found.map(|found| found.iter().map(|value| spelled_value(lower, &unknown, value)).collect())
            }
        };
        let Some(known) = known else { return };
        // A key may be spelled in several ways. The least spelling is kept, so that the order of statements does not matter.
        match context.keys().find(|other| other.eq_ignore_ascii_case(key)).cloned() {
            Some(other) if other.as_str() <= key => {}
            Some(other) => {
                context.remove(&other);
                context.insert(key.to_owned(), known);
            }
            None => {
                context.insert(key.to_owned(), known);
            }
        }
    }
}

/// The literal that the slot has this value, or with [`Quantifier::Any`] one of its values is this one.
pub(super) fn equals(slot: usize, value: &str, quantifier: Quantifier) -> Literal {
    // Keys of tags ignore letter case in condition keys, and `aws:TagKeys` is the only key of several values here.
    let letter_case = if quantifier == Quantifier::Any { LetterCase::Ignored } else { LetterCase::Exact };
    let texts = Texts::new(vec![Glob::literal(value)], letter_case);
    let if_present = IfPresent::Values { quantifier, comparison: Arc::new(Comparison::Text(texts)), positive: true };
    Literal::new(slot, Requirement { if_absent: false, if_present })
}

/// The literal that the request does not have the slot's key.
fn absent(slot: usize) -> Literal {
    Literal::new(slot, Requirement { if_absent: true, if_present: IfPresent::Holds(false) })
}

fn is_vpc_key(name: &str) -> bool {
    name.starts_with("vpce") || matches!(name, "sourcevpc" | "sourcevpce" | "vpcsourceip" | "sourcevpcarn")
}

/// The value of a key as requests carry it. Slots keep instants as seconds since 1970; requests carry dates, except for
/// `aws:EpochTime`.
fn spelled_value(key: &str, unknown: &Unknown, value: &str) -> String {
    let spelled = match (unknown.is_instant(), key) {
        (true, "aws:epochtime") => value.parse::<i64>().ok().map(|seconds| seconds.to_string()),
        (true, _) => date(value),
        (false, _) => None,
    };
    spelled.unwrap_or_else(|| value.to_owned())
}
