//! Random documents, statements, actions, resources and trust policies.

use super::conditions::condition_block;
use super::themes::themed_conditions;
use super::{Flavour, Home, Rng, Style, Theme};
use serde_json::{Map, Value, json};

const READS: &[&str] = &[
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:ListTagsForResource",
    "ecr:Describe*",
    "ecr:List*",
    "ecr:Get*",
    "ecr:BatchGet*",
    "ecr-public:GetAuthorizationToken",
    "ecr-public:Describe*",
];

const WRITES: &[&str] = &[
    "ecr:PutImage",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:CreateRepository",
    "ecr:DeleteRepository",
    "ecr:BatchDeleteImage",
    "ecr:SetRepositoryPolicy",
    "ecr:TagResource",
    "ecr:UntagResource",
    "ecr:PutLifecyclePolicy",
    "ecr:PutRegistryPolicy",
    "ecr:PutAccountSetting",
    "ecr:Put*",
    "ecr:*Layer*",
    "ecr:*",
    "ecr-public:*",
    "ecr-public:PutImage",
    "ecr-public:PutRegistryCatalogData",
    "*",
];

const OTHERS: &[&str] =
    &["ec2:Describe*", "eks:DescribeCluster", "s3:GetObject", "logs:*", "sts:GetServiceBearerToken"];

const ODD_ACTIONS: &[&str] = &[
    "ECR:putimage",
    "ecr:?utImage",
    "ecr:Put*Image",
    "ecr:*Repository*",
    "ecr:*Image*",
    "ecr:B*e*I*",
    "ecr:??tImage",
    "ecr:P*",
    "ecr-public:*a*",
    "Ecr:*Resource",
    "ecr:*Policy",
    "ecr:FutureAction",
    "ecr:PutImagePlus",
];

const UNGRAMMATICAL_ACTIONS: &[&str] =
    &["ecr*:PutImage", "*:*", "ec?:*", "ecr:PutImage ", "ecr:GetAuthorizationToken,ecr:PutImage", "*Image"];

const NAMES: &[&str] = &[
    "app",
    "base",
    "team-a/app",
    "team-a/*",
    "team-b/*",
    "team-*/app",
    "prod-*",
    "*/secret",
    "*secret*",
    "app*",
    "*",
    "*-dev",
    "mirror/docker.io/*",
    "platform/*",
];

const ODD_NAMES: &[&str] = &[
    "?",
    "??",
    "a?p",
    "*a*b*",
    "*/*",
    "?*/app",
    "team-?/*",
    "App",
    "a_*b",
    "*.*",
    "*--*",
    "*__*",
    "*/*/*",
    "${*}",
    "${aws:PrincipalTag/team}/*",
    "${aws:PrincipalTag/Repo}",
    "${aws:PrincipalTag/team, 'base'}/*",
    "${aws:PrincipalTag/none, '*'}",
    "${aws:username}",
    "${aws:ResourceTag/team}/*",
    "*${?}*",
];

/// A policy document. A boundary allows more, so that it does not refuse everything.
pub fn document(rng: &mut Rng, style: Style, home: Home, boundary: bool) -> Value {
    let count = if rng.chance(5) { 6 + rng.below(10) } else { 1 + rng.below(4) };
    let mut statements: Vec<Value> = (0..count).map(|_| statement(rng, style, home, boundary)).collect();
    if boundary && rng.chance(50) {
        statements.push(json!({ "Effect": "Allow", "Action": ["ecr:*", "ecr-public:*"], "Resource": "*" }));
    }
    let statements =
        if statements.len() == 1 && rng.chance(40) { statements.remove(0) } else { Value::from(statements) };
    let mut document = json!({ "Statement": statements });
    match rng.below(20) {
        0..15 => document["Version"] = "2012-10-17".into(),
        15..17 => document["Version"] = "2008-10-17".into(),
        _ => {}
    }
    document
}

