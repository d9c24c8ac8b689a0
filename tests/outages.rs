//! Partial outages: which part of the facts fails × which roles are judged.
//!
//! Roles that readable clusters or the parameter `NodeRoles` name are judged. Nothing negative is sent, no verdict is cleared,
//! and the invocation fails with the region and the operation.

use crate::support::events::{EC2_TRUST, change, nodes_changed, role_item, scheduled, with};
use crate::support::fakes::{FakeAws, account, many, role_arn, role_resource};
use crate::support::run::{DENIED, check, run, run_with};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::ports::{Authentication, PartKind, PortErrorKind, SessionPolicy};
use ecr_read_only::rule::{Cache, NodeKind};
use serde_json::{Value, json};
use time::Duration;

/// The roles of the account and the fact that shows each. All can pull.
const ROLES: [(&str, &str); 7] = [
    ("auto", "Auto Mode of cluster prod in us-east-1"),
    ("entry", "access entry of prod"),
    ("group", "node group of prod"),
    ("parameter", "the parameter NodeRoles"),
    ("profile", "Fargate profile of prod"),
    ("tagged", "tag of cluster prod, and an instance profile"),
    ("west", "node group of cluster shop in eu-west-1"),
];

fn id(role: &str) -> String {
    format!("AROA{}", role.to_uppercase())
}

fn two_regions() -> FakeAws {
    let aws = ROLES.iter().fold(FakeAws::new(), |aws, (role, _)| aws.role(role, &id(role)));
    aws.role("web", &id("web")).with(|state| {
        state.regions.push("eu-west-1".to_owned());
        let prod = state.cluster("us-east-1", "prod");
        prod.record.authentication = Authentication::Either;
        prod.record.auto_mode_role = Some(role_arn("auto"));
        prod.part(PartKind::NodeGroups, "g", &role_arn("group"), NodeKind::NodeGroup("g".to_owned()));
        prod.part(PartKind::FargateProfiles, "f", &role_arn("profile"), NodeKind::FargateProfile("f".to_owned()));
        let entry = NodeKind::AccessEntry("EC2_LINUX".to_owned());
        prod.part(PartKind::AccessEntries, "e", &role_arn("entry"), entry);
        let shop = state.cluster("eu-west-1", "shop");
        shop.part(PartKind::NodeGroups, "g", &role_arn("west"), NodeKind::NodeGroup("g".to_owned()));
        let tagged = state.roles.get_mut("tagged").unwrap();
        tagged.record.tags = vec![Tag::new("kubernetes.io/cluster/prod", "owned")];
        tagged.instance_profiles.push("p".to_owned());
        state.roles.get_mut("web").unwrap().instance_profiles.push("q".to_owned());
        state.instance_profiles.insert("q".to_owned(), Vec::new());
        state.reported = ROLES.iter().map(|(role, _)| role_resource(&id(role))).collect();
        state.reported.push(role_resource("AROAOLD"));
    })
}

