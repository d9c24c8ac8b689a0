//! The command line as a user runs it: its output and its exit status.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "clippy takes the helpers of tests for no tests"
)]

mod command;
mod field;
mod files;
#[path = "../support/report_schema.rs"]
mod report_schema;

use std::process::Command;

use serde_json::{Value, json};

use crate::command::{BINARY, report, run};
use crate::report_schema::{checked_report, faults};

fn role(name: &str, document: &Value, attached: &[&str]) -> Value {
    let attached: Vec<Value> = attached.iter().map(|arn| json!({ "PolicyName": "p", "PolicyArn": arn })).collect();
    json!({
        "RoleName": name, "RoleId": format!("AROA{name}"), "Arn": format!("arn:aws:iam::123456789012:role/{name}"),
        "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" } },
        "RolePolicyList": [{ "PolicyName": "inline", "PolicyDocument": document }],
        "AttachedManagedPolicies": attached,
        "Tags": [], "InstanceProfileList": [],
    })
}

fn allow(actions: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
}

const WORKER: &str = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";

fn page(roles: &[Value]) -> Value {
    json!({ "RoleDetailList": roles, "Policies": [{ "Arn": WORKER, "DefaultVersionId": "v2", "PolicyVersionList": [
        { "VersionId": "v1", "IsDefaultVersion": false, "Document": allow("*") },
        { "VersionId": "v2", "IsDefaultVersion": true, "Document": allow("ec2:Describe*") },
    ] }] })
}

fn verdicts(roles: &[Value]) -> Vec<&str> {
    roles.iter().map(|role| role["verdict"].as_str().unwrap_or("error")).collect()
}

#[test]
fn options_select_the_roles_and_set_the_criteria() {
    let mut tagged = role("tagged", &allow("ecr:PutImage"), &[]);
    tagged["Tags"] = json!([{ "Key": "kubernetes.io/cluster/prod", "Value": "owned" }]);
    let mut lambda = role("lambda", &allow("ecr:PutImage"), &[WORKER]);
    lambda["AssumeRolePolicyDocument"]["Statement"]["Principal"]["Service"] = json!("lambda.amazonaws.com");
    let file = page(&[role("worker", &allow("ecr:Get*"), &[WORKER]), tagged, lambda, role("web", &allow("*"), &[])]);
    let (no, yes, not) = ("NON_COMPLIANT", "COMPLIANT", "NOT_APPLICABLE");
    for (arguments, expected, status) in [
        (&[][..], [yes, no, not, not], 1),
        (&["--role", "web", "--role", "worker"], [yes, no, not, no], 1),
        (&["--all-roles"], [yes, no, no, no], 1),
        (&["--additional-allowed-actions", "ecr:putimage, ecr:TagResource"], [yes, yes, not, not], 0),
        (&["--allowed-access", "pull-only"], [no, no, not, not], 1),
        (&["--require-pull-access"], [no, no, not, not], 1),
    ] {
        let (roles, exit) = report(arguments, &file);
        assert_eq!((verdicts(&roles), exit), (expected.to_vec(), status), "{arguments:?}");
    }
}

#[test]
fn json_report_starts_with_sources_and_criteria() {
    let file = page(&[role("worker", &allow("ecr:Get*"), &[WORKER])]);
    let options = ["--allowed-access", "cis", "--additional-allowed-actions", "ecr:putimage,ecr:TagResource"];
    let more = ["--require-pull-access", "--at", "2026-11-23T01:30:00+01:30", "--format", "json"];
    let output = run(&[&options[..], &more[..]].concat(), file.to_string());
    let mut report = checked_report(&output.stdout);
    report.as_object_mut().unwrap().remove("roles").unwrap();
    assert_eq!(
        report,
        json!({
            "schema": "1.0", "tool_version": env!("CARGO_PKG_VERSION"), "catalogue_date": "2026-10-27",
            "operations_source": "botocore 1.44.8", "operations_date": "2026-11-20", "at": "2026-11-23T00:00:00Z",
            "criteria": { "allowed_access": "cis", "additional_allowed_actions": ["ecr:putimage", "ecr:TagResource"],
                "require_pull_access": true },
            "accounts": [{ "id": "123456789012", "error": null }],
        })
    );
}

