//! Random condition blocks: every operator with its prefixes and suffixes, on keys of every kind.

use super::{Flavour, Home, Rng};
use serde_json::{Map, Value, json};

/// The operators that compare numbers.
pub(super) const NUMERIC_OPERATORS: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];

/// The operators that compare dates.
pub(super) const DATE_OPERATORS: &[&str] =
    &["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"];

/// Keys with the values that policies compare with them. Patterns among the values are useful with `…Like` only.
const TEXTS: &[(&str, &[&str])] = &[
    ("aws:PrincipalTag/team", &["platform", "payments", "team-a", "p*", "${aws:ResourceTag/team}"]),
    ("aws:PrincipalTag/env", &["prod", "dev", "?*"]),
    ("aws:PrincipalTag/none", &["x", "*"]),
    (
        "aws:ResourceTag/team",
        &[
            "platform",
            "payments",
            "team-*",
            "${aws:PrincipalTag/team}",
            "${aws:PrincipalTag/none, 'platform'}",
            "${aws:PrincipalTag/none, 'pl*'}",
        ],
    ),
    ("ecr:ResourceTag/env", &["prod", "dev", "*"]),
    ("aws:RequestTag/team", &["platform", "payments", "*"]),
    ("aws:TagKeys", &["team", "env", "t*"]),
    ("aws:RequestedRegion", &["us-east-1", "us-west-2", "eu-central-1", "us-*", "cn-north-1", "us-gov-west-1"]),
    ("aws:PrincipalAccount", &["111122223333", "999988887777", "${aws:ResourceAccount}"]),
    ("aws:ResourceAccount", &["111122223333", "999988887777", "${aws:PrincipalAccount}", "1111*"]),
    ("aws:PrincipalType", &["AssumedRole", "User", "assumedrole"]),
    ("aws:SourceVpc", &["vpc-1", "vpc-2", "vpc-*"]),
    ("aws:SourceVpce", &["vpce-1", "vpce-*"]),
    ("aws:UserAgent", &["docker/1", "*aws-cli*", "${*}", "a${?}"]),
    ("aws:userid", &["*:i-*", "AROA*", "*:ci", "${aws:userid}"]),
    ("aws:PrincipalOrgID", &["o-abc", "o-*"]),
    ("aws:PrincipalOrgPaths", &["o-abc/r-1/ou-1/", "o-abc/*", "o-abc/r-1/*"]),
    ("aws:CalledVia", &["cloudformation.amazonaws.com", "athena.amazonaws.com", "*"]),
    ("aws:CalledViaFirst", &["cloudformation.amazonaws.com", "*"]),
    ("aws:username", &["alice", "*"]),
    ("aws:SourceAccount", &["111122223333"]),
    ("ecr:AccountSetting", &["BASIC_SCAN_TYPE_VERSION", "REGISTRY_POLICY_SCOPE", "*"]),
    ("aws:Ec2InstanceSourceVpc", &["vpc-1", "${aws:SourceVpc}"]),
    ("aws:FederatedProvider", &["cognito-identity.amazonaws.com", "*"]),
    ("saml:aud", &["https://signin.aws.amazon.com/saml"]),
    ("oidc.eks.us-east-1.amazonaws.com/id/ABC:sub", &["system:serviceaccount:*", "system:serviceaccount:a:b"]),
    ("s3:prefix", &["home/"]),
    ("aws:SourceIdentity", &["alice", "${aws:PrincipalTag/team}"]),
    ("aws:SecureTransport", &["true", "false"]),
];

const BOOLEANS: &[&str] = &[
    "aws:SecureTransport",
    "aws:ViaAWSService",
    "aws:PrincipalIsAWSService",
    "aws:MultiFactorAuthPresent",
    "aws:ResourceTag/protected",
];

const ARNS: &[(&str, &[&str])] = &[
    (
        "aws:PrincipalArn",
        &[
            "arn:*:iam::111122223333:role/*",
            "arn:aws:iam::*:role/generated-*",
            "arn:aws:iam::111122223333:role/eks/*",
            "*",
        ],
    ),
    ("ec2:SourceInstanceArn", &["arn:aws:ec2:*:111122223333:instance/*", "arn:aws:ec2:us-east-1:*:instance/i-1"]),
    (
        "lambda:SourceFunctionArn",
        &["arn:aws:lambda:us-east-1:111122223333:function:push", "arn:aws:lambda:*:*:function:*"],
    ),
    ("aws:SourceArn", &["arn:aws:s3:::bucket"]),
    (
        "aws:SourceVpcArn",
        &["arn:aws:ec2:*:${aws:PrincipalAccount}:vpc/*", "arn:aws:ec2:us-east-1:111122223333:vpc/vpc-1"],
    ),
    ("codebuild:ProjectArn", &["arn:aws:codebuild:*:*:project/push-?"]),
];

const NUMBERS: &[(&str, &[&str])] = &[
    ("aws:MultiFactorAuthAge", &["3600", "0", "1.5"]),
    ("aws:EpochTime", &["1893456000", "1500000000"]),
    ("ec2:RoleDelivery", &["1.0", "2.0", "2"]),
];

const DATES: &[&str] = &[
    "2020-01-01T00:00:00Z",
    "2030-01-01T00:00:00Z",
    "2030-06-30T23:59:59+02:00",
    "2031",
    "2030-05",
    "1893456000",
    "2040-02-29",
];

const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "10.1.0.0/16",
    "203.0.113.0/24",
    "203.0.113.7",
    "0.0.0.0/0",
    "0.0.0.0/1",
    "128.0.0.0/1",
    "2001:db8::/32",
    "::/0",
    "2001:db8::1/128",
    "203.0.113.5/30",
];

