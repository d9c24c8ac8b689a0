//! Conditions and trust policies about one theme, so that the statements of a role concern the same keys.

use super::conditions::{DATE_OPERATORS, NUMERIC_OPERATORS};
use super::{Home, Rng, Theme};
use serde_json::{Map, Value, json};

/// The kind of operators that a condition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Bool,
    Number,
    Date,
    Network,
    Binary,
    Arn,
}

const FAMILIES: [Family; 7] =
    [Family::Text, Family::Bool, Family::Number, Family::Date, Family::Network, Family::Binary, Family::Arn];

type Pool = (&'static str, Family, &'static [&'static str]);

const NETWORK: &[Pool] = &[
    (
        "aws:SourceIp",
        Family::Network,
        &["203.0.113.0/24", "10.0.0.0/8", "0.0.0.0/0", "192.000.002.0/24", "2001:db8::/32"],
    ),
    ("aws:VpcSourceIp", Family::Network, &["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/1", "010.0.0.0/8"]),
    ("aws:SourceVpc", Family::Text, &["vpc-0a1b2c3d", "vpc-1", "vpc-*", "${aws:Ec2InstanceSourceVpc}"]),
    ("aws:SourceVpce", Family::Text, &["vpce-0a1b2c3d", "vpce-1", "vpce-*"]),
    (
        "aws:SourceVpcArn",
        Family::Arn,
        &[
            "arn:aws:ec2:*:*:vpc/vpc-0a1b2c3d",
            "arn:aws:ec2:us-east-1:111122223333:vpc/*",
            "arn:aws:ec2:*:*:vpc/${aws:Ec2InstanceSourceVpc}",
            "*",
        ],
    ),
    ("aws:VpceAccount", Family::Text, &["111122223333", "999988887777", "${aws:PrincipalAccount}"]),
    ("aws:VpceOrgID", Family::Text, &["o-abc", "${aws:PrincipalOrgID}"]),
    ("aws:VpceOrgPaths", Family::Text, &["o-abc/*", "o-abc/r-1/ou-1/"]),
    ("aws:Ec2InstanceSourceVpc", Family::Text, &["vpc-0a1b2c3d", "vpc-1", "${aws:SourceVpc}"]),
    ("aws:Ec2InstanceSourcePrivateIPv4", Family::Network, &["10.0.0.0/8", "192.168.0.0/16", "8.0.0.0/8", "0.0.0.0/0"]),
    ("aws:Ec2InstanceSourcePrivateIPv4", Family::Text, &["${aws:VpcSourceIp}", "10.*"]),
    (
        "ec2:SourceInstanceArn",
        Family::Arn,
        &["arn:aws:ec2:*:111122223333:instance/*", "arn:aws:ec2:us-east-1:*:instance/i-0a1b2c3d", "*"],
    ),
    ("ec2:RoleDelivery", Family::Number, &["1.0", "2.0", "2", "3"]),
    ("aws:ViaAWSService", Family::Bool, &["true", "false", "True"]),
    ("aws:CalledVia", Family::Text, &["cloudformation.amazonaws.com", "athena.amazonaws.com", "*"]),
    ("aws:CalledViaFirst", Family::Text, &["cloudformation.amazonaws.com", "athena.amazonaws.com", "*"]),
    ("aws:CalledViaLast", Family::Text, &["cloudformation.amazonaws.com", "athena.amazonaws.com"]),
    ("aws:RequestedRegion", Family::Text, &["us-east-1", "us-west-2", "us-*", "eu-central-1"]),
    ("aws:userid", Family::Text, &["*:i-*", "*:ci", "AROA*"]),
    ("aws:PrincipalIsAWSService", Family::Bool, &["true", "false"]),
    ("lambda:SourceFunctionArn", Family::Arn, &["arn:aws:lambda:*:*:function:push"]),
];

const ORGANIZATIONS: &[Pool] = &[
    ("aws:PrincipalOrgID", Family::Text, &["o-abc", "o-xyz", "o-*", "${aws:ResourceOrgID}"]),
    ("aws:ResourceOrgID", Family::Text, &["o-abc", "o-xyz", "o-*", "${aws:PrincipalOrgID}"]),
    ("aws:PrincipalOrgPaths", Family::Text, &["o-abc/r-1/ou-1/", "o-abc/*", "o-xyz/*"]),
    ("aws:ResourceOrgPaths", Family::Text, &["o-abc/r-1/ou-1/", "o-abc/*", "o-xyz/r-2/*"]),
    ("aws:ResourceAccount", Family::Text, &["111122223333", "999988887777", "${aws:PrincipalAccount}"]),
    ("aws:VpceOrgID", Family::Text, &["o-abc", "${aws:ResourceOrgID}"]),
    ("aws:SourceOrgID", Family::Text, &["o-abc"]),
];

const SESSIONS: &[Pool] = &[
    ("aws:MultiFactorAuthPresent", Family::Bool, &["true", "false", "TRUE", "no"]),
    ("aws:MultiFactorAuthAge", Family::Number, &["3600", "0", "300"]),
    ("aws:SourceIdentity", Family::Text, &["alice", "bob", "a*", "${aws:PrincipalTag/team}"]),
    ("aws:ChatbotSourceArn", Family::Arn, &["arn:aws:chatbot::*:chat-configuration/*", "*"]),
    (
        "aws:SignInSessionArn",
        Family::Arn,
        &["arn:aws:signin:*:*:session/*", "arn:aws:signin:us-east-1:111122223333:session/x"],
    ),
    ("aws:AssumedRoot", Family::Bool, &["true", "false"]),
    ("aws:referer", Family::Text, &["https://example.com/*", "*"]),
    ("aws:FederatedProvider", Family::Text, &["arn:aws:iam::111122223333:saml-provider/corp", "*"]),
    ("saml:aud", Family::Text, &["https://signin.aws.amazon.com/saml"]),
    ("oidc.eks.us-east-1.amazonaws.com/id/ABC:sub", Family::Text, &["system:serviceaccount:a:b", "system:*"]),
    ("cognito-identity.amazonaws.com:amr", Family::Text, &["authenticated", "unauth*"]),
    ("glue:RoleAssumedBy", Family::Text, &["glue.amazonaws.com"]),
    ("identitystore:UserId", Family::Text, &["94482488-3041-7026-18f3-be45837cd0e4", "*"]),
    ("codebuild:BuildArn", Family::Arn, &["arn:aws:codebuild:*:*:build/push:*"]),
    ("ssm:SourceInstanceArn", Family::Arn, &["arn:aws:ec2:*:*:instance/*", "arn:aws:ssm:*:*:managed-instance/mi-*"]),
    ("ec2:SourceInstanceArn", Family::Arn, &["arn:aws:ec2:*:*:instance/*"]),
    ("lambda:SourceFunctionArn", Family::Arn, &["arn:aws:lambda:*:*:function:push"]),
    ("aws:ViaAWSService", Family::Bool, &["true", "false"]),
    ("aws:userid", Family::Text, &["*:i-*", "*:ci", "*:alice"]),
    ("aws:TokenIssueTime", Family::Date, &["2026-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
    ("aws:PrincipalTag/team", Family::Text, &["platform", "*"]),
    ("aws:PrincipalServiceName", Family::Text, &["ec2.amazonaws.com"]),
    ("sts:ExternalId", Family::Text, &["x"]),
];

const TIMES: &[Pool] = &[
    ("aws:CurrentTime", Family::Date, DATES),
    ("aws:EpochTime", Family::Date, DATES),
    ("aws:EpochTime", Family::Number, &["1893456000", "1800000001", "9007199254740993"]),
    ("aws:TokenIssueTime", Family::Date, DATES),
    ("aws:CurrentTime", Family::Text, &["2030-*", "*Z"]),
];

const TAG_KEYS: &[&str] = &[
    "aws:PrincipalTag/k",
    "aws:PrincipalTag/Other",
    "aws:ResourceTag/k",
    "ecr:ResourceTag/k",
    "ecr:ResourceTag/k",
    "ecr-public:ResourceTag/k",
    "aws:ResourceTag/other",
    "ecr:ResourceTag/Other",
    "aws:RequestTag/k",
    "aws:TagKeys",
];

const TEXTS: &[&str] = &[
    "true",
    "True",
    "10",
    "?",
    "??",
    "a?b",
    "*😀*",
    "a😀b",
    "𐐀",
    "𐐨",
    "İ",
    "i",
    "i̇",
    "É",
    "é",
    "ſ",
    "S",
    "ΑΣ",
    "ας",
    "K",
    "\u{212a}",
    "k",
    "",
    "*",
    "a*",
    "k",
    "${aws:PrincipalTag/k}",
    "${aws:PrincipalTag/other}",
    "${aws:ResourceTag/k}",
    "${ecr:ResourceTag/other}",
    "${aws:PrincipalTag/none}",
];

const BOOLEANS: &[&str] = &["true", "false", "True", "FALSE", "yes", "no", "1", ""];

const NUMBERS: &[&str] = &[
    "1",
    "01",
    "1.0",
    "10",
    "-1",
    "+5",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "99999999999999999999",
    "0.5",
    "1e1",
    ".5",
    "5.",
    "many",
];

const DATES: &[&str] = &[
    "2030-01-01T00:00:00Z",
    "2030-01-01T00:00:00",
    "2030-01-01T00:00:00.0005Z",
    "2030-01-01T00:00:00.001Z",
    "2030-01-01T01:00:00+01:00",
    "+1893456000",
    "1893456000",
    "2030-01-01",
    "2030",
    "soon",
];

const NETWORKS: &[&str] = &[
    "192.000.002.0/24",
    "192.0.2.0/24",
    "010.0.0.0/8",
    "10.0.0.0/8",
    "8.0.0.0/8",
    "10.0.0.1",
    "010.0.0.1",
    "10.0.0.1/32",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.1",
    "2001:db8::/32",
    "2001:db8::1",
    "0.0.0.0/0",
    "::/0",
    "09.0.0.0/8",
    "10.0.0.0/08",
    "::ffff:0:0/96",
    "nowhere",
];

const BYTES: &[&str] = &["YQ==", "YR==", "YQ", "dHJ1ZQ==", "MTA=", "????"];

const ARNS: &[&str] = &[
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::111122223333:role/?",
    "arn:aws:ecr:*:*:repository/app",
    "arn:*:*:*:*:*",
    "${aws:PrincipalTag/other}",
    "arn:aws:iam::*:role/${aws:PrincipalTag/other}",
    "*",
    "app",
    "arn:aws:iam",
    "arn:aws:${aws:PrincipalTag/other}:111122223333:*",
    "a:*:*:*:*:*",
];

/// Values of the role's tags: of every type that an operator reads.
pub const TAG_VALUES: &[&str] = &[
    "true",
    "True",
    "TRUE",
    "false",
    "no",
    "1",
    "01",
    "10",
    "1.5",
    "9007199254740993",
    "2030-01-01T00:00:00Z",
    "2030-01-01T00:00:00.0005Z",
    "2030-01-01T00:00:00",
    "+1893456000",
    "192.0.2.7",
    "192.000.002.7",
    "010.0.0.1",
    "10.0.0.1",
    "::ffff:10.0.0.1",
    "10.0.0.0/8",
    "2001:db8::1",
    "YQ==",
    "YR==",
    "a",
    "arn:aws:iam::111122223333:role/x",
    "arn:aws:iam::111122223333:role/😀",
    "😀",
    "a😀b",
    "𐐨",
    "İ",
    "é",
    "s",
    "",
    "app",
    "a:b:c:d:e:f",
    "iam:",
    "K",
    "*",
];

fn operators(family: Family) -> &'static [&'static str] {
    match family {
        Family::Text => &[
            "StringEquals",
            "StringNotEquals",
            "StringLike",
            "StringNotLike",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
        ],
        Family::Bool => &["Bool"],
        Family::Number => NUMERIC_OPERATORS,
        Family::Date => DATE_OPERATORS,
        Family::Network => &["IpAddress", "NotIpAddress"],
        Family::Binary => &["BinaryEquals"],
        Family::Arn => &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
    }
}

fn tag_values(family: Family) -> &'static [&'static str] {
    match family {
        Family::Text => TEXTS,
        Family::Bool => BOOLEANS,
        Family::Number => NUMBERS,
        Family::Date => DATES,
        Family::Network => NETWORKS,
        Family::Binary => BYTES,
        Family::Arn => ARNS,
    }
}

/// A Condition element about a theme.
pub fn themed_conditions(rng: &mut Rng, theme: Theme, home: Home) -> Value {
    let mut block = Map::new();
    for _ in 0..=rng.below(3) {
        let (key, family, pool) = match theme {
            Theme::Network => *rng.choose(NETWORK),
            Theme::Organizations => *rng.choose(ORGANIZATIONS),
            Theme::Sessions => *rng.choose(SESSIONS),
            Theme::Times => *rng.choose(TIMES),
            Theme::Tags | Theme::Everything => {
                let family = if rng.chance(35) { Family::Text } else { *rng.choose(&FAMILIES) };
                let key = rng.pick(TAG_KEYS);
                if key == "aws:TagKeys" { (key, Family::Text, TEXTS) } else { (key, family, tag_values(family)) }
            }
        };
        let (operator, values) = if rng.chance(15) {
            ("Null".to_owned(), vec![null(rng)])
        } else {
            (operator(rng, key, family), (0..=rng.below(3)).map(|_| as_json(rng, pool, home)).collect())
        };
        let key = if rng.chance(5) { key.to_uppercase() } else { key.to_owned() };
        let keys = block.entry(operator).or_insert_with(|| json!({}));
        keys[key] = if values.len() == 1 && rng.chance(60) { values[0].clone() } else { Value::from(values) };
    }
    Value::Object(block)
}

fn null(rng: &mut Rng) -> Value {
    if rng.chance(70) { json!(rng.chance(50)) } else { rng.pick(&["True", "no", "", "false", "true"]).into() }
}

fn operator(rng: &mut Rng, key: &str, family: Family) -> String {
    let set = key.ends_with("Paths") || key.ends_with(":amr") || key == "aws:TagKeys" || key == "aws:CalledVia";
    let prefix = if rng.chance(if set { 80 } else { 10 }) { rng.pick(&["ForAllValues:", "ForAnyValue:"]) } else { "" };
    let suffix = if rng.chance(20) { "IfExists" } else { "" };
    format!("{prefix}{}{suffix}", rng.pick(operators(family)))
}

fn as_json(rng: &mut Rng, pool: &[&str], home: Home) -> Value {
    let text = rng.pick(pool);
    if rng.chance(30)
        && text.len() != 12
        && let Ok(value @ (Value::Bool(_) | Value::Number(_))) = serde_json::from_str::<Value>(text)
        && serde_json::to_string(&value).is_ok_and(|written| written == text)
    {
        return value;
    }
    text.replace("arn:aws:", &format!("arn:{}:", home.partition)).into()
}

/// A trust policy with one or two statements, of every kind of principal.
pub fn themed_trust_policy(rng: &mut Rng, home: Home) -> Value {
    let statements: Vec<Value> = (0..=rng.below(2)).map(|_| trust_statement(rng, home)).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn trust_statement(rng: &mut Rng, home: Home) -> Value {
    let (partition, account) = (home.partition, home.account);
    let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
    let service = |name: &str| json!({ "Service": format!("{name}.{suffix}") });
    let iam = |name: &str| json!({ "AWS": format!("arn:{partition}:iam::{account}:{name}") });
    let kind = rng.below(20);
    let principal = match kind {
        0..7 => service("ec2"),
        7 => json!({ "Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"] }),
        8 => json!({ "Service": "chatbot.amazonaws.com" }),
        9 => service(rng.pick(&["ssm", "lambda", "codebuild", "glue", "rolesanywhere", "pods.eks"])),
        10 => iam("root"),
        11 => json!({ "AWS": account }),
        12 => iam("user/alice"),
        13 => iam("role/ci"),
        14 => json!({ "AWS": rng.pick(&["AROAEXAMPLEEXAMPLE123", "AIDAEXAMPLEEXAMPLE123"]) }),
        15 => json!({ "Federated": format!("arn:{partition}:iam::{account}:saml-provider/corp") }),
        16 => json!({
            "Federated": format!("arn:{partition}:iam::{account}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC")
        }),
        17 => json!({ "Federated": "cognito-identity.amazonaws.com" }),
        18 => json!("*"),
        _ => json!({ "AWS": "*" }),
    };
    let assume = match kind {
        15 => "sts:AssumeRoleWithSAML",
        16 | 17 => "sts:AssumeRoleWithWebIdentity",
        _ => "sts:AssumeRole",
    };
    let action = match rng.below(10) {
        0 => json!([assume, "sts:TagSession"]),
        1 => json!([assume, "sts:SetSourceIdentity"]),
        2 => json!("sts:*"),
        3 => json!([assume, "sts:Set*"]),
        _ => json!(assume),
    };
    json!({ "Effect": "Allow", "Principal": principal, "Action": action })
}
