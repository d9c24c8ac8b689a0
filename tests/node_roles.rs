//! Which roles are node roles: every kind of node, the marks of self-managed nodes, and the rule's parameters. Events and
//! the schedule must agree.

use crate::support::events::{ACCOUNT, EC2_TRUST, LAMBDA_TRUST, change, policy_item, role_item, scheduled, with};
use crate::support::fakes::{EVERYTHING, FakeAws, FakeRole, PULL_ONLY, role_arn, version};
use crate::support::run::{DENIED, run};
use ecr_read_only::access::{Annotation, AnnotationResult};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::NodeKind;
use ecr_read_only::rule::ports::{Authentication, PartKind, PortErrorKind};
use serde_json::{Value, json};

const WORKER: &str = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";
const SSM_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ssm.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
const FARGATE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks-fargate-pods.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const HYPERPOD_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const POD_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;
const IRSA_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"},"Action":"sts:AssumeRoleWithWebIdentity"}]}"#;

fn with_parameters(payload: Value, parameters: &Value) -> Value {
    with(payload, &json!({ "ruleParameters": parameters.to_string() }))
}

/// An account with the role `r` and a cluster that nodes can join without an access entry.
fn account_without_entries() -> FakeAws {
    FakeAws::new().role("r", "AROAR").with(|state| {
        state.policies.insert(WORKER.to_owned(), version("v1", r#"{"Version":"2012-10-17","Statement":[]}"#));
        state.cluster("eu-west-1", "prod").record.authentication = Authentication::Either;
        state.regions = vec!["eu-west-1".to_owned()];
    })
}

fn in_profile(role: &mut FakeRole) {
    role.instance_profiles.push("p".to_owned());
}

/// The event of `r` and the schedule give the same answer: COMPLIANT because of this fact, or without a fact
/// NOT_APPLICABLE on the event and no verdict on the schedule.
#[track_caller]
fn check_node_role(name: &str, aws: impl Fn() -> FakeAws, parameters: &Value, trust: &str, expected: Option<&str>) {
    let by_event = aws();
    run(&by_event, with_parameters(change(&role_item("r", "AROAR", trust)), parameters)).unwrap();
    let by_schedule = aws();
    run(&by_schedule, with_parameters(scheduled(), parameters)).unwrap();
    let annotated: Vec<String> = by_schedule.annotated().into_iter().filter(|one| one.starts_with("AROAR ")).collect();
    match expected {
        Some(expected) => {
            let mut fact = expected.to_owned();
            fact.get_mut(..1).unwrap().make_ascii_uppercase();
            let annotation = Annotation {
                role_name: Some("r".to_owned()),
                results: vec![AnnotationResult::OnlyReads],
                exemption_ended: None,
                grant: None,
                node_fact: Some(fact),
                more_node_facts: 0,
            };
            let expected = [format!("AROAR Compliant: {annotation}")];
            assert_eq!(by_event.annotated(), expected, "{name}: {:#?}", by_event.calls());
            assert_eq!(annotated, expected, "{name}, on schedule: {:#?}", by_schedule.calls());
        }
        None => {
            assert_eq!(by_event.sent(), ["AROAR NotApplicable"], "{name}: {:#?}", by_event.calls());
            assert!(annotated.iter().all(|one| one.starts_with("AROAR NotApplicable")), "{name}: {annotated:?}");
        }
    }
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::new(key, value)
}

#[test]
fn node_kinds_of_eks_make_node_roles() {
    type Kind = fn(String) -> NodeKind;
    for (kind, name, node, trust, expected) in [
        (PartKind::NodeGroups, "workers", NodeKind::NodeGroup as Kind, EC2_TRUST, "node group workers"),
        (PartKind::FargateProfiles, "web", NodeKind::FargateProfile, FARGATE_TRUST, "Fargate profile web"),
        (PartKind::AccessEntries, "EC2_LINUX", NodeKind::AccessEntry, EC2_TRUST, "access entry EC2_LINUX"),
        (PartKind::AccessEntries, "EC2", NodeKind::AccessEntry, EC2_TRUST, "access entry EC2"),
        (PartKind::AccessEntries, "HYBRID_LINUX", NodeKind::AccessEntry, SSM_TRUST, "access entry HYBRID_LINUX"),
        (
            PartKind::AccessEntries,
            "HYPERPOD_LINUX",
            NodeKind::AccessEntry,
            HYPERPOD_TRUST,
            "access entry HYPERPOD_LINUX",
        ),
        (PartKind::NodeGroups, "", |_| NodeKind::AutoMode, EC2_TRUST, "Auto Mode"),
    ] {
        let aws = || {
            let aws = FakeAws::new().role("r", "AROAR").with(|state| {
                let cluster = state.cluster("us-east-1", "prod");
                match node(name.to_owned()) {
                    NodeKind::AutoMode => cluster.record.auto_mode_role = Some(role_arn("r")),
                    node => {
                        cluster.part(kind, name, &role_arn("r"), node);
                    }
                }
            });
            aws.with_role("r", |role| role.record.trust_policy = trust.to_owned())
        };
        check_node_role(expected, aws, &json!({}), trust, Some(&format!("{expected} of cluster prod, us-east-1")));
    }
}

#[test]
fn self_managed_marks_make_node_roles() {
    type Mark = fn(&mut FakeRole);
    let prod = "of cluster prod, eu-west-1";
    for (name, mark, expected) in [
        (
            "the cluster's tag on the role",
            (|role| role.record.tags.push(tag("kubernetes.io/cluster/prod", "owned"))) as Mark,
            Some(format!("tag kubernetes.io/cluster/prod {prod}")),
        ),
        (
            "eksctl's tag on the role",
            |role| role.record.tags.push(tag("alpha.eksctl.io/cluster-name", "prod")),
            Some(format!("tag alpha.eksctl.io/cluster-name {prod}")),
        ),
        (
            "Karpenter's tag, which names no cluster",
            |role| role.record.tags.push(tag("karpenter.k8s.aws/ec2nodeclass", "default")),
            Some(format!("tag karpenter.k8s.aws/ec2nodeclass {prod}")),
        ),
        (
            "AWS's policy for nodes",
            |role| role.attached.push(WORKER.to_owned()),
            Some(format!("AmazonEKSWorkerNodePolicy on an instance profile {prod}")),
        ),
        ("the tag of an unknown cluster", |role| role.record.tags.push(tag("eks:eks-cluster-name", "x")), None),
        ("another tag", |role| role.record.tags.push(tag("Name", "prod")), None),
        ("no mark", |_| {}, None),
    ] {
        let aws = || account_without_entries().with_role("r", in_profile).with_role("r", mark);
        check_node_role(name, aws, &json!({}), EC2_TRUST, expected.as_deref());
    }
    let on_profile = |tags: Vec<Tag>| {
        move || {
            account_without_entries().with_role("r", in_profile).with(|state| {
                state.instance_profiles.insert("p".to_owned(), tags.clone());
            })
        }
    };
    let expected = format!("tag aws:eks:cluster-name on instance profile p {prod}");
    check_node_role(
        "on the profile",
        on_profile(vec![tag("aws:eks:cluster-name", "prod")]),
        &json!({}),
        EC2_TRUST,
        Some(&expected),
    );
    check_node_role("not on the profile", on_profile(vec![tag("team", "prod")]), &json!({}), EC2_TRUST, None);
}

#[test]
fn marks_without_profile_cluster_or_trust_are_ignored() {
    let marked = || account_without_entries().with_role("r", |role| role.attached.push(WORKER.to_owned()));
    check_node_role("no instance profile", marked, &json!({}), EC2_TRUST, None);
    let api_only = || {
        marked().with_role("r", in_profile).with(|state| {
            state.cluster("eu-west-1", "prod").record.authentication = Authentication::AccessEntries;
        })
    };
    check_node_role("every cluster needs access entries", api_only, &json!({}), EC2_TRUST, None);
    let hybrid =
        || marked().with_role("r", in_profile).with_role("r", |role| role.record.trust_policy = SSM_TRUST.into());
    check_node_role("a trust policy without EC2", hybrid, &json!({}), SSM_TRUST, None);
    let aws = || marked().with_role("r", in_profile);
    check_node_role("no cluster in scope", aws, &json!({ "ClusterNames": "x*" }), EC2_TRUST, None);
    check_node_role("no region in scope", aws, &json!({ "ClusterRegions": "us-west-2" }), EC2_TRUST, None);
}

#[test]
fn mark_without_cluster_names_the_possible_clusters() {
    let aws = |clusters: usize| {
        move || {
            account_without_entries()
                .with_role("r", in_profile)
                .with_role("r", |role| role.attached.push(WORKER.to_owned()))
                .with(|state| {
                    for number in 0..clusters {
                        state.cluster("eu-west-1", &format!("c{number}")).record.authentication =
                            Authentication::ConfigMap;
                    }
                })
        }
    };
    let start = "AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: ";
    check_node_role("two", aws(1), &json!({}), EC2_TRUST, Some(&format!("{start}c0 (eu-west-1), prod (eu-west-1)")));
    let five = (0..5).map(|number| format!("c{number} (eu-west-1)")).collect::<Vec<_>>().join(", ");
    check_node_role("seven", aws(6), &json!({}), EC2_TRUST, Some(&format!("{start}{five} or 2 more")));
}

#[test]
fn only_tags_of_clusters_left_out_override_worker_policy() {
    let by_policy = Some("AmazonEKSWorkerNodePolicy on an instance profile of cluster prod, eu-west-1");
    let by_tag = Some("tag kubernetes.io/cluster/prod of cluster prod, eu-west-1");
    // The cluster `prod` is in scope. `dev` exists and `ClusterNames` leaves it out, if the parameter is set. `far` exists in
    // a region that is not searched. `locked` is in scope and its nodes need an access entry. `gone` does not exist.
    let only_prod = json!({ "ClusterNames": "prod" });
    let in_europe = json!({ "ClusterNames": "prod,locked", "ClusterRegions": "eu-west-1,eu-south-2" });
    for (named, parameters, expected) in [
        (&["dev"][..], &only_prod, None),
        (&["dev"], &in_europe, None),
        (&["dev"], &json!({}), by_policy),
        (&["gone"], &only_prod, by_policy),
        (&["gone"], &json!({}), by_policy),
        (&["gone", "dev"], &only_prod, None),
        (&["dev", "prod"], &only_prod, by_tag),
        (&["gone", "prod"], &only_prod, by_tag),
        (&["far"], &in_europe, by_policy),
        (&["far"], &only_prod, None),
        (&["locked"], &in_europe, by_policy),
        (&["dev", "locked"], &in_europe, by_policy),
        (&["DEV"], &only_prod, by_policy),
        (&[""], &only_prod, by_policy),
    ] {
        let aws = || {
            let aws = account_without_entries().with_role("r", in_profile).with_role("r", |role| {
                role.attached.push(WORKER.to_owned());
                let tags = named.iter().map(|name| tag(&format!("kubernetes.io/cluster/{name}"), "owned"));
                role.record.tags.extend(tags);
            });
            aws.with(|state| {
                state.regions = vec!["eu-west-1".to_owned(), "us-east-1".to_owned()];
                state.refusing.insert("eu-south-2".to_owned(), PortErrorKind::RegionClosed);
                state.cluster("eu-west-1", "dev");
                state.cluster("eu-west-1", "locked");
                state.cluster("us-east-1", "far");
            })
        };
        check_node_role(&format!("{named:?} {parameters}"), aws, parameters, EC2_TRUST, expected);
    }
}

#[test]
fn tag_of_a_cluster_deleted_after_listing_is_ignored() {
    let aws = || {
        let aws = account_without_entries().with_role("r", in_profile).with_role("r", |role| {
            role.attached.push(WORKER.to_owned());
            role.record.tags.push(tag("kubernetes.io/cluster/old", "owned"));
        });
        let aws = aws.with(|state| {
            state.cluster("eu-west-1", "old");
        });
        aws.before("DescribeCluster eu-west-1/old", |state| state.clusters.retain(|id, _| id.name != "old"))
    };
    let expected = "AmazonEKSWorkerNodePolicy on an instance profile of cluster prod, eu-west-1";
    check_node_role("deleted", aws, &json!({}), EC2_TRUST, Some(expected));
}

#[test]
fn clusters_left_out_cost_no_call() {
    let aws = account_without_entries().with(|state| {
        state.cluster("eu-west-1", "dev");
    });
    run(&aws, with_parameters(scheduled(), &json!({ "ClusterNames": "prod" }))).unwrap();
    assert_eq!(aws.count("ListClusters"), 1);
    assert!(!aws.calls().iter().any(|call| call.contains("eu-west-1/dev")), "{:#?}", aws.calls());
}

#[test]
fn profile_tag_counts_despite_the_role_tags() {
    let aws = |on_profile: &'static str| {
        move || {
            let aws = account_without_entries().with_role("r", in_profile);
            aws.with_role("r", |role| role.record.tags.push(tag("kubernetes.io/cluster/dev", "owned"))).with(|state| {
                state.cluster("eu-west-1", "dev");
                state.instance_profiles.insert("p".to_owned(), vec![tag("eks:eks-cluster-name", on_profile)]);
            })
        }
    };
    let parameters = json!({ "ClusterNames": "prod" });
    let expected = "tag eks:eks-cluster-name on instance profile p of cluster prod, eu-west-1";
    check_node_role("a cluster in scope", aws("prod"), &parameters, EC2_TRUST, Some(expected));
    check_node_role("a cluster out of scope", aws("dev"), &parameters, EC2_TRUST, None);
}

#[test]
fn karpenter_tag_belongs_to_the_existing_cluster_of_other_tags() {
    let node_class = || tag("karpenter.k8s.aws/ec2nodeclass", "default");
    let by_node_class = Some("karpenter.k8s.aws/ec2nodeclass");
    for (named, parameters, expected) in [
        ("dev", json!({ "ClusterNames": "prod" }), None),
        ("locked", json!({}), None),
        ("gone", json!({}), by_node_class),
        ("gone", json!({ "ClusterNames": "prod" }), by_node_class),
        ("prod", json!({}), Some("eks:eks-cluster-name")),
    ] {
        let beside = || vec![node_class(), tag("eks:eks-cluster-name", named)];
        let account = || {
            account_without_entries().with_role("r", in_profile).with(|state| {
                state.cluster("eu-west-1", "dev");
                state.cluster("eu-west-1", "locked");
            })
        };
        let on_role = || account().with_role("r", |role| role.record.tags = beside());
        let on_profile = || account().with(|state| drop(state.instance_profiles.insert("p".to_owned(), beside())));
        let fact = |of: &str| expected.map(|key| format!("tag {key}{of} of cluster prod, eu-west-1"));
        check_node_role(named, on_role, &parameters, EC2_TRUST, fact("").as_deref());
        check_node_role(named, on_profile, &parameters, EC2_TRUST, fact(" on instance profile p").as_deref());
    }
}

#[test]
fn role_without_ec2_trust_is_not_read_for_marks() {
    let trust = json!({"Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "sts:AssumeRole" },
    ]});
    let trust = trust.to_string();
    for (trust, looked_up) in [(trust.as_str(), 0), (EC2_TRUST, 1)] {
        let aws = account_without_entries().with_role("r", |role| role.record.trust_policy = trust.to_owned());
        run(&aws, change(&role_item("r", "AROAR", trust))).unwrap();
        assert_eq!(aws.sent(), ["AROAR NotApplicable"]);
        assert_eq!(aws.count("GetRole"), looked_up, "{trust}");
    }
}

