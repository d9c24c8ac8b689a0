//! Resource patterns: their shapes, and what they ask of the unknown parts of a request's resource.
//!
//! Knows how a pattern with fewer than six fields is read, and where wildcards and variables have no place. Knows nothing
//! of conditions.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Resource".

use std::sync::Arc;

use super::catalogue::{ResourceType, Service};
use super::context::Unknown;
use super::request::Request;
use super::solver::{Cube, Literal, Values};
use crate::policy::comparison::{Comparison, Texts};
use crate::policy::glob::{Glob, LetterCase};
use crate::policy::operator::Quantifier;
use crate::policy::pattern::ResourcePattern;
use crate::policy::reading::Reading;
use crate::policy::requirement::{IfPresent, Requirement};
use crate::policy::variable::{Token, resolve};

/// How many symbols of a pattern are read in the time of a step of the budget.
const SYMBOLS_PER_STEP: usize = 8;

/// The parts of an ARN that are unknown, with the patterns that each has to match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct ArnTerms {
    region: Vec<Glob>,
    account: Vec<Glob>,
    resource: Vec<Glob>,
}

/// A pattern of six fields.
pub(super) type SixFields<'t> = Vec<&'t str>;

/// Wildcards in the resource type are documented as not allowed, `*` for the whole resource aside: doubt. So are
/// variables there.
pub(super) fn has_doubtful_type(resource: &str) -> bool {
    let everything = resource.bytes().all(|c| c == b'*');
    !everything && resource.split('/').next().is_some_and(|kind| kind.contains(['*', '?']) || kind.contains("${"))
}

/// A pattern as patterns of six fields: alternatives, each of one or more patterns that all have to match.
///
/// A pattern of more fields matches nothing. One of fewer is completed with `*`; but a `*` that ends a field may
/// also run over colons, and which of the two IAM does is not documented: the wide reading takes either, the
/// narrow one both.
pub(super) fn six_fields(fields: Vec<&str>, reading: Reading) -> Vec<Vec<SixFields<'_>>> {
    let star = || "*";
    let missing = match 6_usize.checked_sub(fields.len()) {
        None => return Vec::new(),
        Some(0) => return vec![vec![fields]],
        Some(missing) => missing,
    };
    let mut run_on: Vec<SixFields<'_>> = vec![Vec::new()];
    for field in &fields {
        let may_run = field.ends_with('*');
        let mut longer = Vec::new();
        for start in run_on {
            for extra in 0..=(if may_run { missing } else { 0 }) {
                let mut next = start.clone();
                next.push(*field);
                next.extend(std::iter::repeat_with(star).take(extra));
                longer.push(next);
            }
        }
        run_on = longer;
    }
    run_on.retain(|fields| fields.len() == 6);
    let mut completed = fields;
    completed.extend(std::iter::repeat_with(star).take(missing));
    match reading {
        _ if run_on.is_empty() || (reading == Reading::Narrow && run_on.contains(&completed)) => vec![vec![completed]],
        Reading::Narrow => run_on.into_iter().map(|fields| vec![completed.clone(), fields]).collect(),
        Reading::Wide => {
            let mut all = vec![completed];
            all.extend(run_on);
            all.dedup();
            all.into_iter().map(|fields| vec![fields]).collect()
        }
    }
}

