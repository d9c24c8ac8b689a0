//! Tests of the test tools: the naive evaluator on written cases, and the coverage of the generator.

use crate::support::generate::Rng;
use crate::support::generate::account::{account, themed_account, themed_role};
use crate::support::generate::probe::{Interest, probe};
use crate::support::naive::catalogue::{CatalogueAction, catalogue};
use crate::support::naive::request::well_formed;
use crate::support::naive::{Answer, Judge, Request, RoleDocs, allowed, explain};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// 2027-01-15T08:00:00Z, the time of evaluation in all tests here.
const AT: i64 = 1_800_000_000;

fn actions() -> Vec<CatalogueAction> {
    catalogue(&serde_json::from_str(include_str!("support/catalogue.json")).unwrap()).unwrap()
}

/// The object's fields. Panics on a field that is in neither list, and on a missing needed one.
fn fields<'a>(value: &'a Value, needed: &[&str], optional: &[&str]) -> &'a Map<String, Value> {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    for key in object.keys() {
        assert!(needed.contains(&key.as_str()) || optional.contains(&key.as_str()), "unknown field `{key}` in {value}");
    }
    for key in needed {
        assert!(object.contains_key(*key), "no field `{key}` in {value}");
    }
    object
}

fn role_of(given: &Value) -> RoleDocs {
    let given = fields(given, &["policies"], &["role", "tags", "trust", "boundary", "session"]);
    let ec2 = r#"{"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}"#;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    RoleDocs {
        arn: given.get("role").map_or("arn:aws:iam::111122223333:role/node".to_owned(), text),
        id: "AROAEXAMPLE".to_owned(),
        tags: given
            .get("tags")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), text(value)))
            .collect(),
        trust: given.get("trust").cloned().unwrap_or_else(|| serde_json::from_str(ec2).unwrap()),
        policies: given["policies"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(index, document)| (format!("policy-{index}"), document.clone()))
            .collect(),
        boundary: given.get("boundary").map(|document| ("boundary".to_owned(), document.clone())),
        session: given.get("session").map(|document| ("session".to_owned(), document.clone())),
    }
}

fn request_of(value: &Value) -> Request {
    let fields = fields(value, &["action", "resource"], &["context"]);
    let context = fields.get("context").and_then(Value::as_object);
    Request {
        action: fields["action"].as_str().unwrap().to_owned(),
        resource: fields["resource"].as_str().unwrap().to_owned(),
        context: context
            .into_iter()
            .flatten()
            .map(|(key, values)| (key.clone(), serde_json::from_value(values.clone()).unwrap()))
            .collect(),
    }
}

fn shown(answer: &Result<Answer, String>) -> &'static str {
    match answer {
        Err(_) => "error",
        Ok(answer) if !answer.allowed => "refused",
        Ok(answer) if answer.certain => "allowed",
        Ok(_) => "allowed in one reading",
    }
}