#[test]
fn marks_are_read_up_to_the_first_found() {
    let event = || change(&role_item("r", "AROAR", EC2_TRUST));
    let discovery = ["ListRegions", "ListClusters", "DescribeCluster", "ListNodegroups", "ListFargateProfiles"];
    let calls = |aws: FakeAws| {
        run(&aws, event()).unwrap();
        let operation = |call: String| call.split(' ').next().unwrap().to_owned();
        let calls: Vec<String> = aws.calls().into_iter().map(operation).collect();
        assert_eq!(&calls[..5], discovery);
        calls[6..].join(" ")
    };
    let get = "GetPolicy GetPolicyVersion PutEvaluations";
    assert_eq!(calls(account_without_entries()), "GetRole ListInstanceProfilesForRole PutEvaluations");
    assert_eq!(
        calls(account_without_entries().with_role("r", in_profile).with_role("r", |role| {
            role.record.tags.push(tag("kubernetes.io/cluster/prod", "owned"));
        })),
        format!("GetRole ListInstanceProfilesForRole ListRolePolicies ListAttachedRolePolicies {get}")
    );
    assert_eq!(
        calls(
            account_without_entries()
                .with_role("r", in_profile)
                .with_role("r", |role| role.attached = vec![WORKER.to_owned()])
        ),
        format!("GetRole ListInstanceProfilesForRole ListAttachedRolePolicies ListRolePolicies {get}")
    );
    assert_eq!(
        calls(account_without_entries().with_role("r", in_profile)),
        "GetRole ListInstanceProfilesForRole ListAttachedRolePolicies GetInstanceProfile PutEvaluations"
    );
}