fn with_parameter(payload: Value) -> Value {
    with(payload, &json!({ "ruleParameters": r#"{"NodeRoles":"parameter"}"# }))
}

/// The call that fails, and the roles that are judged all the same.
const TABLE: [(&str, &[&str]); 11] = [
    ("ListRegions", &["parameter"]),
    ("ListClusters us-east-1", &["parameter", "west"]),
    ("ListClusters eu-west-1", &["auto", "entry", "group", "parameter", "profile", "tagged"]),
    ("DescribeCluster us-east-1/prod", &["parameter", "west"]),
    ("ListNodegroups us-east-1/prod", &["auto", "entry", "parameter", "profile", "tagged", "west"]),
    ("ListFargateProfiles us-east-1/prod", &["auto", "entry", "group", "parameter", "tagged", "west"]),
    ("ListAccessEntries us-east-1/prod", &["auto", "group", "parameter", "profile", "tagged", "west"]),
    ("DescribeNodegroup us-east-1/prod g", &["auto", "entry", "parameter", "profile", "tagged", "west"]),
    ("DescribeFargateProfile us-east-1/prod f", &["auto", "entry", "group", "parameter", "tagged", "west"]),
    ("DescribeAccessEntry us-east-1/prod e", &["auto", "group", "parameter", "profile", "tagged", "west"]),
    ("DescribeNodegroup eu-west-1/shop g", &["auto", "entry", "group", "parameter", "profile", "tagged"]),
];

#[test]
fn failing_part_leaves_the_roles_that_others_name() {
    let all: Vec<&str> = ROLES.iter().map(|(role, _)| *role).collect();
    for (call, judged) in TABLE.into_iter().chain([("none", &all[..])]) {
        let (operation, of) = call.split_once(' ').unwrap_or((call, ""));
        let error = format!("NodeRolesUnknown: could not list all node roles: {operation} of `{of}` failed: {DENIED}");
        let error = Some(error.as_str()).filter(|_| call != "none");
        let sent = |role: &str| format!("{} Compliant", id(role));
        let mut expected: Vec<String> = judged.iter().map(|role| sent(role)).collect();
        if error.is_none() {
            expected.push("AROAOLD NotApplicable".to_owned());
        }
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&two_regions().failing(call), with_parameter(scheduled()), &expected, error);
        for (role, _) in ROLES.iter().chain([&("web", "nothing")]) {
            let payload = with_parameter(change(&role_item(role, &id(role), EC2_TRUST)));
            let expected = match error {
                _ if judged.contains(role) => vec![sent(role)],
                Some(_) => Vec::new(),
                None => vec![format!("{} NotApplicable", id(role))],
            };
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            check(&two_regions().failing(call), payload, &expected, error);
        }
    }
}

#[test]
fn failing_list_of_iam_leaves_the_roles_that_eks_names() {
    let judged = |roles: &[&str]| roles.iter().map(|role| format!("{} Compliant", id(role))).collect::<Vec<_>>();
    for (call, node_roles, expected) in [
        ("ListInstanceProfiles", "parameter", judged(&["auto", "entry", "group", "parameter", "profile", "west"])),
        ("ListRoles", "par*", judged(&["auto", "entry", "group", "profile", "tagged", "west"])),
    ] {
        let parameters = json!({ "ruleParameters": json!({ "NodeRoles": node_roles }).to_string() });
        let error = format!("NodeRolesUnknown: could not list all node roles: {call} of `` failed: {DENIED}");
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&two_regions().failing(call), with(scheduled(), &parameters), &expected, Some(&error));
    }
    // 40 roles are read in pages of 10. The third page fails.
    let aws = many(40).with(|state| state.page = 10).failing("GetAccountAuthorizationDetails roles 20");
    let error = run(&aws, scheduled()).unwrap_err();
    assert_eq!(error.error_type(), "NodeRolesUnknown");
    assert_eq!(aws.sent().len(), 20);
}

#[test]
fn every_failure_is_named_up_to_ten() {
    let aws = two_regions().failing("ListClusters eu-west-1").failing("ListNodegroups us-east-1/prod");
    let error = run(&aws, with_parameter(scheduled())).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "could not list all node roles: ListClusters of `eu-west-1` failed: {DENIED}; \
             ListNodegroups of `us-east-1/prod` failed: {DENIED}"
        )
    );
    let aws = (0..12).fold(account(), |aws, number| {
        let name = format!("c{number:02}");
        let aws = aws.with(|state| {
            state.cluster("us-east-1", &name);
        });
        aws.failing(&format!("DescribeCluster us-east-1/{name}"))
    });
    let error = run(&aws, nodes_changed()).unwrap_err().to_string();
    assert!(error.contains("us-east-1/c09") && !error.contains("us-east-1/c10"), "{error}");
    assert!(error.ends_with("; and 2 more calls"), "{error}");
}

