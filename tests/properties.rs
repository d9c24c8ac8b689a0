//! Properties of every verdict, tested on generated roles: rewriting that changes no decision, and additions that can
//! only remove or only add permissions.
//!
//! An undecided action counts as permitted. `PROPERTY_ROLES` (default 60, for each property) and `PROPERTY_FIRST_SEED`
//! (default 7) choose the size. A failure prints the role's seed.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::sync::Arc;

use crate::support::generate::account::themed_role;
use crate::support::generate::probe::{Interest, probe};
use crate::support::generate::{Home, Rng, Style, statements};
use crate::support::naive::catalogue::catalogue as naive_catalogue;
use crate::support::naive::request::well_formed;
use crate::support::naive::{Judge, Request, RoleDocs};
use crate::support::oracle::role_of;
use ecr_read_only::access::catalogue::Action;
use ecr_read_only::access::{
    AllowedAccess, Assumption, Compliance, Criteria, Decision, GrantKind, Permissions, Refusal, Role, catalogue, judge,
    permissions, refusals,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// 2027-01-15T08:00:00Z, the time of evaluation.
const AT: i64 = 1_800_000_000;

const ASSOCIATION: &str = "arn:aws:eks:us-east-1:111122223333:podidentityassociation/shop/a-1example";

fn at() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(AT).unwrap()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The generated role of a seed, with its documents as JSON trees.
fn docs(seed: u64) -> RoleDocs {
    themed_role(seed)
}

fn role(docs: &RoleDocs) -> Role {
    role_of(docs, Value::to_string)
}

fn decide(docs: &RoleDocs) -> Permissions {
    permissions(&role(docs), at())
}

/// Every action with its decision. Actions that the catalogue does not know are in lower case.
fn decisions(permissions: &Permissions) -> impl Iterator<Item = (String, &Decision)> {
    let catalogued = catalogue::actions().iter().map(|action| action.full_name.to_owned()).zip(&permissions.catalogued);
    catalogued.chain(permissions.unknown.iter().map(|(name, decision)| (name.to_lowercase(), decision)))
}

/// The actions that are permitted or undecided.
fn may(permissions: &Permissions) -> BTreeSet<String> {
    let refused = |decision: &Decision| matches!(decision, Decision::Refused);
    decisions(permissions).filter(|(_, decision)| !refused(decision)).map(|(name, _)| name).collect()
}

/// The decisions without witnesses.
fn verdicts(permissions: &Permissions) -> Vec<(String, String)> {
    let word = |decision: &Decision| match decision {
        Decision::Permitted(_) => "permitted".to_owned(),
        Decision::Refused => "refused".to_owned(),
        Decision::Undecided => "undecided".to_owned(),
    };
    decisions(permissions).map(|(name, decision)| (name, word(decision))).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(one: &[T], other: &[T]) -> Result<(), String> {
    if one == other {
        return Ok(());
    }
    let differing: Vec<_> = one.iter().zip(other).filter(|(one, other)| one != other).take(3).collect();
    Err(format!("{} and {} decisions, differing in {differing:?}", one.len(), other.len()))
}

fn within(smaller: &BTreeSet<String>, larger: &BTreeSet<String>) -> Result<(), String> {
    let more: Vec<&String> = smaller.difference(larger).collect();
    if more.is_empty() { Ok(()) } else { Err(format!("{more:?}")) }
}

/// Tests the property on the roles of some seeds.
fn for_roles(property: impl Fn(&RoleDocs, &mut Rng) -> Result<(), String>) {
    let (first, count) = (setting("PROPERTY_FIRST_SEED", 7), setting("PROPERTY_ROLES", 60));
    let mut failures = Vec::new();
    for seed in first..first + count {
        let mut rng = Rng::new(seed ^ 0x0dd5);
        failures.extend(property(&docs(seed), &mut rng).err().map(|problem| format!("seed {seed}: {problem}")));
    }
    let shown = failures.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} roles:\n{shown}", failures.len());
}

fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for i in (1..items.len()).rev() {
        items.swap(i, rng.below(i + 1));
    }
}

