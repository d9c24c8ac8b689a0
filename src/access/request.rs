//! A request with unknown parts: the unknowns and their slots.
//!
//! Knows what a policy variable stands for and how a witness shows a request. Must not know statements: `clauses.rs` turns
//! these into clauses over the slots. `ties.rs` has the clauses that hold in every request.
//!
//! Sources: IAM User Guide, "AWS global condition context keys", "IAM policy elements: Variables and tags".

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::{ResourceType, Service};
use super::context::{FixedValues, Knowledge, RoleContext, Target, Unknown, UnknownValue};
use super::decision::Context;
use super::solver::slot::Slot;
use super::solver::{Clause, Literal, Values};
use crate::policy::budget::Budget;
use crate::policy::comparison::{Comparison, Texts};
use crate::policy::context_key::ContextKey;
use crate::policy::glob::{Glob, LetterCase};
use crate::policy::instant::date;
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
    /// The tag keys as statements spell them, by the unknown for the tag's value.
    tag_keys: BTreeMap<Unknown, String>,
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
            tag_keys: BTreeMap::new(),
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

    /// The clauses for the fixed values, and that no request has all values of one of the `excluded` lists.
    pub(super) fn restrictions(&mut self, excluded: &[FixedValues]) -> Vec<Clause> {
        let fixed = self.fixed.clone();
        let mut has = |UnknownValue { unknown, value }: &UnknownValue| {
            let slot = self.slot_of(unknown);
            match value {
                None => absent(slot),
                Some(_) if unknown.is_multivalued() => absent(slot).negated(),
                Some(value) => equals(slot, value, Quantifier::Value),
            }
        };
        let mut clauses: Vec<Clause> = fixed.iter().map(|value| vec![vec![has(value)]]).collect();
        clauses.extend(excluded.iter().map(|all| all.iter().map(|value| vec![has(value).negated()]).collect()));
        clauses
    }

    /// The condition keys that have slots, in lower case, each with its slot.
    pub(super) fn keys(&self) -> Vec<(String, usize)> {
        let key = |(slot, unknown): (usize, &Unknown)| {
            if let Unknown::Key(key) = unknown { Some((key.clone(), slot)) } else { None }
        };
        self.unknowns.iter().enumerate().filter_map(key).collect()
    }

    /// The tag key of a condition key such as `aws:requesttag/team`, as statements spell it.
    pub(super) fn tag_key<'s>(&'s self, key: &'s str) -> &'s str {
        let spelled = self.tag_keys.get(&Unknown::Key(key.to_owned())).map(String::as_str);
        spelled.or_else(|| Some(key.split_once('/')?.1)).unwrap_or_default()
    }

    /// The literal that the resource belongs to the role's account.
    pub(super) fn own_account(&self) -> Option<Literal> {
        let slot = self.find_slot(&Unknown::Account)?;
        Some(equals(slot, self.role.account(), Quantifier::Value))
    }

    /// Makes slots for the keys that a statement mentions, even if no clause uses them: a witness lists them all.
    pub(super) fn add_keys(&mut self, keys: &[ContextKey]) {
        for key in keys {
            let (spelled, lower) = (key.as_written(), key.lower());
            if let Knowledge::Unknown(unknown) = self.role.knowledge(&self.target, lower) {
                self.slot_of(&unknown);
                if let Some((_, tag)) = spelled.split_once('/') {
                    let known = self.tag_keys.entry(unknown).or_insert_with(|| tag.to_owned());
                    if tag < known.as_str() {
                        tag.clone_into(known);
                    }
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
                // AWS does not document a variable of a key with several values. It stays a wildcard.
                Some(_) if unknown.is_multivalued() => Meaning::Anything,
                Some(value) => Meaning::Text(spelled_value(key, &unknown, value)),
                None => Meaning::Absent,
            };
        }
        let form = self.role.form(&unknown).filter(|_| variable.default.is_none());
        self.open.borrow_mut().push(unknown);
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
    pub(super) fn mention(&self, keys: &[ContextKey], values: &Values, context: &mut Context) {
        for key in keys {
            self.mention_key(key.as_written(), key.lower(), values, context);
        }
    }

    /// Adds one key, given in two spellings, to a witness if the request has it.
    pub(super) fn mention_key(&self, key: &str, lower: &str, values: &Values, context: &mut Context) {
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

/// The literal that one of the globs matches the slot's value.
pub(super) fn matches_one(slot: usize, globs: Vec<Glob>) -> Literal {
    let comparison = Arc::new(Comparison::Text(Texts::new(globs, LetterCase::Exact)));
    let if_present = IfPresent::Values { quantifier: Quantifier::Value, comparison, positive: true };
    Literal::new(slot, Requirement { if_absent: false, if_present })
}

/// The literal that the request does not have the slot's key.
pub(super) fn absent(slot: usize) -> Literal {
    Literal::new(slot, Requirement { if_absent: true, if_present: IfPresent::Holds(false) })
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
