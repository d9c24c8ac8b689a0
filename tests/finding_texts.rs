//! What Security Hub's findings say: severity, title, description, remediation and further facts, within its limits.

use crate::support::events::{ACCOUNT, EC2_TRUST, change, role_item, with};
use crate::support::fakes::{FakeAws, PULL_ONLY, role_arn, version};
use crate::support::run::run;
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::ports::PartKind;
use ecr_read_only::rule::{Finding, NodeKind};
use serde_json::{Value, json};

const PULL_ONLY_NAME: &str = "AmazonEC2ContainerRegistryPullOnly";

/// The finding of a node role with these statements as its inline policy `own`, and nothing else.
fn finding(name: &str, parameters: &Value, statements: &Value) -> Finding {
    of(FakeAws::new().role(name, "AROAR").node(name), name, parameters, statements)
}

fn of(aws: FakeAws, name: &str, parameters: &Value, statements: &Value) -> Finding {
    let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let has_statements = statements.as_array().is_some_and(|statements| !statements.is_empty());
    let aws = aws.with_role(name, |role| {
        role.attached.retain(|arn| arn.ends_with("policy/app"));
        role.inline = has_statements.then(|| ("own".to_owned(), document)).into_iter().collect();
    });
    let parameters = with(json!({ "SecurityHubFindings": "true" }), parameters);
    let event = change(&role_item(name, "AROAR", EC2_TRUST));
    run(&aws, with(event, &json!({ "ruleParameters": parameters.to_string() }))).unwrap();
    let finding = aws.finding("AROAR");
    within_limits(&finding);
    finding
}

/// The limits of the AWS Security Finding Format
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>).
#[track_caller]
fn within_limits(finding: &Finding) {
    let within = |text: &str, most: usize| (1..=most).contains(&text.chars().count()) && !text.trim().is_empty();
    assert!(within(&finding.id, 512), "{}", finding.id);
    assert!(within(&finding.title, 256), "{}", finding.title);
    assert!(within(&finding.description, 1024), "{}", finding.description);
    assert!(within(&finding.remediation, 512), "{}", finding.remediation);
    assert!(finding.product_fields.len() <= 50);
    for (name, value) in &finding.product_fields {
        assert!(within(name, 128) && within(value, 2048) && !name.starts_with("aws/"), "{name}: {value}");
    }
}

fn allow(actions: &Value) -> Value {
    json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" }])
}

/// A condition that no request fulfils, and of which that is not found out.
fn undecided(action: &str) -> Value {
    json!([{ "Effect": "Allow", "Action": action, "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/app",
        "Condition": { "StringLike": { "aws:SourceIp": "1?*7*.*" }, "NotIpAddress": { "aws:SourceIp": "0.0.0.0/0" } } }])
}

#[test]
fn the_worst_makes_the_severity() {
    let cis = json!({ "AllowedAccess": "cis" });
    let pull = json!({ "RequirePullAccess": "true" });
    let and = |mut statements: Value, more: &Value| {
        statements.as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
        statements
    };
    let none = json!({});
    for (name, parameters, statements, expected) in [
        ("nothing", &none, json!([]), "Informational"),
        ("reading, as it is allowed", &none, allow(&json!("ecr:DescribeImages")), "Informational"),
        ("reading beyond what is allowed", &cis, allow(&json!("ecr:DescribeImages")), "Low"),
        ("listing beyond what is allowed", &cis, allow(&json!("ecr:ListImages")), "Low"),
        ("no pull, which is required", &pull, json!([]), "Low"),
        ("tagging", &none, allow(&json!("ecr:TagResource")), "Medium"),
        ("an action that is not decided", &none, undecided("ecr:FutureWrite"), "Medium"),
        ("tagging, and no pull", &pull, allow(&json!("ecr:TagResource")), "Medium"),
        (
            "reading, and an action that is not decided",
            &cis,
            and(undecided("ecr:FutureWrite"), &allow(&json!("ecr:ListImages"))),
            "Medium",
        ),
        ("an action that the catalogue does not know", &none, allow(&json!("ecr:FutureWrite")), "High"),
        ("writing", &none, allow(&json!(["ecr:PutImage", "ecr:TagResource"])), "High"),
        (
            "writing, and an action that is not decided",
            &none,
            and(undecided("ecr:FutureWrite"), &allow(&json!("ecr:PutImage"))),
            "High",
        ),
        ("permissions", &none, allow(&json!(["ecr:PutImage", "ecr:SetRepositoryPolicy"])), "Critical"),
    ] {
        let finding = finding("nodes", parameters, &statements);
        assert_eq!(format!("{:?}", finding.severity), expected, "{name}: {}", finding.description);
    }
}

