//! Generated roles in the format of `get-account-authorization-details`, and the way back to the naive evaluator's format.

use super::super::naive::RoleDocs;
use super::statements::{document, trust_policy};
use super::themes::{TAG_VALUES, themed_trust_policy};
use super::{Flavour, Home, Rng, Style, Theme};
use serde_json::{Value, json};
use std::fmt::Write;

const TAGS: &[(&str, &[&str])] = &[
    ("team", &["platform", "payments", "team-a"]),
    ("env", &["prod", "dev", ""]),
    ("Repo", &["app", "base"]),
    ("kubernetes.io/cluster/demo", &["owned"]),
];

/// The details of a generated account. Each role has its own seed and does not depend on the other roles. The policies are
/// about everything.
pub fn account(first_seed: u64, roles: usize) -> Value {
    let style = |rng: &mut Rng| Style { flavour: Flavour::by_chance(rng), theme: Theme::Everything };
    account_in_style(first_seed, roles, style)
}

/// The same with a theme for each role.
pub fn themed_account(first_seed: u64, roles: usize) -> Value {
    account_in_style(first_seed, roles, Style::by_chance)
}

fn account_in_style(first_seed: u64, roles: usize, style: impl Fn(&mut Rng) -> Style) -> Value {
    let mut details = Vec::new();
    let mut policies = Vec::new();
    for seed in (first_seed..).take(roles) {
        let mut rng = Rng::new(seed);
        let style = style(&mut rng);
        details.push(role(&mut rng, seed, style, &mut policies));
    }
    account_of(details, policies)
}

/// The details of an account with one role, generated from these choices.
pub fn account_of_one(rng: &mut Rng) -> Value {
    let mut policies = Vec::new();
    let style = Style::by_chance(rng);
    let details = role(rng, 0, style, &mut policies);
    account_of(vec![details], policies)
}

/// The themed role of a seed for the naive evaluator. One role in ten has a session policy.
pub fn themed_role(seed: u64) -> RoleDocs {
    let details = themed_account(seed, 1);
    let mut docs = role_docs(&details, &role_names(&details)[0]).unwrap();
    let mut rng = Rng::new(seed ^ 0x5e55);
    if rng.chance(10) {
        let partition = docs.arn.split(':').nth(1).unwrap_or_default();
        let home = Home::of(partition);
        let style = Style::by_chance(&mut rng);
        docs.session = Some((association(home), document(&mut rng, style, home, true)));
    }
    docs
}

/// The ARN of a Pod Identity association.
fn association(home: Home) -> String {
    let (partition, region, account) = (home.partition, home.regions[0], home.account);
    format!("arn:{partition}:eks:{region}:{account}:podidentityassociation/shop/a-1example")
}

fn account_of(roles: Vec<Value>, policies: Vec<Value>) -> Value {
    json!({
        "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles, "Policies": policies, "IsTruncated": false
    })
}

fn role(rng: &mut Rng, seed: u64, style: Style, policies: &mut Vec<Value>) -> Value {
    let home = Home::by_chance(rng);
    let path = if rng.chance(20) { "/eks/nodes/" } else { "/" };
    let name = format!("generated-{seed}");
    let mut tags = Vec::new();
    for (key, values) in TAGS {
        if rng.chance(if style.flavour == Flavour::Realistic { 25 } else { 45 }) {
            tags.push(json!({ "Key": key, "Value": rng.pick(values) }));
        }
    }
    if style.theme == Theme::Tags {
        for key in ["k", "Other"] {
            if rng.chance(70) {
                tags.push(json!({ "Key": key, "Value": rng.pick(TAG_VALUES) }));
            }
        }
    }
    let inline: Vec<Value> = (0..=rng.below(2))
        .map(|index| {
            let statements = document(rng, style, home, false);
            json!({ "PolicyName": format!("inline-{index}"), "PolicyDocument": stored(rng, statements) })
        })
        .collect();
    let mut attached = Vec::new();
    for index in 0..rng.below(3) {
        let arn = managed(rng, style, home, &format!("{name}-managed-{index}"), false, policies);
        attached.push(json!({ "PolicyName": format!("{name}-managed-{index}"), "PolicyArn": arn }));
    }
    let mut role = json!({
        "Path": path,
        "RoleName": name,
        "RoleId": format!("AROA{seed:017X}"),
        "Arn": format!("arn:{}:iam::{}:role{path}{name}", home.partition, home.account),
        "CreateDate": "2025-01-01T00:00:00+00:00",
        "InstanceProfileList": [],
        "RoleLastUsed": {},
        "RolePolicyList": inline,
        "AttachedManagedPolicies": attached,
        "Tags": tags,
    });
    let trust = if style.themed() { themed_trust_policy(rng, home) } else { trust_policy(rng, style.flavour, home) };
    role["AssumeRolePolicyDocument"] = stored(rng, trust);
    if rng.chance(30) {
        let arn = managed(rng, style, home, &format!("{name}-boundary"), true, policies);
        role["PermissionsBoundary"] = json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn });
    }
    role
}