impl Request<'_> {
    /// The cubes under which one of the patterns matches the request's resource.
    pub(super) fn resources(&mut self, patterns: &[ResourcePattern], reading: Reading) -> Vec<Cube> {
        if patterns.iter().any(ResourcePattern::is_everything) {
            return vec![Vec::new()];
        }
        if self.target.resource == ResourceType::None {
            let matched = patterns.iter().any(|pattern| self.matches_star(pattern, reading));
            return if matched { vec![Vec::new()] } else { Vec::new() };
        }
        // Patterns that differ in the last field only are one union of globs.
        let mut merged: Vec<(ArnTerms, Vec<Vec<Glob>>)> = Vec::new();
        let prefix = self.target.service.prefix();
        for pattern in patterns.iter().filter(|pattern| !pattern.is_for_other_service(prefix)) {
            for mut terms in self.arn_terms(pattern, reading) {
                let resource = std::mem::take(&mut terms.resource);
                match merged.iter_mut().find(|(place, _)| *place == terms) {
                    Some((_, resources)) => resources.push(resource),
                    None => merged.push((terms, vec![resource])),
                }
            }
        }
        let mut cubes = Vec::new();
        for (place, resources) in merged {
            let mut base = Vec::new();
            for (unknown, globs) in [(Unknown::Region, place.region), (Unknown::Account, place.account)] {
                let slot = self.slot_of(&unknown);
                base.extend(globs.into_iter().map(|glob| text(slot, vec![glob])));
            }
            let slot = self.slot_of(&Unknown::Resource);
            if resources.iter().any(Vec::is_empty) {
                cubes.push(base);
                continue;
            }
            let (single, several): (Vec<_>, Vec<_>) = resources.into_iter().partition(|globs| globs.len() == 1);
            let union: Vec<Glob> = single.into_iter().flatten().collect();
            if !union.is_empty() {
                let mut cube = base.clone();
                cube.push(text(slot, union));
                cubes.push(cube);
            }
            for globs in several {
                let mut cube = base.clone();
                cube.extend(globs.into_iter().map(|glob| text(slot, vec![glob])));
                cubes.push(cube);
            }
        }
        cubes
    }

    /// Whether the pattern matches the literal `*`, on which actions without resource type are requested.
    fn matches_star(&self, pattern: &ResourcePattern, reading: Reading) -> bool {
        let fields = pattern.fields();
        let [field] = fields.as_slice() else { return false };
        self.glob(pattern, field, reading).is_some_and(|glob| glob.matches("*"))
    }

    /// What a pattern asks of the unknown parts of the request's ARN; several alternatives, or none.
    fn arn_terms(&self, pattern: &ResourcePattern, reading: Reading) -> Vec<ArnTerms> {
        self.budget.charge(1 + pattern.as_str().len() / SYMBOLS_PER_STEP);
        let mut alternatives = Vec::new();
        for patterns in six_fields(pattern.fields(), reading) {
            let mut terms = ArnTerms::default();
            if patterns.iter().all(|fields| self.add_terms(pattern, fields, reading, &mut terms)) {
                alternatives.push(terms);
            }
        }
        alternatives
    }

    /// Adds what a pattern asks, taken as these six fields; false if it matches no ARN of the target.
    fn add_terms(
        &self,
        pattern: &ResourcePattern,
        fields: &SixFields<'_>,
        reading: Reading,
        terms: &mut ArnTerms,
    ) -> bool {
        let [arn, partition, service, region, account, resource] = fields.as_slice() else { return false };
        // Variables have meaning in the last field only; AWS's own policies also use one for the account.
        let plain = |field: &str| {
            let tokens = if pattern.has_variables() { pattern.tokens_of(field) } else { Vec::new() };
            let variable = tokens.iter().any(|token| matches!(token, Token::Variable(_)));
            if variable { None } else { self.glob(pattern, field, reading) }
        };
        let known = |field: &str, value: &str| field == value || plain(field).is_some_and(|glob| glob.matches(value));
        if !known(arn, "arn")
            || !known(partition, self.role.partition())
            || !known(service, self.target.service.prefix())
        {
            return false;
        }
        let Some(region) = plain(region) else { return false };
        let account = if reading == Reading::Wide { self.glob(pattern, account, reading) } else { plain(account) };
        let Some(account) = account else { return false };
        if reading == Reading::Narrow && has_doubtful_type(resource) {
            return false;
        }
        let Some(resource) = self.glob(pattern, resource, reading) else { return false };
        match self.target.service {
            Service::Ecr => push(&mut terms.region, region),
            // The ARNs of ECR Public have no region.
            Service::EcrPublic if !region.matches("") => return false,
            Service::EcrPublic => {}
        }
        push(&mut terms.account, account);
        push(&mut terms.resource, resource);
        true
    }

    /// One field of a pattern, with what variables in it stand for.
    fn glob(&self, pattern: &ResourcePattern, field: &str, reading: Reading) -> Option<Glob> {
        if !pattern.has_variables() {
            return Some(Glob::new(field));
        }
        resolve(&pattern.tokens_of(field), reading, &|variable| self.meaning(variable))
    }

    /// The ARN that the values give the request's resource; `*` for a target without resource.
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
}

fn push(globs: &mut Vec<Glob>, glob: Glob) {
    if !glob.is_everything() && !globs.contains(&glob) {
        globs.push(glob);
    }
}

fn text(slot: usize, globs: Vec<Glob>) -> Literal {
    let comparison = Arc::new(Comparison::Text(Texts::new(globs, LetterCase::Exact)));
    let if_present = IfPresent::Values { quantifier: Quantifier::Value, comparison, positive: true };
    Literal::new(slot, Requirement { if_absent: false, if_present })
}