fn statement(rng: &mut Rng, style: Style, home: Home, boundary: bool) -> Value {
    let flavour = style.flavour;
    let mut statement = Map::new();
    let deny = rng.chance(if boundary { 20 } else { 30 });
    if rng.chance(40) {
        statement.insert("Sid".to_owned(), format!("Part{}", rng.below(100)).into());
    }
    statement.insert("Effect".to_owned(), if deny { "Deny" } else { "Allow" }.into());
    // A few broad actions and resources, so that the conditions of all statements concern the same requests.
    let broad = style.themed() && rng.chance(70);
    let not_action = rng.chance(if flavour.odd_actions() { 20 } else { 4 }) && !broad;
    let mut actions = Vec::new();
    for _ in 0..=rng.below(if broad { 2 } else { 4 }) {
        let broad_actions = if style.theme == Theme::Tags { TAGGED_ACTIONS } else { BROAD_ACTIONS };
        actions.push(if broad { rng.pick(broad_actions).to_owned() } else { action(rng, flavour, deny || boundary) });
    }
    statement.insert(if not_action { "NotAction" } else { "Action" }.to_owned(), one_or_list(rng, actions));
    let not_resource = rng.chance(match flavour {
        _ if style.themed() => 15,
        _ if flavour.odd_resources() => 20,
        _ => 4,
    });
    let mut resources = Vec::new();
    for _ in 0..=rng.below(3) {
        let variable = style.themed() && rng.chance(if not_resource { 50 } else { 15 });
        resources.push(if variable { with_variable(rng, home) } else { resource(rng, flavour, home) });
    }
    if !not_resource && rng.chance(if flavour == Flavour::Resources { 10 } else { 40 } + if broad { 40 } else { 0 }) {
        resources = vec!["*".to_owned()];
    }
    statement.insert(if not_resource { "NotResource" } else { "Resource" }.to_owned(), one_or_list(rng, resources));
    let themed = style.themed() && rng.chance(75);
    if themed || rng.chance(flavour.conditions() + if deny { 10 } else { 0 }) {
        let conditions =
            if themed { themed_conditions(rng, style.theme, home) } else { condition_block(rng, flavour, home) };
        statement.insert("Condition".to_owned(), conditions);
    }
    Value::Object(statement)
}

const BROAD_ACTIONS: &[&str] =
    &["ecr:*", "ecr:PutImage", "ecr:Put*", "*", "ecr-public:*", "ecr:CreateRepository", "ecr:ListImage*"];

const TAGGED_ACTIONS: &[&str] = &[
    "ecr:*",
    "ecr:PutImage",
    "*",
    "ecr-public:*",
    "ecr:CreateRepository",
    "ecr:TagResource",
    "ecr-public:PutImage",
    "ecr:ListImageReferrers",
];

/// A resource with a variable, which may have no value.
fn with_variable(rng: &mut Rng, home: Home) -> String {
    let variable = rng.pick(&[
        "${aws:PrincipalTag/k}",
        "${aws:PrincipalTag/team}",
        "${aws:PrincipalTag/none}",
        "${aws:PrincipalTag/none, 'app'}",
        "${aws:PrincipalTag/none, 'team-?/*'}",
        "${aws:ResourceTag/k}",
        "${ecr:ResourceTag/k}",
        "${aws:TagKeys}",
        "${aws:SourceVpc}",
        "${aws:SourceIdentity}",
        "${ec2:SourceInstanceArn}",
        "${aws:PrincipalOrgID}",
        "${aws:username}",
    ]);
    let (partition, account) = (home.partition, home.account);
    match rng.below(10) {
        0 => format!("arn:{partition}:ecr:*:${{aws:ResourceAccount}}:repository/{variable}"),
        1 => format!("arn:{partition}:ecr:*:{variable}:repository/app"),
        2 => format!("arn:{partition}:ecr-public::{account}:repository/{variable}"),
        3 => format!("arn:{partition}:s3:::{variable}/*"),
        4 => format!("arn:{partition}:ecr:*:{variable}"),
        // AWS does not document a variable of a key with several values.
        5 if variable != "${aws:TagKeys}" => variable.to_owned(),
        6 => format!("arn:{partition}:ecr:*:*:repository/{variable}*"),
        _ => format!("arn:{partition}:ecr:*:*:repository/{variable}"),
    }
}

fn one_or_list(rng: &mut Rng, mut texts: Vec<String>) -> Value {
    if texts.len() == 1 && rng.chance(50) { texts.remove(0).into() } else { Value::from(texts) }
}

fn action(rng: &mut Rng, flavour: Flavour, writes: bool) -> String {
    let kind = rng.below(100);
    if flavour == Flavour::Wild && kind < 5 {
        return rng.pick(UNGRAMMATICAL_ACTIONS).to_owned();
    }
    if flavour.odd_actions() && kind < 45 {
        return rng.pick(ODD_ACTIONS).to_owned();
    }
    if kind > 92 {
        return rng.pick(OTHERS).to_owned();
    }
    let pool = if writes || rng.chance(45) { WRITES } else { READS };
    rng.pick(pool).to_owned()
}

