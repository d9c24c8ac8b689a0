//! Resource patterns as cubes over the unknown parts of a request's ARN.
//!
//! Knows how a pattern with fewer than six fields is read, and where wildcards and variables are not permitted. Knows
//! nothing of conditions.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Resource".

use super::catalogue::{ResourceType, Service};
use super::context::{Knowledge, Unknown};
use super::request::{Request, absent, matches_one};
use super::solver::Cube;
use crate::policy::glob::Glob;
use crate::policy::pattern::ResourcePattern;
use crate::policy::reading::Reading;
use crate::policy::variable::{Meaning, Token, Variable, resolve};

/// How many characters of a pattern cost one step of the budget.
const SYMBOLS_PER_STEP: usize = 8;

/// The unknown parts of an ARN, each with the globs that all have to match it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct ArnTerms {
    region: Vec<Glob>,
    account: Vec<Glob>,
    resource: Vec<Glob>,
}

/// A pattern of six fields.
pub(super) type SixFields<'t> = Vec<&'t str>;

/// Whether the resource type contains a wildcard or a variable. AWS documents that it may not, except for `*` as the
/// whole resource. So it is open whether such a pattern matches.
pub(super) fn has_doubtful_type(resource: &str) -> bool {
    let everything = resource.bytes().all(|c| c == b'*');
    !everything && resource.split('/').next().is_some_and(|kind| kind.contains(['*', '?']) || kind.contains("${"))
}

/// A pattern as patterns of six fields: a list of alternatives, each a list of patterns that all have to match.
///
/// A pattern with more fields matches nothing. One with fewer fields may be completed with `*`, or a `*` at the end of a
/// field may match colons too. AWS does not document which: in the wide reading one of them has to match, in the narrow
/// reading both.
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

/// The cubes under which one of the patterns matches the request's resource.
pub(super) fn resource_cubes(request: &mut Request<'_>, patterns: &[ResourcePattern], reading: Reading) -> Vec<Cube> {
    if patterns.iter().any(|pattern| pattern.is_everything() || becomes_everything(request, pattern, reading)) {
        return vec![Vec::new()];
    }
    if request.target.resource == ResourceType::None {
        let matched = patterns.iter().any(|pattern| matches_star(request, pattern, reading));
        return if matched { vec![Vec::new()] } else { Vec::new() };
    }
    // Patterns that differ only in the last field become one union of globs.
    let mut merged: Vec<(ArnTerms, Vec<Vec<Glob>>)> = Vec::new();
    let prefix = request.target.service.prefix();
    for pattern in patterns.iter().filter(|pattern| !pattern.is_for_other_service(prefix)) {
        for mut terms in arn_terms(request, pattern, reading) {
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
            let slot = request.slot_of(&unknown);
            base.extend(globs.into_iter().map(|glob| matches_one(slot, vec![glob])));
        }
        let slot = request.slot_of(&Unknown::Resource);
        if resources.iter().any(Vec::is_empty) {
            cubes.push(base);
            continue;
        }
        let (single, several): (Vec<_>, Vec<_>) = resources.into_iter().partition(|globs| globs.len() == 1);
        let union: Vec<Glob> = single.into_iter().flatten().collect();
        if !union.is_empty() {
            let mut cube = base.clone();
            cube.push(matches_one(slot, union));
            cubes.push(cube);
        }
        for globs in several {
            let mut cube = base.clone();
            cube.extend(globs.into_iter().map(|glob| matches_one(slot, vec![glob])));
            cubes.push(cube);
        }
    }
    cubes
}

/// The cubes under which a variable in one of the patterns has neither a value nor a default.
///
/// AWS does not document what such an entry of `NotResource` does. It may exclude nothing, or the statement may not match.
pub(super) fn unresolved_cubes(request: &mut Request<'_>, patterns: &[ResourcePattern]) -> Vec<Cube> {
    let variables = patterns.iter().flat_map(ResourcePattern::variables);
    let mut cubes = Vec::new();
    for variable in variables.filter(|variable| variable.default.is_none()) {
        match request.role.knowledge(&request.target, variable.key.lower()) {
            Knowledge::Value(_) => {}
            Knowledge::Absent => cubes.push(Vec::new()),
            // Variables are for keys with a single value.
            Knowledge::Unknown(unknown) if unknown.is_multivalued() => cubes.push(Vec::new()),
            Knowledge::Unknown(unknown) => cubes.push(vec![absent(request.slot_of(&unknown))]),
        }
    }
    cubes
}