/// A managed policy with an older version, which must be ignored.
fn managed(rng: &mut Rng, style: Style, home: Home, name: &str, boundary: bool, policies: &mut Vec<Value>) -> String {
    let arn = format!("arn:{}:iam::{}:policy/{name}", home.partition, home.account);
    let current = document(rng, style, home, boundary);
    let current = stored(rng, current);
    let version = |id: &str, current: bool, document: Value| {
        json!({
            "VersionId": id, "IsDefaultVersion": current, "CreateDate": "2025-01-01T00:00:00+00:00", "Document": document
        })
    };
    let mut versions = vec![version("v2", true, current)];
    if rng.chance(30) {
        let old =
            json!({ "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*" } });
        versions.insert(rng.below(2), version("v1", false, old));
    }
    policies.push(json!({
        "PolicyName": name,
        "PolicyId": format!("ANPA{}", name.len()),
        "Arn": arn,
        "Path": "/",
        "DefaultVersionId": "v2",
        "AttachmentCount": 1,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": true,
        "PolicyVersionList": versions,
    }));
    arn
}

/// A document as an object, as text, or percent-encoded as the API sends it.
fn stored(rng: &mut Rng, document: Value) -> Value {
    match rng.below(10) {
        0 => Value::String(percent_encoded(&document.to_string())),
        1 => Value::String(document.to_string()),
        _ => document,
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}

fn percent_decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            let code = tail.get(..2).and_then(|code| std::str::from_utf8(code).ok());
            bytes.push(u8::from_str_radix(code.ok_or("cut off after %")?, 16).map_err(|error| error.to_string())?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn understood(document: &Value) -> Result<Value, String> {
    let Value::String(text) = document else { return Ok(document.clone()) };
    let plain = if text.trim_start().starts_with('{') { text.clone() } else { percent_decoded(text)? };
    serde_json::from_str(&plain).map_err(|error| error.to_string())
}

/// The names of the roles of an account's details.
pub fn role_names(details: &Value) -> Vec<String> {
    let roles = details["RoleDetailList"].as_array().into_iter().flatten();
    roles.filter_map(|role| role["RoleName"].as_str().map(str::to_owned)).collect()
}

/// One role in the naive evaluator's format.
///
/// # Errors
/// The details have no such role, or lack the document of one of its policies.
pub fn role_docs(details: &Value, name: &str) -> Result<RoleDocs, String> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let role = items(&details["RoleDetailList"])
        .into_iter()
        .find(|role| role["RoleName"] == name)
        .ok_or_else(|| format!("no role `{name}`"))?;
    let managed = |arn: &Value| {
        let versions = items(&details["Policies"])
            .into_iter()
            .find(|policy| policy["Arn"] == *arn)
            .map(|policy| items(&policy["PolicyVersionList"]))
            .ok_or_else(|| format!("no policy {arn}"))?;
        let current = versions.iter().find(|version| version["IsDefaultVersion"] == true);
        understood(&current.ok_or_else(|| format!("no default version of {arn}"))?["Document"])
    };
    let mut policies = Vec::new();
    for policy in items(&role["RolePolicyList"]) {
        policies.push((text(&policy["PolicyName"]), understood(&policy["PolicyDocument"])?));
    }
    for policy in items(&role["AttachedManagedPolicies"]) {
        policies.push((text(&policy["PolicyArn"]), managed(&policy["PolicyArn"])?));
    }
    let bound = &role["PermissionsBoundary"]["PermissionsBoundaryArn"];
    let boundary = if bound.is_null() { None } else { Some((text(bound), managed(bound)?)) };
    Ok(RoleDocs {
        arn: text(&role["Arn"]),
        id: text(&role["RoleId"]),
        tags: items(&role["Tags"]).iter().map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect(),
        trust: understood(&role["AssumeRolePolicyDocument"])?,
        policies,
        boundary,
        session: None,
    })
}
