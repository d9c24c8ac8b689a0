//! The texts of findings: severity, title, description, remediation and product fields, within Security Hub's limits.

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

/// A condition that no request fulfils; the search does not decide that within its budget.
fn undecided(action: &str) -> Value {
    json!([{ "Effect": "Allow", "Action": action, "Resource": "arn:aws:ecr:us-east-1:123456789012:repository/app",
        "Condition": { "StringLike": { "aws:SourceIp": "1?*7*.*" }, "NotIpAddress": { "aws:SourceIp": "0.0.0.0/0" } } }])
}

#[test]
fn severity_is_that_of_the_worst_issue() {
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
        ("reading outside the allowed access", &cis, allow(&json!("ecr:DescribeImages")), "Low"),
        ("listing outside the allowed access", &cis, allow(&json!("ecr:ListImages")), "Low"),
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

/// A finding's texts: the role's inline policy `own` has these statements.
struct Texts {
    name: &'static str,
    parameters: Value,
    statements: Value,
    title: &'static str,
    /// The sentences before and after the node facts.
    description: (&'static str, &'static str),
    remediation: &'static str,
}

#[test]
fn finding_texts_start_with_role_and_result() {
    const CANNOT_PULL: &str =
        "The role cannot pull: no ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer.";
    const PODS: &str = "Give pods that need more access their own role, for example with EKS Pod Identity.";
    const ATTACH: &str = "Attach AmazonEC2ContainerRegistryPullOnly, or change the Deny statement or the permissions boundary \
                          that blocks the pull.";
    let put_on_app = |changes: &Value| {
        let resource = "arn:aws:ecr:us-east-1:111122223333:repository/app";
        json!([with(json!({ "Effect": "Allow", "Action": "ecr:PutImage", "Resource": resource }), changes)])
    };
    let required = json!({ "RequirePullAccess": "true" });
    for Texts { name, parameters, statements, title, description, remediation } in [
        Texts {
            name: "one action",
            parameters: json!({}),
            statements: put_on_app(&json!({})),
            title: "nodes can call ecr:PutImage",
            description: (
                "IAM allows this request: ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/app. Granted by \
                 policy own, statement 0.",
                CANNOT_PULL,
            ),
            remediation: "Remove the actions outside the allowed access from policy own, statement 0. PODS",
        },
        Texts {
            name: "a condition and a Sid",
            parameters: json!({}),
            statements: put_on_app(&json!({
                "Sid": "Push", "Condition": { "StringEquals": { "aws:UserAgent": "docker" } },
            })),
            title: "nodes can call ecr:PutImage",
            description: (
                "IAM allows this request: ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/app with \
                 aws:UserAgent = docker. Granted by policy own, statement Push.",
                CANNOT_PULL,
            ),
            remediation: "Remove the actions outside the allowed access from policy own, statement Push. PODS",
        },
        Texts {
            name: "another account",
            parameters: json!({}),
            statements: put_on_app(&json!({ "Resource": "arn:aws:ecr:us-east-1:999999999999:repository/app" })),
            title: "nodes can call ecr:PutImage if account 999999999999 agrees",
            description: (
                "IAM allows this request: ecr:PutImage on arn:aws:ecr:us-east-1:999999999999:repository/app. A policy of \
                 account 999999999999 must allow it too. Granted by policy own, statement 0.",
                CANNOT_PULL,
            ),
            remediation: "Remove the actions outside the allowed access from policy own, statement 0. PODS",
        },
        Texts {
            name: "two actions, and a pull that is required",
            parameters: required.clone(),
            statements: allow(&json!([
                "ecr:PutImage",
                "ecr:TagResource",
                "ecr:BatchGetImage",
                "ecr:GetAuthorizationToken",
            ])),
            title: "nodes can call ecr:PutImage and 1 more action",
            description: (
                "IAM allows this request: ecr:PutImage on arn:aws:ecr:us-east-1:111122223333:repository/app. Granted by \
                 policy own, statement 0. The role can call 1 more action outside the allowed access.",
                "The role cannot pull: no ecr:GetDownloadUrlForLayer.",
            ),
            remediation: "Remove the actions outside the allowed access from policy own, statement 0. PODS ATTACH",
        },
        Texts {
            name: "an undecided action",
            parameters: json!({}),
            statements: undecided("ecr:FutureWrite"),
            title: "nodes may be able to call ecr:FutureWrite: undecided within the budget",
            description: ("", "Undecided within the budget: ecr:FutureWrite. CANNOT_PULL"),
            remediation: "Simplify the policies: use fewer wildcards and policy variables.",
        },
        Texts {
            name: "a statement that matches no request",
            parameters: json!({}),
            statements: put_on_app(&json!({ "Resource": "arn:aws:ecr:us-east-1:111122223333:repository/App" })),
            title: "nodes can only read from Amazon ECR",
            description: (
                "The role can call no action outside the allowed access.",
                "CANNOT_PULL Remarks: policy own, statement 0, matches no ECR request: \
                 `arn:aws:ecr:us-east-1:111122223333:repository/App` has upper-case letters in the repository name; \
                 repository names are in lower case.",
            ),
            remediation: "Nothing needs to be changed.",
        },
        Texts {
            name: "no pull, which is required",
            parameters: required,
            statements: json!([]),
            title: "nodes cannot pull: no ecr:BatchGetImage, ecr:GetAuthorizationToken, ecr:GetDownloadUrlForLayer",
            description: ("The role can call no action outside the allowed access.", CANNOT_PULL),
            remediation: "ATTACH",
        },
        Texts {
            name: "compliant",
            parameters: json!({}),
            statements: allow(&json!(["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"])),
            title: "nodes can only read from Amazon ECR",
            description: ("The role can call no action outside the allowed access.", ""),
            remediation: "Nothing needs to be changed.",
        },
    ] {
        let finding = finding("nodes", &parameters, &statements);
        let (before, after) = description;
        let facts = "The role is evaluated because of: node group nodes of cluster prod, us-east-1.";
        let after = after.replace("CANNOT_PULL", CANNOT_PULL);
        let description = [before, facts, &after].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
        assert_eq!(finding.title, title, "{name}");
        assert_eq!(finding.description, description.join(" "), "{name}");
        assert_eq!(finding.remediation, remediation.replace("PODS", PODS).replace("ATTACH", ATTACH), "{name}");
        assert_eq!(finding.role_arn, role_arn("nodes"), "{name}");
    }
}

#[test]
fn product_fields_hold_facts_by_name() {
    let statement = json!([{ "Sid": "Push", "Effect": "Allow", "Action": ["ecr:PutImage", "ecr:TagResource"],
        "Resource": "arn:aws:ecr:us-east-1:999999999999:repo*/app",
        "Condition": { "StringEquals": { "aws:UserAgent": "docker" } } }]);
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
        "Context": "aws:UserAgent = docker",
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
    let no_action = finding("nodes", &json!({}), &allow(&json!("ecr:Future*")));
    let remark = "policy own, statement 0, matches no ECR request: no action of ECR matches `ecr:Future*`";
    assert_eq!(no_action.product_fields["Remarks"], remark);
    let all = finding("nodes", &json!({}), &statement);
    let assumption = "AWS does not document it, so this is assumed: policy own, statement Push matches.";
    assert!(all.description.ends_with(assumption), "{}", all.description);
}

#[test]
fn unusual_request_is_named_as_an_assumption() {
    let statements = json!([{ "Effect": "Allow", "Action": "ecr:PutImage", "Resource": "*",
        "Condition": { "Bool": { "aws:ViaAWSService": "true" } } }]);
    let finding = finding("nodes", &json!({}), &statements);
    let assumption =
        "aws:ViaAWSService = true: An AWS service makes the request for the role, with the role's permissions.";
    assert_eq!(finding.product_fields["Assumed"], assumption);
    let sentence = format!("This is assumed: {assumption}");
    assert!(finding.description.ends_with(&sentence), "{}", finding.description);
}

#[test]
fn pod_role_gets_no_advice_about_pods() {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
    let aws = FakeAws::new().role("app", "AROAR").with(|state| {
        let kind = NodeKind::PodIdentity { pods: "shop/app".to_owned(), session_policy: None };
        state.cluster("us-east-1", "prod").part(PartKind::PodIdentityAssociations, "a-1", &role_arn("app"), kind);
        state.roles.get_mut("app").unwrap().record.trust_policy = trust.to_owned();
    });
    let finding = of(aws, "app", &json!({ "IncludeServiceAccountRoles": "true" }), &allow(&json!("ecr:PutImage")));
    assert_eq!(finding.title, "app can call ecr:PutImage");
    assert!(!finding.remediation.contains("Give pods"), "{}", finding.remediation);
}

#[test]
fn finding_has_name_path_and_partition_of_the_role() {
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
fn long_texts_end_with_an_ellipsis_or_a_count() {
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
    assert!(all.remediation.contains(" and 59 more. Give pods"), "{}", all.remediation);
    assert!(all.description.contains("The role is evaluated because of: node group g0"), "{}", all.description);

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
        rest.starts_with(" A policy of account 999999999999") && rest.contains("The role is evaluated because of"),
        "{rest}"
    );
    assert!(one.product_fields["Context"].ends_with(" more"), "{}", one.product_fields["Context"]);
}

#[test]
fn remediation_replaces_policies_of_aws() {
    const POWER_USER: &str = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerRegistryPowerUser";
    let own = format!("arn:aws:iam::{ACCOUNT}:policy/app");
    let pull = json!(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]);
    let import = json!(["ecr:BatchImportUpstreamImage"]);
    let pods = "Give pods that need more access their own role, for example with EKS Pod Identity.";
    let cis = "a policy that allows only the four actions of CIS 5.1.3";
    for (attached, parameters, statements, expected) in [
        (
            vec![POWER_USER],
            json!({}),
            allow(&json!("ecr:PutImage")),
            format!("Replace AmazonEC2ContainerRegistryPowerUser with {PULL_ONLY_NAME}. {pods}"),
        ),
        (
            vec![POWER_USER, own.as_str()],
            json!({}),
            allow(&json!("ecr:PutImage")),
            format!(
                "Remove the actions outside the allowed access from policy app, statement 0. Replace \
                 AmazonEC2ContainerRegistryPowerUser with {PULL_ONLY_NAME}. {pods}"
            ),
        ),
        (
            vec![PULL_ONLY],
            json!({ "AllowedAccess": "cis" }),
            allow(&import),
            format!("Replace {PULL_ONLY_NAME} with {cis}. {pods}"),
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
            format!("Attach {cis}, or change the Deny statement or the permissions boundary that blocks the pull."),
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
        let finding = aws.finding("AROAR");
        assert_eq!(finding.remediation, expected, "{attached:?}");
        // A program that reads the finding needs the ARN.
        if finding.product_fields.contains_key("Action") {
            let grants = &finding.product_fields["Grants"];
            assert!(attached.iter().all(|arn| grants.contains(&format!("({arn})"))), "{grants}");
        }
    }
}
