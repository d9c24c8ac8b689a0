//! Time and memory of the command line for a file of 10,000 roles, compared with the time of `serde_json` to read the file
//! into a `Value`: `cargo bench --no-default-features --features cli --bench account`.
//!
//! One account has ordinary roles, the other the unusual ones that the tests generate. Each time is the median of several
//! rounds. The two sides alternate, so that other load on the machine slows both.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::generate::account::account;

#[path = "../tests/support/mod.rs"]
mod support;

const ROLES: usize = 10_000;
const ROUNDS: usize = 7;

const READ: [&str; 12] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
];

fn document(statements: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn managed(name: &str, statements: Value) -> Value {
    json!({
        "PolicyName": name, "Arn": format!("arn:aws:iam::111122223333:policy/{name}"), "DefaultVersionId": "v1",
        "PolicyVersionList": [{ "VersionId": "v1", "IsDefaultVersion": true, "Document": document(statements) }],
    })
}

/// Roles of nodes, functions and tasks with typical policies. One role in ten can push.
fn ordinary() -> Value {
    let allow = |actions: Value, resource: Value| json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
    let mut policies = vec![
        managed("worker", json!([allow(json!(["ec2:Describe*", "eks:DescribeCluster"]), json!("*"))])),
        managed("read", json!([allow(json!(READ), json!("*"))])),
    ];
    for team in 0..200 {
        let statement =
            |n: usize| allow(json!(["s3:GetObject", "sqs:*"]), json!(format!("arn:aws:s3:::t{team}-{n}/*")));
        policies.push(managed(&format!("team-{team}"), (0..4).map(statement).collect()));
    }
    let role = |n: usize| {
        let name = format!("role-{n:05}");
        let service = ["ec2.amazonaws.com", "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"][n % 3];
        let mut statements = vec![
            json!({ "Sid": "Logs", "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": format!("arn:aws:logs:eu-west-1:111122223333:log-group:/app/{name}:*") }),
            json!({ "Sid": "Data", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [format!("arn:aws:s3:::data-{n}"), format!("arn:aws:s3:::data-{n}/*")],
                "Condition": { "StringEquals": { "aws:ResourceAccount": "111122223333" } } }),
            json!({ "Sid": "Secrets", "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"],
                "Resource": [format!("arn:aws:secretsmanager:eu-west-1:111122223333:secret:{name}-*")] }),
            json!({ "Sid": "Elsewhere", "Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*",
                "Condition": { "StringNotEquals": { "aws:RequestedRegion": ["eu-west-1", "us-east-1"] } } }),
        ];
        match n % 10 {
            0 => statements.push(json!({ "Sid": "Push", "Effect": "Allow",
                "Action": ["ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
                "Resource": format!("arn:aws:ecr:*:*:repository/{name}/*") })),
            1 | 2 => statements.push(allow(json!(READ), json!("*"))),
            _ => {}
        }
        let attached: &[&str] = if n.is_multiple_of(3) { &["worker", "read"] } else { &[] };
        let team = format!("team-{}", n % 200);
        let attached = attached.iter().copied().chain([team.as_str()]);
        let attached = attached.map(
            |policy| json!({ "PolicyName": policy, "PolicyArn": format!("arn:aws:iam::111122223333:policy/{policy}") }),
        );
        json!({
            "Path": "/", "RoleName": name, "RoleId": format!("AROA{n:017}"), "CreateDate": "2025-01-01T00:00:00+00:00",
            "Arn": format!("arn:aws:iam::111122223333:role/{name}"),
            "AssumeRolePolicyDocument": document(json!([{
                "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }])),
            "InstanceProfileList": [], "RoleLastUsed": { "Region": "eu-west-1" },
            "RolePolicyList": [{ "PolicyName": "own", "PolicyDocument": document(statements.into()) }],
            "AttachedManagedPolicies": attached.collect::<Vec<_>>(),
            "Tags": [{ "Key": "team", "Value": format!("t{}", n % 50) }],
        })
    };
    json!({ "RoleDetailList": (0..ROLES).map(role).collect::<Vec<_>>(), "Policies": policies, "IsTruncated": false })
}

/// Runs the command. Returns its time, and the most memory that it used, in kilobytes.
fn check(file: &Path) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecr-read-only"))
        .args(["check", "--all-roles", "--format", "json", "--account-details"])
        .arg(file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|kb| kb.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    (start.elapsed(), most)
}

fn compare(name: &str, details: &Value) {
    let text = serde_json::to_string_pretty(details).unwrap();
    let file = std::env::temp_dir().join(format!("ecr-read-only-bench-{}.json", std::process::id()));
    fs::write(&file, &text).unwrap();
    let (mut checks, mut reads, mut most) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (time, resident) = check(&file);
        checks.push(time);
        most = most.max(resident);
        let start = Instant::now();
        let read: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        reads.push(start.elapsed());
        drop(black_box(read));
    }
    fs::remove_file(&file).unwrap();
    checks.sort_unstable();
    reads.sort_unstable();
    let (check, read, megabytes) = (checks[ROUNDS / 2], reads[ROUNDS / 2], text.len() as f64 / 1e6);
    println!(
        "{name}: {ROLES} roles, {megabytes:.0} MB: {check:.2?}; serde_json reads the file in {read:.2?}: {:.1} times that; \
         at most {:.0} MB resident, {:.1} times the file",
        check.as_secs_f64() / read.as_secs_f64(),
        most as f64 / 1e3,
        most as f64 / 1e3 / megabytes
    );
}

fn main() {
    compare("ordinary roles", &ordinary());
    compare("generated roles", &account(1, ROLES));
}