/// Whether the pattern is `*` once its variables are replaced.
fn becomes_everything(request: &Request<'_>, pattern: &ResourcePattern, reading: Reading) -> bool {
    // The values of other unknowns are names and ids: not empty, and without stars.
    let meaning = |variable: &Variable| match request.role.knowledge(&request.target, variable.key.lower()) {
        Knowledge::Unknown(_) if variable.default.is_none() => Meaning::Text("x".to_owned()),
        _ => request.meaning(variable),
    };
    let becomes = |glob: Glob| glob.is_everything();
    pattern.has_variables()
        && pattern.fields().len() == 1
        && resolve(&pattern.tokens_of(pattern.as_str()), reading, &meaning).is_some_and(becomes)
}

/// Whether the pattern matches the literal `*`, the resource of actions without resource type.
fn matches_star(request: &Request<'_>, pattern: &ResourcePattern, reading: Reading) -> bool {
    let fields = pattern.fields();
    let [field] = fields.as_slice() else { return false };
    // AWS does not document variables in an entry that is not an ARN.
    if pattern.has_variables() && reading == Reading::Narrow {
        return false;
    }
    field_glob(request, pattern, field, reading).is_some_and(|glob| glob.matches("*"))
}

/// What a pattern requires of the unknown parts of the request's ARN; one entry for each alternative.
fn arn_terms(request: &Request<'_>, pattern: &ResourcePattern, reading: Reading) -> Vec<ArnTerms> {
    request.budget.charge(1 + pattern.as_str().len() / SYMBOLS_PER_STEP);
    let mut alternatives = Vec::new();
    for patterns in six_fields(pattern.fields(), reading) {
        let mut terms = ArnTerms::default();
        if patterns.iter().all(|fields| add_terms(request, pattern, fields, reading, &mut terms)) {
            alternatives.push(terms);
        }
    }
    alternatives
}

/// Adds what a pattern requires if it has these six fields; false if it matches no ARN of the target.
fn add_terms(
    request: &Request<'_>,
    pattern: &ResourcePattern,
    fields: &SixFields<'_>,
    reading: Reading,
    terms: &mut ArnTerms,
) -> bool {
    let [arn, partition, service, region, account, resource] = fields.as_slice() else { return false };
    // Variables are documented for the last field only. AWS's own policies also have one for the account.
    let plain = |field: &str| {
        if !pattern.has_variables() {
            return Some(Glob::new(field));
        }
        let tokens = pattern.tokens_of(field);
        let has_variable = tokens.iter().any(|token| matches!(token, Token::Variable(..)));
        if has_variable { None } else { resolve(&tokens, reading, &|variable| request.meaning(variable)) }
    };
    let known = |field: &str, value: &str| field == value || plain(field).is_some_and(|glob| glob.matches(value));
    if !known(arn, "arn")
        || !known(partition, request.role.partition())
        || !known(service, request.target.service.prefix())
    {
        return false;
    }
    let Some(region) = plain(region) else { return false };
    let account =
        if reading == Reading::Wide { field_glob(request, pattern, account, reading) } else { plain(account) };
    let Some(account) = account else { return false };
    if reading == Reading::Narrow && has_doubtful_type(resource) {
        return false;
    }
    let Some(resource) = field_glob(request, pattern, resource, reading) else { return false };
    match request.target.service {
        Service::Ecr => push(&mut terms.region, region),
        // The ARNs of ECR Public have no region.
        Service::EcrPublic if !region.matches("") => return false,
        Service::EcrPublic => {}
    }
    push(&mut terms.account, account);
    push(&mut terms.resource, resource);
    true
}

/// The glob of one field of a pattern, with the values that variables in it stand for.
fn field_glob(request: &Request<'_>, pattern: &ResourcePattern, field: &str, reading: Reading) -> Option<Glob> {
    if !pattern.has_variables() {
        return Some(Glob::new(field));
    }
    resolve(&pattern.tokens_of(field), reading, &|variable| request.meaning(variable))
}

fn push(globs: &mut Vec<Glob>, glob: Glob) {
    if !glob.is_everything() && !globs.contains(&glob) {
        globs.push(glob);
    }
}
