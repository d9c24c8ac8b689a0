//! The time to decide one role, compared with the time of `serde_json` to read its documents into a `Value`:
//! `cargo bench --no-default-features --bench decide`.
//!
//! Each time is the median of many rounds. The two sides alternate, so that other load on the machine slows both.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ecr_read_only::access::{Decision, Policy, PolicySource, Role, permissions};
use ecr_read_only::policy::{Document, TrustPolicy};
use time::OffsetDateTime;

const AT: i64 = 1_800_000_000;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;

/// AWS's three recommended policies for nodes, shortened where they are about other services, and one inline policy.
const TYPICAL: [&str; 4] = [
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"WorkerNodePermissions","Effect":"Allow","Action":["ec2:DescribeInstances","ec2:DescribeInstanceTypes","ec2:DescribeRouteTables","ec2:DescribeSecurityGroups","ec2:DescribeSubnets","ec2:DescribeVolumes","ec2:DescribeVolumesModifications","ec2:DescribeVpcs","eks:DescribeCluster","eks-auth:AssumeRoleForPodIdentity"],"Resource":"*"}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Sid":"AmazonEKSCNIPolicy","Effect":"Allow","Action":["ec2:AssignPrivateIpAddresses","ec2:AttachNetworkInterface","ec2:CreateNetworkInterface","ec2:DeleteNetworkInterface","ec2:DescribeInstances","ec2:DescribeTags","ec2:DescribeNetworkInterfaces","ec2:DescribeInstanceTypes","ec2:DescribeSubnets","ec2:DetachNetworkInterface","ec2:ModifyNetworkInterfaceAttribute","ec2:UnassignPrivateIpAddresses"],"Resource":"*"},{"Sid":"AmazonEKSCNIPolicyENITag","Effect":"Allow","Action":["ec2:CreateTags"],"Resource":["arn:aws:ec2:*:*:network-interface/*"]}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability","ecr:GetDownloadUrlForLayer","ecr:GetRepositoryPolicy","ecr:DescribeRepositories","ecr:ListImages","ecr:DescribeImages","ecr:BatchGetImage","ecr:GetLifecyclePolicy","ecr:GetLifecyclePolicyPreview","ecr:ListTagsForResource","ecr:DescribeImageScanFindings"],"Resource":"*"}]}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]},{"Effect":"Deny","Action":"ecr:*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}]}"#,
];

/// The largest role that IAM's limits permit: 24 managed policies of 6,144 characters, full of statements. `statement` gets
/// the number of the policy and of the statement in it.
fn full(statement: impl Fn(usize, usize) -> String) -> Vec<String> {
    let policy = |policy| {
        let mut statements = Vec::new();
        let mut length = 0;
        loop {
            let next = statement(policy, statements.len());
            length += next.len() + 1;
            if length > 6_100 {
                break;
            }
            statements.push(next);
        }
        format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
    };
    (0..24).map(policy).collect()
}

/// Roles that are hard to decide for different reasons.
fn worst() -> Vec<(&'static str, Vec<String>)> {
    let on = |effect: &str, name: &str| {
        format!(r#"{{"Effect":"{effect}","Action":"ecr:*","Resource":"arn:aws:ecr:*:*:repository/{name}""#)
    };
    let stars = |i: usize, n: usize| match n % 3 {
        0 => format!("{}}}", on("Allow", &format!("*a{i}*b{n}*c*"))),
        1 => format!("{}}}", on("Deny", &format!("*{n}*{i}*"))),
        _ => format!(
            r#"{{"Effect":"Deny","Action":"ecr:*","Resource":"arn:aws:ecr:*-{n}:*:repository/*x*{i}*","Condition":{{"StringLike":{{"aws:PrincipalTag/t{n}":"*a*{i}*"}},"IpAddress":{{"aws:SourceIp":"10.{i}.0.0/16"}}}}}}"#
        ),
    };
    let all = r#"{"Effect":"Allow","Action":"ecr:*","Resource":"*"}"#;
    let choices = |i: usize, n: usize| match (i, n) {
        (0, 0) => all.to_owned(),
        _ => format!(
            r#"{{"Effect":"Deny","Action":"ecr:*","Resource":"*","Condition":{{"StringEquals":{{"aws:ResourceTag/a{}":"{}"}},"Null":{{"aws:ResourceTag/b{}":"{}"}}}}}}"#,
            (i * 7 + n * 3) % 40,
            n % 3,
            (i * 5 + n * 11) % 40,
            (i + n).is_multiple_of(2),
        ),
    };
    let listed = |i: usize, n: usize| {
        let values: Vec<String> = (0..220).map(|v| format!("\"v{}\"", (v * 31 + i * 17 + n * 7) % 9_000)).collect();
        let (effect, operator) = if n == 0 { ("Allow", "StringEquals") } else { ("Deny", "ForAnyValue:StringEquals") };
        format!(
            r#"{{"Effect":"{effect}","Action":"ecr:*","Resource":"*","Condition":{{"{operator}":{{"aws:ResourceTag/k":[{}]}}}}}}"#,
            values.join(",")
        )
    };
    let unknown = |i: usize, n: usize| {
        let actions: Vec<String> = (0..300).map(|a| format!("\"ecr:a{i}b{n}c{a}\"")).collect();
        format!(r#"{{"Effect":"Allow","Action":[{}],"Resource":"*"}}"#, actions.join(","))
    };
    let variables = |i: usize, n: usize| match n % 2 {
        0 => format!("{}}}", on("Allow", &format!("${{aws:PrincipalTag/t{n}}}-{i}/*${{aws:PrincipalTag/u{i}}}*"))),
        _ => format!("{}}}", on("Deny", &format!("*${{aws:PrincipalTag/t{n}}}*"))),
    };
    let long = |i: usize, n: usize| {
        format!(
            "{}}}",
            on(if n.is_multiple_of(2) { "Allow" } else { "Deny" }, &format!("*{}*{n}*{i}", "ab".repeat(60)))
        )
    };
    vec![
        ("patterns with many stars, Denies under conditions", full(stars)),
        ("Denies that cut one another", full(choices)),
        ("hundreds of listed values", full(listed)),
        ("thousands of unknown actions", full(unknown)),
        ("variables in names", full(variables)),
        ("long names", full(long)),
    ]
}

fn at() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(AT).unwrap()
}

fn role(documents: &[impl AsRef<str>]) -> Role {
    let policy = |(i, text): (usize, &_)| Policy {
        source: PolicySource::Inline(format!("policy-{i}")),
        document: Arc::new(Document::parse(AsRef::<str>::as_ref(text)).unwrap()),
    };
    Role {
        arn: "arn:aws:iam::123456789012:role/node".to_owned(),
        id: "AROAEXAMPLEEXAMPLE123".to_owned(),
        trust_policy: TrustPolicy::parse(TRUST).unwrap(),
        tags: Vec::new(),
        policies: documents.iter().enumerate().map(policy).collect(),
        permissions_boundary: None,
        session_policy: None,
    }
}

fn time(rounds: usize, mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..rounds {
        work();
    }
    start.elapsed() / u32::try_from(rounds).unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn compare(name: &str, documents: &[impl AsRef<str>], rounds: usize, repeats: usize) {
    let role = role(documents);
    let (mut decide, mut read) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        decide.push(time(rounds, || {
            black_box(permissions(black_box(&role), at()));
        }));
        read.push(time(rounds, || {
            for text in documents {
                black_box(serde_json::from_str::<serde_json::Value>(text.as_ref()).unwrap());
            }
        }));
    }
    let (decide, read) = (median(decide), median(read));
    let decisions = permissions(&role, at()).catalogued;
    let permitted = decisions.iter().filter(|d| matches!(d, Decision::Permitted(_))).count();
    let undecided = decisions.iter().filter(|d| matches!(d, Decision::Undecided)).count();
    println!(
        "{name}: {decide:?} to decide 87 actions ({permitted} permitted, {undecided} undecided); serde_json reads the \
         documents in {read:?}: {:.2} times that",
        decide.as_secs_f64() / read.as_secs_f64()
    );
}

fn main() {
    compare("typical node role", &TYPICAL, 2_000, 21);
    for (name, documents) in worst() {
        compare(&format!("worst role, {name}"), &documents, 1, 5);
    }
}