/// The documents of all policies.
fn documents(docs: &mut RoleDocs) -> impl Iterator<Item = &mut (String, Value)> {
    docs.policies.iter_mut().chain(&mut docs.boundary).chain(&mut docs.session)
}

/// The statements of a document. A single statement becomes a list.
fn statements_of(document: &mut Value) -> &mut Vec<Value> {
    let statements = &mut document["Statement"];
    if !statements.is_array() {
        *statements = Value::Array(vec![statements.take()]);
    }
    statements.as_array_mut().unwrap()
}

/// The value as a list.
fn listed(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// A generated document with resources of the role's partition.
fn more_statements(rng: &mut Rng, docs: &RoleDocs) -> Value {
    let partition = docs.arn.split(':').nth(1).unwrap_or_default();
    let style = Style::by_chance(rng);
    statements::document(rng, style, Home::of(partition), false)
}

/// The role with one more policy, or with more statements in one of its policies. All new statements have this effect.
fn with_more(rng: &mut Rng, docs: &RoleDocs, effect: &str) -> RoleDocs {
    let mut docs = docs.clone();
    let mut document = more_statements(rng, &docs);
    for statement in statements_of(&mut document) {
        statement["Effect"] = effect.into();
    }
    if rng.chance(50) {
        let at = rng.below(docs.policies.len() + 1);
        docs.policies.insert(at, ("more".to_owned(), document));
    } else {
        let mut places: Vec<_> = documents(&mut docs).collect();
        let at = rng.below(places.len());
        let statements = statements_of(&mut places[at].1);
        for statement in statements_of(&mut document) {
            statements.insert(rng.below(statements.len() + 1), statement.take());
        }
    }
    docs
}

fn percent_encoded(text: &str, plain: impl Fn(u8) -> bool, upper: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match (plain(byte), upper) {
            (true, _) => encoded.push(char::from(byte)),
            (false, true) => write!(encoded, "%{byte:02X}").unwrap(),
            (false, false) => write!(encoded, "%{byte:02x}").unwrap(),
        }
    }
    encoded
}

/// The identity-based policies, the boundary and the session policy, in this order.
fn layer(kind: GrantKind) -> u8 {
    match kind {
        GrantKind::Inline | GrantKind::Managed => 0,
        GrantKind::Boundary => 1,
        GrantKind::Session => 2,
    }
}

#[test]
fn order_of_policies_and_lists_changes_no_decision() {
    for_roles(|docs, rng| {
        let mut shuffled = docs.clone();
        shuffle(rng, &mut shuffled.policies);
        shuffle(rng, &mut shuffled.tags);
        // For each document, the earlier place of each statement.
        let mut places: Vec<(String, u8, Vec<usize>)> = Vec::new();
        let name_of = |policy: &Option<(String, Value)>| policy.as_ref().map(|(name, _)| name.clone());
        let (boundary, session) = (name_of(&shuffled.boundary), name_of(&shuffled.session));
        for (name, document) in documents(&mut shuffled) {
            let statements = statements_of(document);
            let mut numbered: Vec<(usize, Value)> = statements.drain(..).enumerate().collect();
            shuffle(rng, &mut numbered);
            for (_, statement) in &mut numbered {
                for element in ["Action", "NotAction", "Resource", "NotResource"] {
                    if let Some(Value::Array(items)) = statement.get_mut(element) {
                        shuffle(rng, items);
                    }
                }
                for keys in statement.get_mut("Condition").and_then(Value::as_object_mut).into_iter().flatten() {
                    for values in keys.1.as_object_mut().unwrap().values_mut() {
                        if let Value::Array(items) = values {
                            shuffle(rng, items);
                        }
                    }
                }
            }
            let (order, shuffled): (Vec<usize>, Vec<Value>) = numbered.into_iter().unzip();
            *statements = shuffled;
            let here = Some(&*name);
            let layer = if here == boundary.as_ref() { 1 } else { 2 * u8::from(here == session.as_ref()) };
            places.push((name.clone(), layer, order));
        }
        let before = decide(docs);
        let mut after = decide(&shuffled);
        let unknown = after.unknown.iter_mut().map(|(_, decision)| decision);
        for decision in after.catalogued.iter_mut().chain(unknown) {
            if let Decision::Permitted(witness) = decision {
                let witness = Arc::make_mut(witness);
                let assumed = witness.assumed.iter_mut().filter_map(|assumption| match assumption {
                    Assumption::Statement { statement, .. } => Some(statement),
                    Assumption::Context { .. } => None,
                });
                for grant in witness.grants.iter_mut().chain(assumed) {
                    let place =
                        |(name, of, _): &&(String, u8, Vec<usize>)| *name == grant.policy && *of == layer(grant.kind);
                    grant.statement = places.iter().find(place).unwrap().2[grant.statement];
                }
                witness.assumed.sort_unstable();
                witness.grants.sort_unstable_by(|a, b| (layer(a.kind), a).cmp(&(layer(b.kind), b)));
            }
        }
        same(&before.catalogued, &after.catalogued)?;
        same(&before.unknown, &after.unknown)
    });
}