#[test]
fn report_of_another_form_does_not_fit_the_schema() {
    let output = run(&["--format", "json"], page(&[role("worker", &allow("ecr:*"), &[WORKER])]).to_string());
    let report = checked_report(&output.stdout);
    for (path, value, expected) in [
        ("/schema", json!("2.0"), "$.schema is \"2.0\", expected \"1.0\""),
        ("/more", json!(1), "$.more is not allowed"),
        ("/criteria/more", json!(1), "$.criteria.more is not allowed"),
        ("/roles/0/verdict", json!("GOOD"), "$.roles[0].verdict is \"GOOD\", expected "),
        ("/roles/0/error", json!("cause"), "$.roles[0] is {"),
        ("/roles/0/excess/0/more", json!(1), "$.roles[0].excess[0].more is not allowed"),
        (
            "/roles/0/excess/0/context",
            json!({ "k": "v" }),
            "$.roles[0].excess[0].context.k is \"v\", expected \"array\"",
        ),
        ("/roles/0/excess/0/grants/0/sid", json!(1), "$.roles[0].excess[0].grants[0].sid is 1, expected "),
        ("/roles/0/excess/0/assumed", json!([{ "key": "k" }]), "$.roles[0].excess[0].assumed[0] is {"),
    ] {
        let mut other = report.clone();
        let (parent, name) = path.rsplit_once('/').unwrap();
        other.pointer_mut(parent).unwrap()[name] = value;
        let faults = faults(&other);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{path}: {faults:#?}");
    }
    let mut without = report;
    without["roles"][0].as_object_mut().unwrap().remove("node_of").unwrap();
    assert_eq!(faults(&without), ["$.roles[0] has no \"node_of\""]);
}

#[test]
fn json_report_holds_the_request_and_its_statements() {
    let (roles, _) = report(&[], &page(&[role("worker", &allow("ecr:PutImage"), &[WORKER])]));
    assert_eq!(
        roles[0]["excess"][0],
        json!({
            "action": "ecr:PutImage", "access_level": "Write", "context": {},
            "resource": "arn:aws:ecr:us-east-1:123456789012:repository/app",
            "grants": [{ "policy": "inline", "kind": "inline", "sid": null, "statement": 0 }],
        })
    );
    let missing = ["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"];
    assert_eq!(roles[0]["missing"], json!(missing));
    assert_eq!((&roles[0]["error"], &roles[0]["undecided"]), (&Value::Null, &json!([])));
}

#[test]
fn text_report_shows_verdict_request_and_statement() {
    let mut document = allow("ecr:PutImage");
    document["Statement"][0]["Condition"] = json!({ "StringEquals": { "aws:PrincipalTag/team": "shop" } });
    let mut pusher = role("pusher", &document, &[WORKER]);
    pusher["Tags"] = json!([{ "Key": "team", "Value": "shop" }]);
    let mut broken = role("broken", &allow("ecr:Get*"), &[WORKER]);
    broken["RolePolicyList"][0]["PolicyDocument"] = Value::Null;
    let file = page(&[pusher, role("reader", &allow("ecr:Get*"), &[WORKER]), role("web", &allow("*"), &[]), broken]);
    let output = run(&[], file.to_string());
    let expected = "\
NON_COMPLIANT   pusher can call ecr:PutImage (inline, statement 0). Policy AmazonEKSWorkerNodePolicy.
    ecr:PutImage (Write) on arn:aws:ecr:us-east-1:123456789012:repository/app
        with aws:PrincipalTag/team = shop
        allowed by policy inline, statement 0
COMPLIANT       reader can only read from Amazon ECR. It cannot pull: no ecr:BatchGetImage. Policy AmazonEKSWorkerNodePolicy.
NOT_APPLICABLE  web is not a node role as far as the file shows.
ERROR           broken: policy `inline` has no `PolicyDocument`
";
    assert_eq!((String::from_utf8(output.stdout).unwrap().as_str(), output.status.code()), (expected, Some(2)));
}

#[test]
fn refused_option_lists_what_blocks_each_action() {
    let mut document = allow("ecr:*");
    for (sid, effect, action) in [("NoPush", "Deny", "ecr:PutImage"), ("NoDelete", "Deny", "ecr:*Delete*")] {
        let statement = json!({ "Sid": sid, "Effect": effect, "Action": action, "Resource": "*" });
        document["Statement"].as_array_mut().unwrap().push(statement);
    }
    let file = page(&[role("worker", &document, &[WORKER])]);
    assert!(report(&[], &file).0[0].get("refused").is_none());
    let (roles, _) = report(&["--refused"], &file);
    let refused = roles[0]["refused"].as_array().unwrap();
    let of = |action: &str| refused.iter().find(|one| one["action"] == action);
    let no_push = json!([{ "policy": "inline", "kind": "inline", "sid": "NoPush", "statement": 1 }]);
    let denied = json!({ "action": "ecr:PutImage", "access_level": "Write", "by": "denied", "statements": no_push });
    assert_eq!(of("ecr:PutImage"), Some(&denied));
    assert_eq!(of("ecr-public:PutImage").unwrap()["by"], "no_allow");
    assert_eq!(of("ecr:InitiateLayerUpload"), None);
    let output = run(&["--refused"], file.to_string());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("    cannot call, denied by policy inline, statement NoPush: ecr:PutImage\n"), "{text}");
}