/// An entry of Resource.
pub fn resource(rng: &mut Rng, flavour: Flavour, home: Home) -> String {
    let partition = home.partition;
    let region = *rng.choose(home.regions);
    if flavour.odd_resources() && rng.chance(20) {
        return short_or_strange(rng, home);
    }
    if partition == "aws" && rng.chance(10) {
        return match rng.below(4) {
            0 => format!("arn:aws:ecr-public::{}:registry/{}", home.account, home.account),
            1 => "arn:aws:ecr-public::*:registry/*".to_owned(),
            2 => format!("arn:aws:ecr-public::{}:repository/{}", home.account, name(rng, flavour)),
            _ => format!("arn:aws:ecr-public::*:repository/{}", name(rng, flavour)),
        };
    }
    let region = match rng.below(10) {
        0..4 => "*",
        4 => "us-*",
        5 if flavour.odd_resources() => "*-*-?",
        _ => region,
    };
    let account = match rng.below(20) {
        0..6 => "*",
        6 => "999988887777",
        7 if flavour.odd_resources() => "1111????????",
        8 if flavour.odd_resources() => "${aws:PrincipalAccount}",
        9 if flavour.odd_resources() => "${aws:ResourceAccount}",
        _ => home.account,
    };
    let of = if rng.chance(5) { "*" } else { partition };
    let name = name(rng, flavour);
    let kind =
        if flavour == Flavour::Wild && rng.chance(8) { rng.pick(&["repo*", "*", "?epository"]) } else { "repository" };
    format!("arn:{of}:ecr:{region}:{account}:{kind}/{name}")
}

fn short_or_strange(rng: &mut Rng, home: Home) -> String {
    let (partition, account) = (home.partition, home.account);
    let region = *rng.choose(home.regions);
    match rng.below(16) {
        0 => format!("arn:{partition}:ecr"),
        1 => format!("arn:{partition}:ecr:*"),
        2 => format!("arn:{partition}:ecr:{region}"),
        3 => format!("arn:{partition}:ecr:{region}:{account}"),
        4 => format!("arn:{partition}:ecr:*:repository/app"),
        5 => format!("arn:{partition}:ecr:{region}:*"),
        6 => format!("arn:{partition}:ecr*"),
        7 => "arn:*".to_owned(),
        8 => "arn:*:ecr:*:*:repository/*".to_owned(),
        9 => format!("arn:{partition}:ecr:*:*:*"),
        10 => format!("arn:{partition}:ecr:{region}:{account}:repository/app:latest"),
        11 => format!("arn:{partition}:s3:::bucket/*"),
        12 => format!("arn:{partition}:ecr:{region}:{account}:repo*"),
        13 => format!("arn:{partition}:ecr:us-*:repository/team-a/*"),
        14 => format!("arn:{partition}:ecr:{region}:{account}:repository*"),
        _ => format!("arn:{partition}:ecr:*:{account}:*/app"),
    }
}

fn name(rng: &mut Rng, flavour: Flavour) -> String {
    if flavour.odd_resources() && rng.chance(20) {
        return rng.pick(ODD_NAMES).to_owned();
    }
    if flavour == Flavour::Resources && rng.chance(50) {
        // A small alphabet, so that patterns overlap.
        return (0..=rng.below(6)).map(|_| *rng.choose(&['a', 'b', '1', '-', '/', '*', '*', '?'])).collect();
    }
    rng.pick(NAMES).to_owned()
}

/// A trust policy.
pub fn trust_policy(rng: &mut Rng, flavour: Flavour, home: Home) -> Value {
    let account = home.account;
    let oidc = format!("arn:{}:iam::{account}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC", home.partition);
    let suffix = if home.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let service = |name: &str| json!({ "Service": format!("{name}.{suffix}") });
    let kind = if flavour == Flavour::Realistic { rng.below(13) } else { 5 + rng.below(15) };
    let (principal, action) = match kind {
        0..9 => (service("ec2"), json!("sts:AssumeRole")),
        9 => (service("eks-fargate-pods"), json!("sts:AssumeRole")),
        10 => (json!({ "AWS": format!("arn:{}:iam::{account}:root", home.partition) }), json!("sts:AssumeRole")),
        11 => (json!({ "Federated": oidc }), json!("sts:AssumeRoleWithWebIdentity")),
        12 => (service("ssm"), json!(["sts:AssumeRole", "sts:SetSourceIdentity"])),
        13 => (json!({ "Service": [format!("ec2.{suffix}"), "lambda.amazonaws.com"] }), json!("sts:AssumeRole")),
        14 => (service("ec2"), json!(["sts:AssumeRole", "sts:TagSession"])),
        15 => (json!({ "Service": "rolesanywhere.amazonaws.com" }), json!(["sts:AssumeRole", "sts:TagSession"])),
        16 => (json!("*"), json!("sts:AssumeRole")),
        17 => (service("ec2"), json!("sts:*")),
        18 => (service("codebuild"), json!("sts:AssumeRole")),
        _ => (json!({ "AWS": account, "Service": format!("ec2.{suffix}") }), json!("sts:AssumeRole")),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": principal, "Action": action }],
    })
}