#[test]
fn unreadable_mark_makes_the_role_unreadable() {
    for call in ["ListInstanceProfilesForRole r", "ListAttachedRolePolicies r", "GetInstanceProfile p"] {
        let (operation, of) = call.split_once(' ').unwrap();
        let expected = format!("no verdict on role `r`: {operation} of `{of}` failed: {DENIED}");
        // A schedule has the instance profiles from the list of all.
        let read_by_schedule = operation != "ListInstanceProfilesForRole";
        let event = change(&role_item("r", "AROAR", EC2_TRUST));
        for payload in read_by_schedule.then(scheduled).into_iter().chain([event]) {
            let aws = account_without_entries().with_role("r", in_profile).failing(call);
            assert_eq!(run(&aws, payload).unwrap_err().to_string(), expected);
            assert_eq!(aws.sent(), [""; 0]);
        }
    }
    let aws = account_without_entries().failing("ListInstanceProfiles");
    let error = run(&aws, scheduled()).unwrap_err();
    assert_eq!(error.error_type(), "NodeRolesUnknown");
}

#[test]
fn node_roles_parameter_adds_roles_of_any_trust() {
    let aws =
        || FakeAws::new().role("r", "AROAR").with_role("r", |role| role.record.trust_policy = LAMBDA_TRUST.into());
    let with_path = || aws().with_role("r", |role| role.record.arn = format!("arn:aws:iam::{ACCOUNT}:role/team/r"));
    let expected = Some("parameter NodeRoles");
    for (patterns, expected) in [("r", expected), ("R", None), ("x,r*", expected), ("x", None), ("x*", None)] {
        check_node_role(patterns, aws, &json!({ "NodeRoles": patterns }), LAMBDA_TRUST, expected);
    }
    for (patterns, expected) in [
        ("arn:aws:iam::111122223333:role/team/r", expected),
        ("arn:aws:iam::111122223333:role/team/*", expected),
        ("arn:aws:iam::111122223333:role/r", None),
        ("arn:aws:iam::999999999999:role/*", None),
    ] {
        let item = with(
            role_item("r", "AROAR", LAMBDA_TRUST),
            &json!({ "ARN": format!("arn:aws:iam::{ACCOUNT}:role/team/r") }),
        );
        let by_event = with_path();
        run(&by_event, with_parameters(change(&item), &json!({ "NodeRoles": patterns }))).unwrap();
        let by_schedule = with_path();
        run(&by_schedule, with_parameters(scheduled(), &json!({ "NodeRoles": patterns }))).unwrap();
        let found = [by_event.sent(), by_schedule.sent()].map(|sent| sent.contains(&"AROAR Compliant".to_owned()));
        assert_eq!(found, [expected.is_some(); 2], "{patterns}");
    }
}