#[test]
fn second_decision_has_the_same_bytes() {
    for_roles(|docs, _| {
        let at = OffsetDateTime::from_unix_timestamp(AT).unwrap();
        let bytes = || serde_json::to_string(&judge(&role(docs), &Criteria::default(), at)).unwrap();
        let (one, other) = (bytes(), bytes());
        if one == other { Ok(()) } else { Err(format!("{one}\n{other}")) }
    });
}

#[test]
fn percent_encoding_changes_no_decision() {
    for_roles(|docs, rng| {
        let plain = decide(docs);
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        let (upper, all) = (rng.chance(50), rng.chance(30));
        let encode = |value: &Value| percent_encoded(&value.to_string(), |byte| !all && unreserved(byte), upper);
        let encoded = permissions(&role_of(docs, encode), at());
        same(&plain.catalogued, &encoded.catalogued)?;
        same(&plain.unknown, &encoded.unknown)
    });
}

#[test]
fn letter_case_of_actions_changes_no_decision() {
    for_roles(|docs, rng| {
        let mut changed = docs.clone();
        for (_, document) in documents(&mut changed) {
            for statement in statements_of(document) {
                for element in ["Action", "NotAction"] {
                    let Some(actions) = statement.get_mut(element) else { continue };
                    let mut turn = |c: char| {
                        if rng.chance(50) { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
                    };
                    let texts: Vec<String> = listed(actions)
                        .iter()
                        .map(|action| action.as_str().unwrap().chars().map(&mut turn).collect())
                        .collect();
                    *actions = json!(texts);
                }
            }
        }
        same(&verdicts(&decide(docs)), &verdicts(&decide(&changed)))
    });
}

#[test]
fn additional_deny_adds_no_permission() {
    for_roles(|docs, rng| {
        let after = with_more(rng, docs, "Deny");
        within(&may(&decide(&after)), &may(&decide(docs)))
    });
}

#[test]
fn additional_allow_removes_no_permission() {
    for_roles(|docs, rng| {
        let after = with_more(rng, docs, "Allow");
        within(&may(&decide(docs)), &may(&decide(&after)))
    });
}

#[test]
fn boundary_adds_no_permission() {
    for_roles(|docs, rng| {
        let mut bounded = docs.clone();
        let mut free = docs.clone();
        free.boundary = None;
        if bounded.boundary.is_none() {
            bounded.boundary = Some(("arn:aws:iam::111122223333:policy/bound".to_owned(), more_statements(rng, docs)));
        }
        within(&may(&decide(&bounded)), &may(&decide(&free)))
    });
}

#[test]
fn boundary_that_allows_everything_changes_no_decision() {
    for_roles(|docs, _| {
        let mut free = docs.clone();
        free.boundary = None;
        let mut bounded = docs.clone();
        bounded.boundary = Some(("arn:aws:iam::aws:policy/AdministratorAccess".to_owned(), everything()));
        same(&verdicts(&decide(&free)), &verdicts(&decide(&bounded)))
    });
}

/// A document that allows everything.
fn everything() -> Value {
    json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } })
}