/// A Condition element.
pub fn condition_block(rng: &mut Rng, flavour: Flavour, home: Home) -> Value {
    let mut block = Map::new();
    let count = if flavour == Flavour::Realistic { 1 } else { 1 + rng.below(3) };
    for _ in 0..count {
        let (operator, key, values) = if flavour == Flavour::Realistic { usual(rng, home) } else { any(rng, flavour) };
        let keys = block.entry(operator).or_insert_with(|| json!({}));
        keys[key] = values;
    }
    Value::Object(block)
}

/// Conditions as they are found in real policies.
fn usual(rng: &mut Rng, home: Home) -> (String, String, Value) {
    let (operator, key, values) = match rng.below(14) {
        0 => ("StringEquals", "aws:RequestedRegion", json!(home.regions)),
        1 => ("StringNotEquals", "aws:RequestedRegion", json!([home.regions[0]])),
        2 => ("StringEquals", "aws:ResourceTag/team", json!("${aws:PrincipalTag/team}")),
        3 => ("StringEquals", "ecr:ResourceTag/env", json!("dev")),
        4 => ("Bool", "aws:SecureTransport", json!("false")),
        5 => ("BoolIfExists", "aws:MultiFactorAuthPresent", json!("false")),
        6 => ("NotIpAddress", "aws:SourceIp", json!(["203.0.113.0/24", "198.51.100.0/24"])),
        7 => ("StringNotEquals", "aws:SourceVpce", json!("vpce-1")),
        8 => ("ForAllValues:StringEquals", "aws:TagKeys", json!(["team", "env"])),
        9 => ("StringEquals", "aws:PrincipalAccount", json!(home.account)),
        10 => ("StringNotEquals", "aws:ResourceAccount", json!("${aws:PrincipalAccount}")),
        11 => ("ArnNotLike", "aws:PrincipalArn", json!(format!("arn:{}:iam::*:role/admin-*", home.partition))),
        12 => ("Null", "aws:RequestTag/team", json!("true")),
        _ => ("DateLessThan", "aws:CurrentTime", json!("2030-01-01T00:00:00Z")),
    };
    (operator.to_owned(), key.to_owned(), values)
}

/// Any operator on any key of its kind, sometimes on a key of another kind.
fn any(rng: &mut Rng, flavour: Flavour) -> (String, String, Value) {
    let kind = rng.below(20);
    let (operators, (key, pool)): (&[&str], (&str, &[&str])) = match kind {
        0..9 => {
            let entry = *rng.choose(TEXTS);
            let operators: &[&str] = match rng.below(10) {
                0..5 => &["StringLike", "StringNotLike", "StringLike"],
                5..8 => &["StringEquals", "StringNotEquals"],
                _ => &["StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"],
            };
            (operators, entry)
        }
        9..11 => (&["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"], *rng.choose(ARNS)),
        11..13 => (NUMERIC_OPERATORS, *rng.choose(NUMBERS)),
        13..15 => (DATE_OPERATORS, (rng.pick(&["aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime"]), DATES)),
        15..17 => (&["IpAddress", "NotIpAddress"], (rng.pick(&["aws:SourceIp", "aws:VpcSourceIp"]), NETWORKS)),
        17 => (&["Bool"], (rng.pick(BOOLEANS), &["true", "false"])),
        18 => {
            let key = if rng.chance(50) { rng.choose(TEXTS).0 } else { rng.pick(BOOLEANS) };
            (&["Null"], (key, &["true", "false"]))
        }
        _ => (&["BinaryEquals"], ("aws:UserAgent", &["YXdzLWNsaQ=="])),
    };
    let base = rng.pick(operators);
    let mut key = key.to_owned();
    if flavour == Flavour::Wild && rng.chance(5) {
        rng.choose(TEXTS).0.clone_into(&mut key);
    }
    let set = matches!(key.as_str(), "aws:TagKeys" | "aws:PrincipalOrgPaths" | "aws:CalledVia");
    let mut operator = base.to_owned();
    if base != "Null" {
        let prefix =
            if rng.chance(if set { 85 } else { 10 }) { rng.pick(&["ForAllValues:", "ForAnyValue:"]) } else { "" };
        let suffix = if rng.chance(20) { "IfExists" } else { "" };
        operator = format!("{prefix}{base}{suffix}");
    }
    if rng.chance(10) {
        key = if rng.chance(50) { key.to_lowercase() } else { key.to_uppercase() };
    }
    let mut values: Vec<Value> = (0..=rng.below(3)).map(|_| as_json(rng, pool)).collect();
    if flavour == Flavour::Wild && rng.chance(4) {
        (operator, values) = strange(rng, operator, values);
    }
    let one = values.len() == 1 && rng.chance(60);
    (operator, key, if one { values.remove(0) } else { Value::from(values) })
}

/// Policies can contain numbers and booleans, not only text.
fn as_json(rng: &mut Rng, pool: &[&str]) -> Value {
    let text = rng.pick(pool);
    if rng.chance(50)
        && text.len() != 12
        && let Ok(value @ (Value::Bool(_) | Value::Number(_))) = serde_json::from_str(text)
    {
        return value;
    }
    text.into()
}

/// Operators and values that AWS does not document.
fn strange(rng: &mut Rng, operator: String, values: Vec<Value>) -> (String, Vec<Value>) {
    match rng.below(4) {
        0 => ("StringMatches".to_owned(), values),
        1 => (operator.to_lowercase(), values),
        2 => ("NullIfExists".to_owned(), values),
        _ => (operator, vec!["not a value of this type".into()]),
    }
}