#[test]
fn naive_evaluator_decides_cases_as_documented() {
    let catalogue = actions();
    let cases: Vec<Value> = serde_json::from_str(include_str!("support/naive/cases.json")).unwrap();
    let mut names = BTreeSet::new();
    let mut faults = Vec::new();
    for case in &cases {
        let case = fields(case, &["name", "given", "request", "expected", "because"], &[]);
        let name = case["name"].as_str().unwrap();
        assert!(names.insert(name), "two cases are named `{name}`");
        assert!(
            case["because"].as_str().unwrap().starts_with("https://docs.aws.amazon.com/"),
            "`{name}` names no page of the documentation"
        );
        let expected = fields(&case["expected"], &["answer", "well_formed"], &[]);
        let (role, request) = (role_of(&case["given"]), request_of(&case["request"]));
        let answer = allowed(&role, &request);
        if shown(&answer) != expected["answer"] {
            faults.push(format!("{name}: {answer:?}\n  {}", explain(&role, &request).join("\n  ")));
        }
        let well = well_formed(&role, &request, &catalogue, AT);
        if Some(well.is_ok()) != expected["well_formed"].as_bool() {
            faults.push(format!("{name}: well-formed is {well:?}"));
        }
    }
    assert!(cases.len() >= 60);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn naive_catalogue_has_all_actions_of_both_services() {
    let catalogue = actions();
    let of = |service: &str| catalogue.iter().filter(|action| action.service() == service).count();
    assert_eq!((of("ecr"), of("ecr-public")), (64, 23));
    assert!(catalogue.iter().all(|action| !action.access_level.is_empty()));
}

#[test]
fn generated_role_depends_only_on_its_seed() {
    for account in [account, themed_account] {
        let many = account(100, 5);
        let alone = account(103, 1);
        assert_eq!(many["RoleDetailList"][3], alone["RoleDetailList"][0]);
        assert_eq!(account(100, 5).to_string(), many.to_string());
    }
}

#[test]
fn generated_requests_can_exist_and_are_decided() {
    let catalogue = actions();
    let (mut probes, mut found, mut doubtful, mut surely) = (0, 0, 0, 0);
    for seed in 0..150 {
        let role = themed_role(seed);
        let judge = Judge::new(&role).unwrap();
        let interest = Interest::of(&role);
        let mut rng = Rng::new(seed);
        for action in catalogue.iter().step_by(3) {
            probes += 1;
            let Some(request) = probe(&mut rng, &interest, action, &catalogue, AT) else { continue };
            found += 1;
            well_formed(&role, &request, &catalogue, AT).unwrap();
            let answer = judge.allowed(&request).unwrap_or_else(|text| panic!("seed {seed}: {text} for {request:?}"));
            doubtful += usize::from(answer.allowed && !answer.certain);
            surely += usize::from(answer.allowed && answer.certain);
        }
    }
    // A probe seldom finds no request (roles in China have no public registries). Both kinds of answers are common.
    assert!(found * 10 > probes * 9, "{found} requests of {probes} probes");
    assert!(surely > probes / 10 && doubtful > 5, "{surely} allowed, {doubtful} depend on the reading, of {probes}");
}

#[test]
fn generated_roles_have_every_operator_and_shape() {
    let mut seen = BTreeMap::new();
    let text: String = (0..5_000).map(|seed| themed_account(seed, 1).to_string()).collect();
    let kinds = [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "Null",
    ];
    for kind in kinds {
        seen.insert(format!("\"{kind}\":"), false);
        if kind != "Null" {
            for prefix in ["ForAllValues:", "ForAnyValue:"] {
                seen.insert(format!("\"{prefix}{kind}\":"), false);
                seen.insert(format!("\"{prefix}{kind}IfExists\":"), false);
            }
        }
    }
    for shape in [
        "\"Statement\":{",
        "\"Statement\":[",
        "NotAction",
        "NotResource",
        "2008-10-17",
        "PermissionsBoundary\"",
        "%7B%22",
        "${*}",
        ", 'base'}",
        "ecr:ListImageReferrers",
        "sts:SetSourceIdentity",
        "chatbot.amazonaws.com",
        "saml-provider",
        "oidc-provider",
        ":user/",
        "9007199254740993",
        "192.000.002.0/24",
        "::ffff:",
        "😀",
        "repository/${aws:PrincipalTag/none}",
        "arn:aws:ecr-public::111122223333:repository/${",
    ] {
        seen.insert(shape.to_owned(), false);
    }
    for (what, found) in &mut seen {
        *found = text.contains(what.as_str());
    }
    let missing: Vec<_> = seen.iter().filter(|(_, found)| !**found).map(|(what, _)| what).collect();
    assert!(missing.is_empty(), "never generated: {missing:?}");
}

#[test]
fn naive_deny_only_removes_and_allow_only_adds() {
    let catalogue = actions();
    for seed in 0..80 {
        let (role, other) = (themed_role(seed), themed_role(seed + 5_000));
        let (mut denied, mut granted) = (role.clone(), role.clone());
        for (name, document) in other.policies {
            let of = |effect: &str| {
                let mut part = document.clone();
                if let Some(list) = part["Statement"].as_array_mut() {
                    list.retain(|statement| statement["Effect"] == effect);
                } else if part["Statement"]["Effect"] != effect {
                    part["Statement"] = Value::from(Vec::<Value>::new());
                }
                part
            };
            denied.policies.push((name.clone(), of("Deny")));
            granted.policies.push((name, of("Allow")));
        }
        let interest = Interest::of(&role);
        let mut rng = Rng::new(seed);
        for action in catalogue.iter().step_by(7) {
            let Some(request) = probe(&mut rng, &interest, action, &catalogue, AT) else { continue };
            let before = allowed(&role, &request).unwrap().allowed;
            // The other role's policies may mention keys that this request does not list.
            if let Ok(after) = allowed(&denied, &request) {
                assert!(before || !after.allowed, "seed {seed}: a Deny permitted {request:?}");
            }
            if let Ok(after) = allowed(&granted, &request) {
                assert!(!before || after.allowed, "seed {seed}: an Allow refused {request:?}");
            }
        }
    }
}