/// The role with a generated session policy.
fn with_session(rng: &mut Rng, docs: &RoleDocs) -> RoleDocs {
    RoleDocs { session: Some((ASSOCIATION.to_owned(), more_statements(rng, docs))), ..docs.clone() }
}

#[test]
fn session_policy_adds_no_permission() {
    for_roles(|docs, rng| {
        // Both have a session policy, so that the context is the same.
        let session = Some((ASSOCIATION.to_owned(), everything()));
        let free = RoleDocs { session, ..docs.clone() };
        within(&may(&decide(&with_session(rng, docs))), &may(&decide(&free)))
    });
}

#[test]
fn session_policy_decides_as_a_boundary_does() {
    for_roles(|docs, rng| {
        // Both have a session policy, so that the context is the same.
        let session = with_session(rng, docs);
        let mut swapped = session.clone();
        std::mem::swap(&mut swapped.boundary, &mut swapped.session);
        swapped.session.get_or_insert((ASSOCIATION.to_owned(), everything()));
        // The budget may end at different places.
        let (session, swapped) = (may(&decide(&session)), may(&decide(&swapped)));
        within(&session, &swapped).and(within(&swapped, &session))
    });
}

#[test]
fn statement_split_into_parts_changes_no_decision() {
    for_roles(|docs, _| {
        let mut split = docs.clone();
        for (_, document) in documents(&mut split) {
            let statements = statements_of(document);
            for statement in std::mem::take(statements) {
                let mut parts = vec![statement];
                for element in ["Action", "Resource"] {
                    parts = parts
                        .into_iter()
                        .flat_map(|part| {
                            let Some(items) = part.get(element).map(listed) else { return vec![part] };
                            let with = |item| {
                                let mut one = part.clone();
                                one[element] = item;
                                one
                            };
                            items.into_iter().map(with).collect()
                        })
                        .collect();
                }
                statements.extend(parts);
            }
        }
        // More statements cost more of the budget, so that an action may become undecided.
        let (before, after) = (may(&decide(docs)), may(&decide(&split)));
        within(&before, &after)?;
        within(&after, &before)
    });
}

#[test]
fn statements_on_other_services_change_no_decision() {
    for_roles(|docs, rng| {
        let mut more = docs.clone();
        let others = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["s3:*", "ec2:Describe*"], "Resource": "*" },
            { "Effect": "Deny", "Action": "s3:Delete*", "NotResource": "arn:aws:s3:::scratch/*" },
            { "Effect": "Deny", "Action": "iam:*", "Resource": "*",
              "Condition": { "StringNotEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } } },
        ] });
        let at = rng.below(more.policies.len() + 1);
        more.policies.insert(at, ("others".to_owned(), others));
        let (before, after) = (decide(docs), decide(&more));
        same(&before.catalogued, &after.catalogued)?;
        same(&before.unknown, &after.unknown)
    });
}

