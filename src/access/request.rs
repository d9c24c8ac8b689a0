//! The request as unknowns, and statements as clauses over them.
//!
//! Knows how a statement's resources and conditions are read for one kind of request. Knows nothing of which
//! statements there are or how they are put together.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Resource", "… Condition", "Variables and tags".

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::catalogue::ResourceType;
use super::context::{Knowledge, RoleContext, Target, Unknown};
use super::solver::slot::Slot;
use super::solver::{Clause, Literal, Values, holds};
use crate::policy::budget::Budget;
use crate::policy::comparison::{Comparison, Texts, date};
use crate::policy::condition::Condition;
use crate::policy::context_key::ContextKey;
use crate::policy::glob::{Glob, LetterCase};
use crate::policy::operator::Quantifier;
use crate::policy::pattern::ResourcePattern;
use crate::policy::reading::Reading;
use crate::policy::requirement::{IfPresent, Requirement};
use crate::policy::variable::{Meaning, Variable};
use crate::policy::{Effect, Statement};

/// The unknowns of the requests for one target, made as statements mention them.
#[derive(Clone)]
pub(super) struct Request<'a> {
    pub(super) role: &'a RoleContext<'a>,
    pub(super) target: Target,
    unknowns: Vec<Unknown>,
    /// The slot of each unknown.
    places: BTreeMap<Unknown, usize>,
    /// Condition keys that statements mention, in lower case and as written.
    spelled: BTreeMap<String, String>,
    pub(super) slots: Vec<Slot>,
    /// Values that the unknowns are assumed to have that variables stand for.
    assumed: Vec<(Unknown, Option<String>)>,
    /// Unknowns that a variable stands for and whose values are not assumed: these were read as anything.
    open: RefCell<Vec<Unknown>>,
    pub(super) budget: &'a Budget,
}

/// A statement as clauses over the unknowns.
pub(super) struct Translated {
    /// All of them have to hold: that an Allow matches, or that a Deny does not. None for an Allow that matches no
    /// request for the target.
    pub(super) clauses: Option<Vec<Clause>>,
    /// The unknowns that variables in the statement left open.
    pub(super) open: Vec<Unknown>,
}

impl Translated {
    /// Whether the clauses hold of these values.
    pub(super) fn hold(&self, values: &Values, budget: &Budget) -> bool {
        self.clauses.as_ref().is_some_and(|clauses| clauses.iter().all(|clause| holds(clause, values, budget)))
    }
}

/// The longest known value that an unknown one is derived from, in bytes.
const MOST_KNOWN: usize = 48;

/// A condition on the request, or what is left of it once the known keys are filled in.
enum Term {
    Settled(bool),
    /// All of them hold.
    All(Vec<Literal>),
    /// One of them holds.
    Any(Vec<Literal>),
}

