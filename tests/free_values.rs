//! A free tag against known tags with every value of a pool.
//!
//! Policies compare one key with texts, numbers, dates and addresses. If they permit a push with some value of the key for
//! certain, they permit it where the key is free; and the value in the witness permits it where the key is known.
//!
//! `FREE_VALUE_POLICIES` (default 200) and `FREE_VALUE_FIRST_SEED` (default 1) choose the size.

use std::sync::Arc;

use ecr_read_only::access::{Decision, Policy, PolicySource, Role, Witness, catalogue, permissions};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::policy::{Document, TrustPolicy};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::generate::Rng;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;

const NUMBERS: &[&str] =
    &["0", "5", "5.5", "-3", "2026", "2026.5", "9999", "1767225600", "1767225599.5", "9007199254740992"];
const DATES: &[&str] = &[
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.1235Z",
    "2026-01-01",
    "2026",
    "1970-01-01T00:33:46Z",
    "1767225600",
    "9999-12-31T23:59:59Z",
];
const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "10.0.0.1",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "::ffff:10.0.0.0/104",
];
const TEXTS: &[&str] = &["*", "1*", "2026*", "10.*", "*e0", "?", "app", "true", "*:*", "5", "2026", "QUI=", ""];

const FAMILIES: &[(&[&str], &[&str])] = &[
    (&["NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals"], NUMBERS),
    (&["NumericGreaterThan", "NumericGreaterThanEquals"], NUMBERS),
    (&["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals"], DATES),
    (&["DateGreaterThan", "DateGreaterThanEquals"], DATES),
    (&["IpAddress", "NotIpAddress"], NETWORKS),
    (&["StringLike", "StringNotLike", "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase"], TEXTS),
    (&["Bool", "BinaryEquals", "Null"], &["true", "false", "QUI="]),
];

/// Values of the key: the constants, and what lies next to them.
fn values() -> Vec<String> {
    let mut values: Vec<String> =
        [NUMBERS, DATES, NETWORKS, TEXTS].concat().into_iter().map(|text| text.replace(['*', '?'], "1")).collect();
    for number in NUMBERS {
        values.extend([format!("0{number}"), format!("{number}e0"), format!("{number}1")]);
        let number: f64 = number.parse().unwrap();
        values.extend([1.0, -1.0, 0.25].map(|step| (number + step).to_string()));
    }
    let more = [
        "2025-12-31T23:59:59Z",
        "2026-01-01T00:00:00.1234Z",
        "2026-01-01T00:00:00.124Z",
        "2027",
        "9998",
        "10.127.255.255",
        "10.128.0.0",
        "11.0.0.0",
        "::1",
        "2001:db8::1",
        "TRUE",
        "QUI",
        "AB",
        "1:1",
    ];
    values.extend(more.map(str::to_owned));
    values.sort_unstable();
    values.dedup();
    values
}

fn condition(rng: &mut Rng) -> (String, Value) {
    let (operators, values) = rng.choose(FAMILIES);
    let operator = rng.pick(operators);
    let mut listed = vec![rng.pick(values)];
    if rng.chance(30) {
        listed.push(rng.pick(values));
    }
    let prefix = if rng.chance(10) && operator != "Null" { rng.pick(&["ForAnyValue:", "ForAllValues:"]) } else { "" };
    let suffix = if rng.chance(10) && operator != "Null" { "IfExists" } else { "" };
    (format!("{prefix}{operator}{suffix}"), json!(listed))
}

/// A policy with conditions on one key, which stands as `KEY`.
fn policy(rng: &mut Rng) -> String {
    let mut statements = Vec::new();
    let denies = rng.below(4);
    for i in 0..=denies {
        let mut conditions = serde_json::Map::new();
        for _ in 0..=rng.below(if i == 0 { 3 } else { 2 }) {
            let (operator, values) = condition(rng);
            conditions.insert(operator, json!({ "KEY": values }));
        }
        let effect = if i == 0 { "Allow" } else { "Deny" };
        statements
            .push(json!({ "Effect": effect, "Action": "ecr:PutImage", "Resource": "*", "Condition": conditions }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// The decision on a push with the policy, for a role that has this tag.
fn decide(policy: &str, tag: Option<&str>) -> Decision {
    let document = Arc::new(Document::parse(policy).unwrap());
    let role = Role {
        arn: "arn:aws:iam::123456789012:role/node".to_owned(),
        id: "AROAEXAMPLEEXAMPLE123".to_owned(),
        trust_policy: TrustPolicy::parse(TRUST).unwrap(),
        tags: tag.map(|value| Tag::new("k", value)).into_iter().collect(),
        policies: vec![Policy { source: PolicySource::Inline("inline".to_owned()), document }],
        permissions_boundary: None,
        session_policy: None,
    };
    let place = catalogue::actions().iter().position(|action| action.full_name == "ecr:PutImage").unwrap();
    let at = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
    permissions(&role, at).catalogued.swap_remove(place)
}

fn witness(decision: &Decision) -> Option<&Witness> {
    if let Decision::Permitted(witness) = decision { Some(witness) } else { None }
}

#[test]
fn free_tag_permits_what_a_known_tag_permits() {
    let setting = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (first, count) = (setting("FREE_VALUE_FIRST_SEED", 1), setting("FREE_VALUE_POLICIES", 200));
    let values = values();
    let (mut failures, mut permitted, mut undecided) = (Vec::new(), 0, 0);
    for seed in first..first + count {
        let policy = policy(&mut Rng::new(seed));
        let free = decide(&policy.replace("KEY", "aws:ResourceTag/k"), None);
        let known = |value: Option<&str>| decide(&policy.replace("KEY", "aws:PrincipalTag/k"), value);
        permitted += u64::from(witness(&free).is_some());
        undecided += u64::from(free == Decision::Undecided);
        if let Some(found) = witness(&free) {
            let value = found.context.get("aws:ResourceTag/k").map(|values| values[0].as_str());
            if witness(&known(value)).is_none() {
                failures.push(format!("seed {seed}: the witness {value:?} is refused where it is known\n{policy}"));
            }
        }
        if free == Decision::Refused {
            let certain = |value: Option<&str>| witness(&known(value)).is_some_and(|found| found.assumed.is_empty());
            let all = values.iter().map(|value| Some(value.as_str())).chain([None]);
            let missed: Vec<Option<&str>> = all.filter(|value| certain(*value)).collect();
            if !missed.is_empty() {
                failures.push(format!("seed {seed}: missed {missed:?}\n{policy}"));
            }
        }
    }
    println!("{count} policies: {permitted} permitted, {undecided} undecided");
    let shown = failures.iter().take(8).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} failures:\n{shown}", failures.len());
}