#[test]
fn case_witnesses_are_allowed_by_the_naive_evaluator() {
    let actions = naive_catalogue(&serde_json::from_str(include_str!("support/catalogue.json")).unwrap()).unwrap();
    let ec2 = json!({ "Statement":
        { "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" } });
    let (mut witnesses, mut failures) = (0, Vec::new());
    let mut files: Vec<_> = fs::read_dir("tests/cases").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        for case in cases {
            let given = &case["role"];
            let policies: Vec<Value> = given["policies"].as_array().unwrap().clone();
            // Cases about text and about errors in documents have no decisions to compare.
            if policies.iter().any(Value::is_string) || case["expect"].get("error").is_some() {
                continue;
            }
            let tags = given["tags"].as_object().into_iter().flatten();
            let docs = RoleDocs {
                arn: given["arn"].as_str().unwrap_or("arn:aws:iam::123456789012:role/node").to_owned(),
                id: "AROAEXAMPLEEXAMPLE123".to_owned(),
                tags: tags.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect(),
                trust: given.get("trust").unwrap_or(&ec2).clone(),
                policies: policies.into_iter().enumerate().map(|(i, one)| (format!("inline-{i}"), one)).collect(),
                boundary: given
                    .get("boundary")
                    .map(|document| ("arn:aws:iam::aws:policy/bound".into(), document.clone())),
                session: given.get("session").map(|document| (ASSOCIATION.to_owned(), document.clone())),
            };
            let at = given["at"].as_str().unwrap_or("2026-11-23T00:00:00Z");
            let at = OffsetDateTime::parse(at, &Rfc3339).unwrap();
            let judge = Judge::new(&docs).unwrap();
            let decided = permissions(&role(&docs), at);
            for (action, decision) in catalogue::actions().iter().zip(&decided.catalogued) {
                let Decision::Permitted(witness) = decision else { continue };
                witnesses += 1;
                let request = Request {
                    action: action.full_name.to_owned(),
                    resource: witness.resource.clone(),
                    context: witness.context.clone(),
                };
                let sound = well_formed(&docs, &request, &actions, at.unix_timestamp());
                let sound = sound.and_then(|()| judge.allowed(&request));
                if !sound.as_ref().is_ok_and(|answer| answer.allowed) {
                    failures.push(format!("{}: {request:?}: {sound:?}", case["name"]));
                    break;
                }
            }
        }
    }
    assert!(witnesses > 1000, "{witnesses} witnesses");
    assert!(failures.is_empty(), "{} cases:\n{}", failures.len(), failures.join("\n"));
}

/// The role without these statements.
fn without(docs: &RoleDocs, leave_out: impl Fn(&str, usize, &Value) -> bool) -> RoleDocs {
    let mut rest = docs.clone();
    for (name, document) in documents(&mut rest) {
        let statements = match document["Statement"].take() {
            Value::Array(statements) => statements,
            one => vec![one],
        };
        let kept = statements.into_iter().enumerate().filter(|(i, statement)| !leave_out(name, *i, statement));
        document["Statement"] = kept.map(|(_, statement)| statement).collect();
    }
    rest
}

/// The role with this statement alone, in an identity-based policy.
fn alone(docs: &RoleDocs, policy: &str, place: usize) -> RoleDocs {
    let mut all = docs.clone();
    let (_, document) = documents(&mut all).find(|(name, _)| name == policy).unwrap();
    let statement = statements_of(document).swap_remove(place);
    document["Statement"] = json!([statement]);
    let only = ("only".to_owned(), document.clone());
    // A session policy decides who starts the sessions.
    let session = docs.session.as_ref().map(|(name, _)| (name.clone(), everything()));
    RoleDocs { policies: vec![only], boundary: None, session, ..docs.clone() }
}

#[test]
fn statement_with_a_remark_matches_no_request() {
    let actions = naive_catalogue(&serde_json::from_str(include_str!("support/catalogue.json")).unwrap()).unwrap();
    let found = std::cell::Cell::new(0);
    for_roles(|docs, rng| {
        let remarks = judge(&role(docs), &Criteria::default(), at()).remarks;
        found.set(found.get() + remarks.len());
        let named = |name: &str, place: usize| {
            remarks.iter().any(|remark| (&*remark.policy, remark.statement) == (name, place))
        };
        let rest = without(docs, |name, place, _| named(name, place));
        let decided = |docs: &RoleDocs| verdicts(&Permissions { unknown: Vec::new(), ..decide(docs) });
        same(&decided(docs), &decided(&rest))?;
        for remark in &remarks {
            let alone = alone(docs, &remark.policy, remark.statement);
            let (judge, interest) = (Judge::new(&alone)?, Interest::of(&alone));
            for action in &actions {
                let Some(request) = probe(rng, &interest, action, &actions, AT) else { continue };
                if judge.allowed(&request)?.allowed {
                    return Err(format!("{remark}: {request:?}"));
                }
            }
        }
        Ok(())
    });
    assert!(found.get() > 10, "{} remarks", found.get());
}