impl<'a> Request<'a> {
    pub(super) fn new(
        role: &'a RoleContext<'a>,
        target: Target,
        assumed: Vec<(Unknown, Option<String>)>,
        budget: &'a Budget,
    ) -> Self {
        let mut request = Self {
            role,
            target,
            unknowns: Vec::new(),
            places: BTreeMap::new(),
            spelled: BTreeMap::new(),
            slots: Vec::new(),
            assumed,
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

    /// The same unknowns, with more values assumed of them.
    pub(super) fn assuming(&self, more: impl Iterator<Item = (Unknown, Option<String>)>) -> Self {
        let mut request = self.clone();
        request.assumed.extend(more);
        request
    }

    /// The first value that an unknown has.
    pub(super) fn value(&self, unknown: &Unknown, values: &Values) -> Option<String> {
        values.get(self.find_slot(unknown)?)?.first().map(str::to_owned)
    }

    pub(super) fn find_slot(&self, unknown: &Unknown) -> Option<usize> {
        self.places.get(unknown).copied()
    }

    pub(super) fn slot_of(&mut self, unknown: &Unknown) -> usize {
        if let Some(index) = self.find_slot(unknown) {
            return index;
        }
        // An instant that is not after the request's needs that one beside it.
        let now = match unknown {
            Unknown::Key(key) if key == "aws:tokenissuetime" => self.slot_of(&Unknown::Now),
            _ => 0,
        };
        self.slots.push(self.role.slot(&self.target, unknown, now));
        self.unknowns.push(unknown.clone());
        self.places.insert(unknown.clone(), self.slots.len() - 1);
        self.slots.len() - 1
    }

    /// What holds between the unknowns, beside what the statements ask: what belongs together, the values assumed, and
    /// that none of those excluded holds as a whole.
    pub(super) fn ties(&mut self, excluded: &[Vec<(Unknown, Option<String>)>]) -> Vec<Clause> {
        let assumed = self.assumed.clone();
        for (unknown, _) in assumed.iter().chain(excluded.iter().flatten()) {
            self.slot_of(unknown);
        }
        let key = |unknown: &Unknown| if let Unknown::Key(key) = unknown { Some(key.clone()) } else { None };
        let keys: Vec<String> = self.unknowns.iter().filter_map(key).collect();
        let mut clauses = Vec::new();
        for key in &keys {
            let slot = self.slot_of(&Unknown::Key(key.clone()));
            let name = key.strip_prefix("aws:").unwrap_or_default();
            // `aws:CalledVia…` comes only with a call that a service makes on somebody's behalf.
            if name.starts_with("calledvia") {
                let via = self.slot_of(&Unknown::Key("aws:viaawsservice".to_owned()));
                clauses.push(vec![vec![absent(slot)], vec![equals(via, "true", Quantifier::Value)]]);
            }
            // A request comes over the internet or through a VPC endpoint.
            if is_vpc_key(name) && keys.iter().any(|key| key == "aws:sourceip") {
                let source_ip = self.slot_of(&Unknown::Key("aws:sourceip".to_owned()));
                clauses.push(vec![vec![absent(slot)], vec![absent(source_ip)]]);
            }
            // The string that stands for all repositories is not one of them, and has no tags.
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
        let mut has = |(unknown, value): &(Unknown, Option<String>)| {
            let slot = self.slot_of(unknown);
            value.as_ref().map_or_else(|| absent(slot), |value| equals(slot, value, Quantifier::Value))
        };
        clauses.extend(assumed.iter().map(|value| vec![vec![has(value)]]));
        clauses.extend(excluded.iter().map(|all| all.iter().map(|value| vec![has(value).negated()]).collect()));
        clauses
    }

    /// That the resource is one of the role's own account.
    pub(super) fn own_account(&self) -> Option<Clause> {
        let slot = self.find_slot(&Unknown::Account)?;
        Some(vec![vec![equals(slot, self.role.account(), Quantifier::Value)]])
    }

    /// Makes clauses of a statement: under which it matches if it allows, under which it does not if it denies. The
    /// keys are those that it mentions.
    pub(super) fn translate(&mut self, statement: &Statement, keys: &[ContextKey], reading: Reading) -> Translated {
        self.meet(keys);
        self.open.get_mut().clear();
        let clauses = match statement.effect {
            Effect::Allow => self.matches(statement, reading),
            Effect::Deny => Some(self.escape(statement, reading)),
        };
        let mut open = std::mem::take(self.open.get_mut());
        open.sort_unstable();
        open.dedup();
        Translated { clauses, open }
    }

    /// Makes unknowns of the keys that a statement mentions, whether or not it then asks anything of them: a witness
    /// lists them all.
    fn meet(&mut self, keys: &[ContextKey]) {
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

    /// The clauses under which a statement matches; `None` if it matches no request for the target.
    fn matches(&mut self, statement: &Statement, reading: Reading) -> Option<Vec<Clause>> {
        let mut clauses = Vec::new();
        for condition in &statement.conditions {
            match self.condition(condition, reading) {
                Term::Settled(true) => {}
                Term::Settled(false) => return None,
                Term::All(literals) => clauses.extend(literals.into_iter().map(|literal| vec![vec![literal]])),
                Term::Any(literals) => clauses.push(literals.into_iter().map(|literal| vec![literal]).collect()),
            }
        }
        let patterns = &statement.resources.patterns;
        if statement.resources.negated {
            for cube in self.resources(patterns, reading.other()) {
                clauses.push(cube.into_iter().map(|literal| vec![literal.negated()]).collect());
            }
        } else {
            clauses.push(self.resources(patterns, reading));
        }
        // A cube without literals holds of every request, a clause without cubes of none.
        clauses.retain(|clause| !clause.iter().any(Vec::is_empty));
        if clauses.iter().any(Vec::is_empty) { None } else { Some(clauses) }
    }

    /// The clauses under which a statement does not match.
    fn escape(&mut self, statement: &Statement, reading: Reading) -> Vec<Clause> {
        let mut way_out: Clause = Vec::new();
        for condition in &statement.conditions {
            match self.condition(condition, reading) {
                Term::Settled(true) => {}
                Term::Settled(false) => return Vec::new(),
                Term::All(literals) => way_out.extend(literals.into_iter().map(|literal| vec![literal.negated()])),
                Term::Any(literals) => way_out.push(literals.into_iter().map(Literal::negated).collect()),
            }
        }
        let patterns = &statement.resources.patterns;
        if statement.resources.negated {
            // `NotResource: []` would deny everything, which nobody can have meant: doubt.
            if patterns.is_empty() && reading == Reading::Narrow {
                return Vec::new();
            }
            way_out.extend(self.resources(patterns, reading.other()));
            return if way_out.iter().any(Vec::is_empty) { Vec::new() } else { vec![way_out] };
        }
        self.resources(patterns, reading)
            .into_iter()
            .map(|cube| {
                way_out.iter().cloned().chain(cube.into_iter().map(|literal| vec![literal.negated()])).collect()
            })
            .collect()
    }

    fn condition(&mut self, condition: &Condition, reading: Reading) -> Term {
        let doubt = Term::Settled(reading == Reading::Wide);
        let key = condition.key.lower();
        let knowledge = self.role.knowledge(&self.target, key);
        if let Knowledge::Value(value) = &knowledge
            && let Some(literal) = self.condition_on_variable(condition, reading, value)
        {
            return Term::All(vec![literal]);
        }
        let several = matches!(&knowledge, Knowledge::Unknown(unknown) if RoleContext::is_multivalued(unknown));
        let requirement = {
            let own = |variable: &Variable| {
                let other = self.role.knowledge(&self.target, variable.key.lower());
                // One instant is written in two ways.
                let written_alike = !matches!(&other, Knowledge::Unknown(unknown) if is_instant(unknown))
                    || variable.key.lower() == key;
                if matches!(knowledge, Knowledge::Unknown(_)) && other == knowledge && !several && written_alike {
                    Meaning::Itself
                } else {
                    self.meaning(variable)
                }
            };
            condition.requirement(reading, &own)
        };
        let Some(mut requirement) = requirement else { return doubt };
        match knowledge {
            Knowledge::Absent => Term::Settled(requirement.holds(None, self.budget)),
            Knowledge::Value(value) => {
                let known = Some(std::slice::from_ref(&value));
                let of_arns =
                    !condition.holds_for_arns_only(reading) || requirement.arns_only().holds(known, self.budget);
                let holds = of_arns && requirement.holds(known, self.budget);
                // To a set operator an empty value may be a missing key: the documentation has it both ways.
                Term::Settled(if value.is_empty() && requirement.uses_set_operator() {
                    let missing = requirement.holds(None, self.budget);
                    if reading == Reading::Wide { holds || missing } else { holds && missing }
                } else {
                    holds
                })
            }
            Knowledge::Unknown(unknown) => {
                let slot = self.slot_of(&unknown);
                // To a set operator an empty value may be a missing key, as above.
                let may_be_missing = requirement.uses_set_operator() && !several;
                let if_missing = requirement.if_absent;
                if let IfPresent::Values { comparison, quantifier, positive: _ } = &mut requirement.if_present {
                    // Instants are kept as seconds; what is no comparison of instants sees them as requests carry them.
                    let of_instants = matches!(&**comparison, Comparison::Number { instants: true, .. });
                    if is_instant(&unknown) && !of_instants && key != "aws:epochtime" {
                        *comparison = Arc::new(Comparison::AsDate(Arc::clone(comparison)));
                    }
                    if several && *quantifier == Quantifier::Value {
                        // Without a set operator, how a key of several values is compared is not documented.
                        *quantifier = if reading == Reading::Wide { Quantifier::Any } else { Quantifier::All };
                    }
                }
                let arns = condition.holds_for_arns_only(reading).then(|| requirement.arns_only());
                let mut all = vec![Literal::new(slot, requirement)];
                let empty = || equals(slot, "", Quantifier::Value);
                if reading == Reading::Wide && if_missing && may_be_missing {
                    all.push(empty());
                    return Term::Any(all);
                }
                if reading == Reading::Narrow && !if_missing && may_be_missing {
                    all.push(empty().negated());
                }
                all.extend(arns.map(|arns| Literal::new(slot, arns)));
                Term::All(all)
            }
        }
    }

    /// A condition that compares a known value with an unknown one, by a variable: what it asks of the latter.
    ///
    /// Where the variable's value matters at all, it has to be a part of the known one, and these can be tried.
    fn condition_on_variable(&mut self, condition: &Condition, reading: Reading, known: &str) -> Option<Literal> {
        let open = condition.variables().find_map(|key| {
            let Knowledge::Unknown(unknown) = self.role.knowledge(&self.target, key.lower()) else {
                return None;
            };
            let several = RoleContext::is_multivalued(&unknown);
            let assumed = self.assumed.iter().any(|(other, _)| *other == unknown);
            (!several && !assumed && !is_instant(&unknown)).then_some(unknown)
        })?;
        let holds = |assumed: &Meaning| -> Option<bool> {
            let other_open = RefCell::new(false);
            let meaning = |variable: &Variable| match self.role.knowledge(&self.target, variable.key.lower()) {
                Knowledge::Absent => Meaning::Absent,
                Knowledge::Value(value) => Meaning::Text(value),
                Knowledge::Unknown(unknown) if unknown == open => assumed.clone(),
                Knowledge::Unknown(_) => {
                    other_open.replace(true);
                    Meaning::Anything
                }
            };
            let requirement = condition.requirement(reading, &meaning)?;
            (!other_open.into_inner()).then(|| requirement.holds(Some(&[known.to_owned()]), self.budget))
        };
        // All parts of the known value are tried: worth it for names and accounts, not for paths.
        if known.len() > MOST_KNOWN {
            return None;
        }
        let ends: Vec<usize> = known.char_indices().map(|(i, _)| i).chain([known.len()]).collect();
        self.budget.spend(ends.len() * ends.len() / 2 * condition.value_count()).ok()?;
        let absent = holds(&Meaning::Absent)?;
        let elsewhere = holds(&Meaning::Text(format!("{known}\u{0}")))?;
        let mut globs = Vec::new();
        for (i, start) in ends.iter().enumerate() {
            for end in ends.iter().skip(i) {
                let part = known.get(*start..*end)?;
                if holds(&Meaning::Text(part.to_owned()))? != elsewhere {
                    globs.push(Glob::literal(part));
                }
            }
        }
        let comparison = Arc::new(Comparison::Text(Texts::new(globs, condition.letter_case())));
        let if_present = IfPresent::Values { quantifier: Quantifier::Value, comparison, positive: !elsewhere };
        Some(Literal::new(self.slot_of(&open), Requirement { if_absent: absent, if_present }))
    }

    /// What a policy variable stands for.
    pub(super) fn meaning(&self, variable: &Variable) -> Meaning {
        let key = variable.key.lower();
        match self.role.knowledge(&self.target, key) {
            Knowledge::Absent => Meaning::Absent,
            Knowledge::Value(value) => Meaning::Text(value),
            Knowledge::Unknown(unknown) => match self.assumed.iter().find(|(known, _)| *known == unknown) {
                Some((_, Some(value))) => Meaning::Text(spell_value(key, &unknown, value)),
                Some((_, None)) => Meaning::Absent,
                None => {
                    // Variables of keys with several values have no documented meaning: anything, for good.
                    let form = self.role.form(&unknown).filter(|_| variable.default.is_none());
                    if !RoleContext::is_multivalued(&unknown) {
                        self.open.borrow_mut().push(unknown);
                    }
                    form.map_or(Meaning::Anything, |form| Meaning::Like(Glob::new(&form)))
                }
            },
        }
    }

    /// Adds keys that a statement mentions, with the values that the request has for them.
    pub(super) fn mention(&self, keys: &[ContextKey], values: &Values, context: &mut BTreeMap<String, Vec<String>>) {
        for key in keys {
            let (spelled, lower) = (key.as_written(), key.lower());
            self.mention_key(spelled, lower, values, context);
            // What `aws:TagKeys` has to hold is part of the request that has the tag.
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
                found.map(|found| found.iter().map(|value| spell_value(lower, &unknown, value)).collect())
            }
        };
        let Some(known) = known else { return };
        // Of several spellings of one key the first stands, whatever the order of the statements.
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

/// The keys that a statement mentions: in conditions and as variables.
pub(super) fn keys(statement: &Statement) -> Vec<ContextKey> {
    let mut keys = Vec::new();
    for condition in &statement.conditions {
        keys.push(condition.key.clone());
        keys.extend(condition.variables());
    }
    let patterns = statement.resources.patterns.iter();
    keys.extend(patterns.flat_map(ResourcePattern::variables).map(|variable| variable.key));
    keys
}

fn equals(slot: usize, value: &str, quantifier: Quantifier) -> Literal {
    // Names of tags ignore case in condition keys, and `aws:TagKeys` is the only set that is compared here.
    let letter_case = if quantifier == Quantifier::Any { LetterCase::Ignored } else { LetterCase::Exact };
    let texts = Texts::new(vec![Glob::literal(value)], letter_case);
    let if_present = IfPresent::Values { quantifier, comparison: Arc::new(Comparison::Text(texts)), positive: true };
    Literal::new(slot, Requirement { if_absent: false, if_present })
}

fn absent(slot: usize) -> Literal {
    Literal::new(slot, Requirement { if_absent: true, if_present: IfPresent::Holds(false) })
}

fn is_vpc_key(name: &str) -> bool {
    name.starts_with("vpce") || matches!(name, "sourcevpc" | "sourcevpce" | "vpcsourceip" | "sourcevpcarn")
}

fn is_instant(unknown: &Unknown) -> bool {
    *unknown == Unknown::Now || *unknown == Unknown::Key("aws:tokenissuetime".to_owned())
}

/// The value of a key as requests carry it: instants are kept as seconds, and all but `aws:EpochTime` are dates.
fn spell_value(key: &str, unknown: &Unknown, value: &str) -> String {
    let spelled = match (is_instant(unknown), key) {
        (true, "aws:epochtime") => value.parse::<i64>().ok().map(|seconds| seconds.to_string()),
        (true, _) => date(value),
        (false, _) => None,
    };
    spelled.unwrap_or_else(|| value.to_owned())
}