#[test]
fn remark_is_on_own_policies_and_not_on_those_of_aws() {
    let managed = |arn: &str, actions: &str| {
        json!({ "Arn": arn, "PolicyVersionList": [
            { "VersionId": "v1", "IsDefaultVersion": true, "Document": allow(actions) }] })
    };
    let (of_aws, own) = ("arn:aws:iam::aws:policy/Future", "arn:aws:iam::123456789012:policy/own");
    let mut file = page(&[role("worker", &allow("ecr:Get*"), &[WORKER, of_aws, own])]);
    file["Policies"].as_array_mut().unwrap().extend([managed(of_aws, "ecr:Future*"), managed(own, "ecr:Future*")]);
    let text = "no action of ECR matches `ecr:Future*`";
    let remark = json!({ "kind": "other", "policy": own, "statement": 0, "sid": null, "text": text });
    let (roles, exit) = report(&[], &file);
    assert_eq!((&roles[0]["remarks"], exit), (&json!([remark]), 0));
    // As the boundary too, the policy still has one remark.
    let mut bounded = file.clone();
    bounded["RoleDetailList"][0]["PermissionsBoundary"] = json!({ "PermissionsBoundaryArn": own });
    assert_eq!(report(&[], &bounded).0[0]["remarks"], json!([remark]));
    let output = String::from_utf8(run(&[], file.to_string()).stdout).unwrap();
    let line = format!("\n    remark: policy own, statement 0, matches no ECR request: {text}\n");
    assert!(output.ends_with(&line), "{output}");
}

#[test]
fn undocumented_behaviour_is_reported_as_an_assumption() {
    let mut document = allow("ecr:PutImage");
    document["Statement"][0]["Condition"] = json!({ "StringMatches": { "aws:UserAgent": "x" } });
    let file = page(&[role("worker", &document, &[WORKER])]);
    let (roles, _) = report(&[], &file);
    let statement = json!({ "policy": "inline", "kind": "inline", "sid": null, "statement": 0, "matches": true });
    assert_eq!(roles[0]["excess"][0]["assumed"], json!([statement]));
    let text = String::from_utf8(run(&[], file.to_string()).stdout).unwrap();
    let assumption =
        "        assuming that policy inline, statement 0, matches; AWS does not document whether it does\n";
    assert!(text.contains(assumption), "{text}");
}