#[test]
fn exempt_roles_win_over_everything() {
    let aws = || FakeAws::new().role("r", "AROAR").node("r");
    let node = "node group r of cluster prod, us-east-1";
    let tagged = || aws().with_role("r", |role| role.record.tags.push(tag("ecr", "a=b")));
    for (parameters, expected) in [
        (json!({ "ExemptRoles": "x,r*" }), None),
        (json!({ "ExemptRoles": role_arn("r"), "NodeRoles": "r" }), None),
        (json!({ "ExemptTag": "ecr=a=b" }), None),
        (json!({ "ExemptTag": "ecr=other" }), Some(node)),
        (json!({ "ExemptTag": "ECR=a=b" }), Some(node)),
        (json!({ "ExemptRoles": "x" }), Some(node)),
    ] {
        check_node_role(&parameters.to_string(), tagged, &parameters, EC2_TRUST, expected);
    }
    let by_name = aws();
    run(&by_name, with_parameters(change(&role_item("r", "AROAR", EC2_TRUST)), &json!({ "ExemptRoles": "r" })))
        .unwrap();
    assert_eq!(by_name.calls(), ["PutEvaluations"]);
    assert_eq!(by_name.annotated(), ["AROAR NotApplicable: r is exempt: the parameter ExemptRoles names it."]);
}