#[test]
fn region_that_does_not_list_its_clusters_gets_no_other_call() {
    let (aws, cache) = (two_regions(), Cache::new());
    run_with(&aws, &cache, with_parameter(scheduled()), Duration::ZERO).unwrap();
    aws.take_calls();
    aws.batches.lock().unwrap().clear();
    // What was read within five minutes still shows node roles; nothing is sent about others.
    let aws = aws.failing("ListClusters eu-west-1");
    for (role, later, expected) in [
        ("west", 4, vec!["AROAWEST Compliant"]),
        ("web", 4, vec![]),
        ("west", 6, vec![]),
        ("group", 6, vec!["AROAGROUP Compliant"]),
    ] {
        let captured = json!({ "configurationItemCaptureTime": "2026-01-05T10:06:30Z" });
        let payload = with_parameter(change(&with(role_item(role, &id(role), EC2_TRUST), &captured)));
        let result = run_with(&aws, &cache, payload, Duration::minutes(later));
        let fails = role != "west" || later == 6;
        assert_eq!(result.err().map(|error| error.error_type()), fails.then_some("NodeRolesUnknown"), "{role} {later}");
        assert_eq!(aws.sent(), expected, "{role} {later}");
        aws.batches.lock().unwrap().clear();
        let calls = aws.take_calls();
        assert!(!calls.iter().any(|call| call.contains("eu-west-1/shop")), "{calls:#?}");
    }
}

#[test]
fn limited_role_is_not_called_compliant_in_an_outage() {
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}}"#;
    for (allowed, expected) in [("ecr:BatchGetImage", vec![]), ("ecr:PutImage", vec!["AROAWEB NonCompliant"])] {
        let document = json!({
            "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": allowed, "Resource": "*" },
        });
        let aws = FakeAws::new().role("web", "AROAWEB").writing("web").with(|state| {
            state.regions.push("eu-west-1".to_owned());
            state.roles.get_mut("web").unwrap().record.trust_policy = trust.to_owned();
            let session_policy = Some(SessionPolicy {
                association_arn: "arn:aws:eks:us-east-1:111122223333:podidentityassociation/prod/a-1".to_owned(),
                document: document.to_string(),
            });
            let kind = NodeKind::PodIdentity { pods: "shop/web".to_owned(), session_policy };
            let prod = state.cluster("us-east-1", "prod");
            prod.part(PartKind::PodIdentityAssociations, "a-1", &role_arn("web"), kind);
        });
        let aws = aws.failing_as("ListClusters eu-west-1", PortErrorKind::Throttled);
        let pods = json!({ "ruleParameters": r#"{"IncludeServiceAccountRoles":"true"}"# });
        for payload in [scheduled(), change(&role_item("web", "AROAWEB", trust))] {
            let error = run(&aws, with(payload, &pods)).unwrap_err();
            assert_eq!(
                (error.error_type(), aws.sent()),
                ("NodeRolesUnknown", expected.iter().map(|sent: &&str| (*sent).to_owned()).collect()),
                "{allowed}"
            );
            aws.batches.lock().unwrap().clear();
        }
    }
}

#[test]
fn marks_that_an_unread_cluster_can_void_are_doubt() {
    // The tag names a cluster that the rule's scope leaves out, if it exists. Then the worker policy is for that cluster.
    let worker = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";
    let aws = |failing: bool| {
        let aws = two_regions().with(|state| {
            let web = state.roles.get_mut("web").unwrap();
            web.record.tags = vec![Tag::new("kubernetes.io/cluster/lab", "owned")];
            web.attached.push(worker.to_owned());
            state
                .policies
                .insert(worker.to_owned(), crate::support::fakes::version("v1", crate::support::fakes::EVERYTHING));
        });
        if failing { aws.failing("ListClusters eu-west-1") } else { aws }
    };
    for (names, failing, expected) in [
        ("", true, "AROAWEB NonCompliant"),
        ("prod", false, "AROAWEB NonCompliant"),
        ("prod", true, ""),
        ("prod,lab", true, "AROAWEB NonCompliant"),
    ] {
        let aws = aws(failing);
        let parameters = json!({ "ruleParameters": json!({ "ClusterNames": names }).to_string() });
        let result = run(&aws, with(change(&role_item("web", "AROAWEB", EC2_TRUST)), &parameters));
        assert_eq!((result.is_err(), aws.sent().concat()), (failing, expected.to_owned()), "{names} {failing}");
    }
}