#[test]
fn malformed_role_is_an_error_of_that_role_alone() {
    let broken = role("broken", &json!({ "Statement": [{ "Effect": "Permit" }] }), &[WORKER]);
    let lacking = role("lacking", &allow("ecr:Get*"), &[WORKER, "arn:aws:iam::123456789012:policy/gone"]);
    let mut shapeless = role("shapeless", &allow("ecr:Get*"), &[WORKER]);
    shapeless["RolePolicyList"] = json!("none");
    let mut nowhere = role("nowhere", &allow("ecr:*"), &[WORKER]);
    nowhere["Arn"] = json!("");
    let mut bare = role("bare", &allow("ecr:PutImage"), &[WORKER]);
    bare["RolePolicyList"] = Value::Null;
    let sound = role("sound", &allow("ecr:PutImage"), &[WORKER]);
    let (roles, exit) = report(&[], &page(&[broken, lacking, shapeless, nowhere, bare, sound]));
    let expected = vec!["error", "error", "error", "error", "COMPLIANT", "NON_COMPLIANT"];
    assert_eq!((verdicts(&roles), exit), (expected, 2));
    let error = |i: usize| roles[i]["error"].as_str().unwrap();
    assert_eq!(error(0), "policy `inline`: $.Statement[0].Effect: unknown effect `Permit`, expected `Allow` or `Deny`");
    let gone = "policy `arn:aws:iam::123456789012:policy/gone` is not in the file; save it again without `--filter` and `--query`";
    assert_eq!(error(1), gone);
    assert!(error(2).starts_with("malformed entry of `RoleDetailList`: "), "{}", error(2));
    assert_eq!(roles[2]["role_name"], "shapeless");
    assert_eq!(error(3), "`Arn` is ``, expected one such as `arn:aws:iam::123456789012:role/name`");
    assert_eq!((&roles[0]["annotation"], &roles[0]["permitted"]), (&Value::Null, &json!([])));
}

#[test]
fn bad_option_prints_an_error_and_no_report() {
    let file = page(&[role("worker", &allow("ecr:Get*"), &[WORKER])]).to_string();
    for (arguments, input, expected) in [
        (&["--role", "nobody"][..], file.as_str(), "standard input: no role `nobody`; correct the value of `--role`"),
        (&["--role", "Worker"], &file, "no role `Worker`; use `--role worker`"),
        (&["--role", "/eks/worker"], &file, "no role `/eks/worker`; use `--role worker`"),
        (&["--role", "arn:aws:iam::123456789012:role/worker"], &file, "use `--role worker`"),
        (&["--allowed-access", "write"], &file, "expected `read-only`, `pull-only` or `cis`"),
        (&["--additional-allowed-actions", "ecr:*"], &file, "`ecr:*` is not accepted"),
        (&["--at", "noon"], &file, "RFC 3339"),
        (&["--at", "9999-12-31T23:30:00-01:00"], &file, "expected a time in the years 0000 to 9999, UTC"),
        (&["--at", "0000-01-01T00:30:00+01:00"], &file, "expected a time in the years 0000 to 9999, UTC"),
    ] {
        let output = run(arguments, input);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?} {input} {errors}");
        assert!(errors.contains(expected), "{errors}");
    }
}

#[test]
fn version_has_the_dates_of_the_data_on_a_second_line() {
    let version = format!("ecr-read-only {}\n", env!("CARGO_PKG_VERSION"));
    let data = "ECR actions of 2026-10-27; API operations of 2026-11-20 (botocore 1.44.8); built-in AWS managed policies: none\n";
    for (option, expected) in [("--version", format!("{version}{data}")), ("-V", version.clone())] {
        let output = Command::new(BINARY).arg(option).output().unwrap();
        assert_eq!((output.status.code(), String::from_utf8(output.stdout).unwrap()), (Some(0), expected));
    }
}

#[test]
fn doubtful_additional_action_is_a_warning() {
    let file = page(&[role("worker", &allow("ecr:Get*"), &[WORKER])]).to_string();
    let actions = "ecr:PutImages,ecr:listImageReferrers,ecr:PutImage";
    let output = run(&["--additional-allowed-actions", actions], &file);
    let expected = "\
ecr-read-only: warning: `ecr:PutImages` is not in the catalogue of 2026-10-27; check its spelling
ecr-read-only: warning: `ecr:ListImageReferrers` is an API operation, not an action; IAM checks `ecr:BatchGetImage` instead
";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}