#[test]
fn what_a_finding_says() {
    let node = "node group nodes of cluster prod, us-east-1";
    let on_app = |statement: &Value| {
        let resource = "arn:aws:ecr:us-east-1:111122223333:repository/app";
        json!([with(json!({ "Effect": "Allow", "Action": "ecr:PutImage", "Resource": resource }), statement)])
    };
    let in_vpc = json!({ "Sid": "Push", "Condition": { "StringEquals": { "aws:SourceVpc": "vpc-1" } } });
    let elsewhere = json!({ "Resource": "arn:aws:ecr:us-east-1:999999999999:repository/app" });
    let take_out = |statement: &str| {
        format!(
            "Take what goes beyond the allowed access out of policy own, statement {statement}. Pods that need more \
             get a role of their own, as by EKS Pod Identity."
        )
    };
    let none = json!({});
    let required = json!({ "RequirePullAccess": "true" });
    let no_pull = "no ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer.";
    for (parameters, statements, title, description, remediation) in [
        (
            &none,
            on_app(&none),
            "EKS node role nodes can perform ecr:PutImage on Amazon ECR beyond the allowed access".to_owned(),
            format!(
                "IAM would allow this request: ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/app. It is \
                 allowed by policy own, statement 0. It is judged because of: {node}. The role cannot pull: {no_pull}"
            ),
            take_out("0"),
        ),
        (
            &none,
            on_app(&in_vpc),
            "EKS node role nodes can perform ecr:PutImage on Amazon ECR beyond the allowed access".to_owned(),
            format!(
                "IAM would allow this request: ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/app with \
                 aws:SourceVpc = vpc-1. It is allowed by policy own, statement Push. It is judged because of: \
                 {node}. The role cannot pull: {no_pull}"
            ),
            take_out("Push"),
        ),
        (
            &none,
            on_app(&elsewhere),
            "EKS node role nodes can perform ecr:PutImage on Amazon ECR beyond the allowed access if account 999999999999 agrees"
                .to_owned(),
            format!(
                "IAM would allow this request: ecr:PutImage on arn:aws:ecr:us-east-1:999999999999:repository/app. A policy \
                 of account 999999999999 has to allow it too. It is allowed by policy own, statement 0. It is \
                 judged because of: {node}. The role cannot pull: {no_pull}"
            ),
            take_out("0"),
        ),
        (
            &required,
            allow(&json!(["ecr:PutImage", "ecr:TagResource", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"])),
            "EKS node role nodes can perform ecr:PutImage and 1 more action on Amazon ECR beyond the allowed access".to_owned(),
            format!(
                "IAM would allow this request: ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/app. It is \
                 allowed by policy own, statement 0. 1 more action beyond the allowed access is permitted. It is \
                 judged because of: {node}. The role cannot pull: no ecr:GetDownloadUrlForLayer."
            ),
            format!(
                "{} Attach AmazonEC2ContainerRegistryPullOnly, or look for the Deny or the boundary that outweighs it.",
                take_out("0")
            ),
        ),
        (
            &none,
            undecided("ecr:FutureWrite"),
            "EKS node role nodes may be able to perform ecr:FutureWrite on Amazon ECR: undecided within the budget".to_owned(),
            format!(
                "It is judged because of: {node}. Undecided within the budget: ecr:FutureWrite. The role cannot pull: \
                 {no_pull}"
            ),
            "Make the policies simpler: with fewer wildcards and policy variables it can be decided.".to_owned(),
        ),
        (
            &required,
            json!([]),
            "EKS node role nodes cannot pull from Amazon ECR".to_owned(),
            format!(
                "No request beyond the allowed access to Amazon ECR is possible. It is judged because of: {node}. The \
                 role cannot pull: {no_pull}"
            ),
            "Attach AmazonEC2ContainerRegistryPullOnly, or look for the Deny or the boundary that outweighs it.".to_owned(),
        ),
        (
            &none,
            allow(&json!(["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"])),
            "EKS node role nodes can do nothing to Amazon ECR beyond the allowed access".to_owned(),
            format!("No request beyond the allowed access to Amazon ECR is possible. It is judged because of: {node}."),
            "Nothing needs to be changed.".to_owned(),
        ),
    ] {
        let finding = finding("nodes", parameters, &statements);
        assert_eq!(finding.title, title);
        assert_eq!(finding.description, description);
        assert_eq!(finding.remediation, remediation);
        assert_eq!(finding.role_arn, role_arn("nodes"));
    }
}

#[test]
fn further_facts_are_told_by_name() {
    let statement = json!([{ "Sid": "Push", "Effect": "Allow", "Action": ["ecr:PutImage", "ecr:TagResource"],
        "Resource": "arn:aws:ecr:us-east-1:999999999999:repo*/app",
        "Condition": { "StringEquals": { "aws:SourceVpc": "vpc-1" } } }]);
    let facts = |finding: Finding| serde_json::to_value(finding.product_fields).unwrap();
    let rule = json!({
        "ConfigRuleArn": "arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abcdef",
        "ConfigRuleName": "nodes-read-only",
        "NodeOf": "node group nodes of cluster prod, us-east-1",
    });
    let missing =
        json!({ "MissingActions": "ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer" });
    let worst = json!({
        "AccessLevel": "Write",
        "Action": "ecr:PutImage",
        "Assumed": "policy own, statement Push matches",
        "Context": "aws:SourceVpc = vpc-1",
        "ExcessActions": "ecr:PutImage, ecr:TagResource",
        "Grants": "policy own, statement Push",
        "OtherAccount": "999999999999",
        "Resource": "arn:aws:ecr:us-east-1:999999999999:repository/app",
    });
    let passed = with(rule.clone(), &missing);
    assert_eq!(facts(finding("nodes", &json!({}), &statement)), with(passed.clone(), &worst));
    assert_eq!(facts(finding("nodes", &json!({}), &json!([]))), passed);
    let undecided_only = with(passed, &json!({ "UndecidedActions": "ecr:FutureWrite" }));
    assert_eq!(facts(finding("nodes", &json!({}), &undecided("ecr:FutureWrite"))), undecided_only);
    let all = finding("nodes", &json!({}), &statement);
    let assumed =
        "Taken for granted where AWS's documentation leaves two readings: policy own, statement Push matches.";
    assert!(all.description.ends_with(assumed), "{}", all.description);
}

#[test]
fn a_role_of_pods_is_called_one() {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
    let aws = FakeAws::new().role("app", "AROAR").with(|state| {
        let kind = NodeKind::PodIdentity("shop/app".to_owned());
        state.cluster("us-east-1", "prod").part(PartKind::PodIdentityAssociations, "a-1", &role_arn("app"), kind);
        state.roles.get_mut("app").unwrap().record.trust_policy = trust.to_owned();
    });
    let finding = of(aws, "app", &json!({ "IncludeServiceAccountRoles": "true" }), &allow(&json!("ecr:PutImage")));
    assert_eq!(finding.title, "EKS pod role app can perform ecr:PutImage on Amazon ECR beyond the allowed access");
    assert!(!finding.remediation.contains("Pods that need more"), "{}", finding.remediation);
}

#[test]
fn a_role_is_told_by_its_arn() {
    for (path, arn) in [("/", "role/nodes"), ("/a/", "role/a/nodes"), ("/nodes/role/", "role/nodes/role/nodes")] {
        let mut finding = finding("nodes", &json!({}), &json!([]));
        finding.role_arn = format!("arn:aws-us-gov:iam::{ACCOUNT}:{arn}");
        assert_eq!(finding.role_id(), "AROAR");
        assert_eq!(
            (finding.role_name(), finding.role_path(), finding.partition()),
            ("nodes", path, "aws-us-gov"),
            "{arn}"
        );
    }
}

#[test]
fn what_is_too_long_is_cut_with_a_mark_and_lists_tell_how_many_more_there_are() {
    let name = "n".repeat(64);
    // Everything at once: the longest names, long values in several bytes a character, many statements and clusters.
    let tag = format!("é{}", "ü".repeat(255));
    let keys: serde_json::Map<String, Value> =
        (0..20).map(|index| (format!("aws:PrincipalTag/{index}{}", "k".repeat(100)), json!(tag))).collect();
    let repository = "r".repeat(256);
    let resource = format!("arn:aws:ecr:us-east-1:999999999999:repository/{repository}");
    let statements: Vec<Value> = (0..60)
        .map(|index| {
            json!({ "Sid": format!("S{index}{}", "x".repeat(120)), "Effect": "Allow", "Action": ["ecr:*", "ecr-public:*"],
                "Resource": ["*", resource] })
        })
        .collect();
    let aws = FakeAws::new().role(&name, "AROAR").with(|state| {
        for index in 0..300 {
            let kind = NodeKind::NodeGroup(format!("g{index}{}", "g".repeat(60)));
            state.cluster("us-east-1", &"c".repeat(100)).part(
                PartKind::NodeGroups,
                &format!("{index}"),
                &role_arn(&name),
                kind,
            );
        }
    });
    let all = of(aws, &name, &json!({ "AllowedAccess": "cis" }), &json!(statements));
    for field in ["NodeOf", "Grants", "ExcessActions"] {
        let value = &all.product_fields[field];
        let (_, more) = value.rsplit_once(" and ").unwrap();
        assert!(more.strip_suffix(" more").is_some_and(|count| count.parse::<usize>().is_ok()), "{field}: {value}");
    }
    assert!(all.remediation.contains(" and 59 more. Pods"), "{}", all.remediation);
    assert!(all.description.contains("It is judged because of: node group g0"), "{}", all.description);

    let conditioned = json!([{ "Effect": "Allow", "Action": format!("ecr:{}", "A".repeat(300)), "Resource": resource,
        "Condition": { "StringEquals": keys } }]);
    let one = FakeAws::new().role(&name, "AROAR").node(&name).with(|state| {
        state.policies.insert(format!("arn:aws:iam::{ACCOUNT}:policy/app"), version("v1", "{}"));
        let tags = (0..20).map(|index| Tag::new(format!("{index}{}", "k".repeat(100)), tag.as_str()));
        state.roles.get_mut(&name).unwrap().record.tags = tags.collect();
    });
    let one = of(one, &name, &json!({}), &conditioned);
    assert_eq!(one.title.chars().count(), 256);
    assert!(one.title.ends_with('…'), "{}", one.title);
    let (request, rest) = one.description.split_once('…').unwrap();
    assert_eq!(request.chars().count(), 279);
    assert!(
        rest.starts_with(" A policy of account 999999999999") && rest.contains("It is judged because of"),
        "{rest}"
    );
    assert!(one.product_fields["Context"].ends_with(" more"), "{}", one.product_fields["Context"]);
}

#[test]
fn a_policy_of_aws_is_to_be_replaced_and_not_to_be_changed() {
    const POWER_USER: &str = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerRegistryPowerUser";
    let own = format!("arn:aws:iam::{ACCOUNT}:policy/app");
    let pull = json!(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]);
    let import = json!(["ecr:BatchImportUpstreamImage"]);
    let pods = "Pods that need more get a role of their own, as by EKS Pod Identity.";
    let cis = "a policy of your own that allows the four actions of the benchmark";
    for (attached, parameters, statements, expected) in [
        (
            vec![POWER_USER],
            json!({}),
            allow(&json!("ecr:PutImage")),
            format!("Put {PULL_ONLY_NAME} in the place of AmazonEC2ContainerRegistryPowerUser. {pods}"),
        ),
        (
            vec![POWER_USER, own.as_str()],
            json!({}),
            allow(&json!("ecr:PutImage")),
            format!(
                "Take what goes beyond the allowed access out of policy app, statement 0. Put {PULL_ONLY_NAME} in \
                 the place of AmazonEC2ContainerRegistryPowerUser. {pods}"
            ),
        ),
        (
            vec![PULL_ONLY],
            json!({ "AllowedAccess": "cis" }),
            allow(&import),
            format!("Put {cis} in the place of {PULL_ONLY_NAME}. {pods}"),
        ),
        (
            vec![PULL_ONLY],
            json!({ "AllowedAccess": "cis", "AdditionalAllowedActions": "ecr:BatchImportUpstreamImage" }),
            allow(&pull),
            "Nothing needs to be changed.".to_owned(),
        ),
        (
            vec![PULL_ONLY],
            json!({ "AllowedAccess": "cis", "RequirePullAccess": "true" }),
            json!([]),
            format!("Attach {cis}, or look for the Deny or the boundary that outweighs it."),
        ),
    ] {
        let document = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        let aws = FakeAws::new().role("nodes", "AROAR").node("nodes").with(|state| {
            for arn in &attached {
                state.policies.insert((*arn).to_owned(), version("v1", &document));
            }
            let role = state.roles.get_mut("nodes").unwrap();
            role.attached = attached.iter().map(|arn| (*arn).to_owned()).collect();
        });
        let parameters = with(json!({ "SecurityHubFindings": "true" }), &parameters);
        let event = change(&role_item("nodes", "AROAR", EC2_TRUST));
        run(&aws, with(event, &json!({ "ruleParameters": parameters.to_string() }))).unwrap();
        assert_eq!(aws.finding("AROAR").remediation, expected, "{attached:?}");
    }
}