#[test]
fn pod_roles_are_evaluated_only_if_included() {
    let issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/ABC";
    let arn = role_arn("r");
    let pods = |trust: &'static str, kind: PartKind, node: NodeKind| {
        let arn = arn.clone();
        move || {
            let aws = FakeAws::new().role("r", "AROAR").with(|state| {
                let cluster = state.cluster("us-east-1", "prod");
                cluster.record.oidc_issuer = Some(issuer.to_owned());
                if node != NodeKind::ServiceAccount {
                    cluster.part(kind, "x", &arn, node.clone());
                }
            });
            aws.with_role("r", |role| role.record.trust_policy = trust.to_owned())
        }
    };
    let included = json!({ "IncludeServiceAccountRoles": "true" });
    for (trust, kind, node, expected) in [
        (
            POD_TRUST,
            PartKind::PodIdentityAssociations,
            NodeKind::PodIdentity { pods: "shop/app".to_owned(), session_policy: None },
            "Pod Identity shop/app",
        ),
        (IRSA_TRUST, PartKind::Addons, NodeKind::ServiceAccount, "OIDC provider"),
    ] {
        let aws = pods(trust, kind, node);
        check_node_role(expected, &aws, &included, trust, Some(&format!("{expected} of cluster prod, us-east-1")));
        check_node_role(expected, &aws, &json!({}), trust, None);
        let not = aws();
        run(&not, change(&role_item("r", "AROAR", trust))).unwrap();
        assert_eq!(not.calls(), ["PutEvaluations"]);
    }
    let addon = pods(IRSA_TRUST, PartKind::Addons, NodeKind::Addon("vpc-cni".to_owned()))();
    run(&addon, with_parameters(scheduled(), &included)).unwrap();
    assert!(addon.annotated()[0].ends_with(" Add-on vpc-cni of cluster prod, us-east-1, and 1 more."));
}

#[test]
fn changed_policy_evaluates_self_managed_roles() {
    let app = format!("arn:aws:iam::{ACCOUNT}:policy/app");
    let aws = account_without_entries().with_role("r", in_profile).with_role("r", |role| {
        role.record.tags.push(tag("kubernetes.io/cluster/prod", "owned"));
        role.attached = vec![format!("arn:aws:iam::{ACCOUNT}:policy/app"), PULL_ONLY.to_owned()];
    });
    let aws = aws.role("plain", "AROAPLAIN").with(|state| {
        state.policies.insert(app.clone(), version("v1", EVERYTHING));
        state.roles.get_mut("plain").unwrap().attached = vec![app];
    });
    run(&aws, change(&policy_item("app", "ANPAAPP"))).unwrap();
    assert_eq!(aws.sent(), ["ANPAAPP NotApplicable", "AROAR NonCompliant"]);
}