#[test]
fn refusal_names_exactly_the_deny_statements_needed() {
    let named = std::cell::Cell::new(0);
    for_roles(|docs, rng| {
        let docs = &if rng.chance(30) { with_session(rng, docs) } else { docs.clone() };
        let decision = |docs: &RoleDocs, action: &Action| {
            let place = catalogue::find(action.full_name).unwrap();
            decide(docs).catalogued.swap_remove(place)
        };
        let denies = |statement: &Value| statement["Effect"] == "Deny";
        let mut seen = BTreeSet::new();
        for (action, refusal) in refusals(&role(docs), at()) {
            // Many actions have the same reason. One check of each reason is enough.
            if !seen.insert(refusal.clone()) {
                continue;
            }
            let limited = without(docs, |_, _, statement| denies(statement));
            let session = docs.session.as_ref().map(|(name, _)| (name.clone(), everything()));
            let bounded = RoleDocs { session, ..limited.clone() };
            let free = RoleDocs { boundary: None, ..bounded.clone() };
            let [granted, within_bounds, within_limits] =
                [free, bounded, limited].map(|docs| decision(&docs, action) != Decision::Refused);
            let problem = match &refusal {
                Refusal::NoAllow => granted.then_some("an Allow matches"),
                Refusal::Session => (!within_bounds || within_limits).then_some("the session policy is not the reason"),
                Refusal::Boundary => (!granted || within_bounds).then_some("the boundary is not the reason"),
                Refusal::Denied(statements) => {
                    let is_named = |name: &str, place: usize| {
                        statements.iter().any(|one| one.policy == name && one.statement == place)
                    };
                    let only = without(docs, |name, place, statement| denies(statement) && !is_named(name, place));
                    let mut needed = statements.iter().map(|one| {
                        let less = without(docs, |name, place, statement| {
                            let this = one.policy == name && one.statement == place;
                            denies(statement) && (this || !is_named(name, place))
                        });
                        decision(&less, action) != Decision::Refused
                    });
                    named.set(named.get() + statements.len());
                    (!within_limits).then_some("the Deny statements are not the reason").or(
                        if needed.any(|needed| !needed) {
                            Some("one of the statements is not needed")
                        } else if decision(&only, action) != Decision::Refused {
                            Some("other statements refuse it too")
                        } else {
                            None
                        },
                    )
                }
            };
            if let Some(problem) = problem {
                return Err(format!("{}: {refusal:?}: {problem}", action.full_name));
            }
        }
        Ok(())
    });
    assert!(named.get() > 10, "{} statements named", named.get());
}

#[test]
fn wider_allowed_set_contains_the_stricter_ones() {
    let sets = [AllowedAccess::Cis, AllowedAccess::PullOnly, AllowedAccess::ReadOnly];
    let excess = |docs: &RoleDocs| {
        sets.map(|allowed_access| {
            let verdict = judge(&role(docs), &Criteria { allowed_access, ..Criteria::default() }, at());
            let excess: BTreeSet<String> = verdict.excess.iter().map(|access| access.action.clone()).collect();
            (excess, verdict.compliance)
        })
    };
    for_roles(|docs, _| {
        let [cis, pull_only, read_only] = excess(docs);
        within(&read_only.0, &pull_only.0)?;
        within(&pull_only.0, &cis.0)?;
        for (stricter, wider) in [(&cis, &pull_only), (&pull_only, &read_only)] {
            if stricter.1 == Compliance::Compliant && wider.1 != Compliance::Compliant {
                return Err("COMPLIANT with the stricter set only".to_owned());
            }
        }
        Ok(())
    });

    // A role that may do everything shows that the sets differ.
    let mut admin = docs(1);
    let all = json!({ "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
    (admin.policies, admin.boundary) = (vec![("all".to_owned(), all)], None);
    let [cis, pull_only, read_only] = excess(&admin).map(|(excess, _)| excess.len());
    assert!(cis > pull_only && pull_only > read_only && read_only > 0, "{cis} {pull_only} {read_only}");
}
