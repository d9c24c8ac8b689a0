//! Listing clusters: regions, failures, concurrent calls, and the cache.

use crate::support::block_on;
use crate::support::events::{ACCOUNT, EC2_TRUST, change, nodes_changed, role_item, scheduled, with};
use crate::support::fakes::{DISCOVERY, FakeAws, account, role_arn, role_resource};
use crate::support::run::{NOW, check, run, run_with};
use ecr_read_only::rule::ports::{Authentication, PartKind, PortErrorKind};
use ecr_read_only::rule::{CLUSTERS_CACHED_FOR, Cache, Invocation, NodeKind, Ports, Progress, evaluate};
use futures_util::future::join;
use serde_json::{Value, json};
use time::Duration;

/// The event of `nodes`, of a rule with these parameters.
fn scoped(parameters: &Value) -> Value {
    with(nodes_changed(), &json!({ "ruleParameters": parameters.to_string() }))
}

/// The event of a changed EKS resource.
fn cluster_item(resource_type: &str, id: &str, path: &str) -> Value {
    change(&json!({
        "resourceType": resource_type, "resourceId": id, "resourceName": id, "awsRegion": "us-east-1",
        "ARN": format!("arn:aws:eks:us-east-1:{ACCOUNT}:{path}"), "awsAccountId": ACCOUNT, "configuration": {},
        "configurationItemCaptureTime": "2026-01-05T10:02:33.123Z", "configurationItemStatus": "OK",
    }))
}

fn prod_changed() -> Value {
    cluster_item("AWS::EKS::Cluster", "prod", "cluster/prod")
}

#[test]
fn clusters_in_every_region_in_scope_are_read() {
    let aws = || {
        account().with(|state| {
            state.regions = vec!["us-east-1".to_owned(), "eu-west-1".to_owned(), "ap-south-1".to_owned()];
            let kind = NodeKind::NodeGroup("w".to_owned());
            state.cluster("eu-west-1", "prod").part(PartKind::NodeGroups, "w", &role_arn("nodes"), kind.clone());
            state.cluster("eu-west-1", "dev").part(PartKind::NodeGroups, "w", &role_arn("nodes"), kind);
        })
    };
    let prod = "node group w of cluster prod, eu-west-1";
    let dev = "node group w of cluster dev, eu-west-1";
    let own = "node group nodes of cluster prod, us-east-1";
    for (parameters, expected) in [
        (json!({}), vec![dev, prod, own]),
        (json!({ "ClusterRegions": "eu-west-1" }), vec![dev, prod]),
        (json!({ "ClusterNames": "p*" }), vec![prod, own]),
        (json!({ "ClusterNames": "dev,x", "ClusterRegions": "eu-west-1,us-east-1" }), vec![dev]),
    ] {
        let aws = aws();
        let outcome = run(&aws, scoped(&parameters)).unwrap();
        let role = outcome.answers[0].role().unwrap();
        let facts: Vec<String> = role.node_of().map(ToString::to_string).collect();
        assert_eq!(facts, expected, "{parameters}: {:#?}", aws.calls());
        let described = aws.count("DescribeCluster");
        assert_eq!(described, expected.len(), "{parameters}: no cluster out of scope is described");
        assert_eq!(aws.count("ListRegions"), usize::from(parameters.get("ClusterRegions").is_none()), "{parameters}");
    }
}

#[test]
fn named_region_not_enabled_has_no_clusters() {
    let with_closed = || {
        account().with(|state| {
            state.regions.extend(["ap-east-1".to_owned(), "me-south-1".to_owned()]);
            state.refusing.insert("ap-east-1".to_owned(), PortErrorKind::RegionClosed);
            state.refusing.insert("me-south-1".to_owned(), PortErrorKind::RegionClosed);
            state.reported = vec![role_resource("AROANODES")];
        })
    };
    let named = |regions: &str| with(scheduled(), &json!({ "ruleParameters": { "ClusterRegions": regions } }));
    let aws = with_closed();
    let outcome = run(&aws, named("us-east-1,me-south-1,ap-east-1")).unwrap();
    assert_eq!(outcome.closed_regions, ["ap-east-1", "me-south-1"]);
    assert_eq!(aws.sent(), ["AROANODES Compliant"]);

    for (payload, name, sent) in [
        (named("ap-east-1,me-south-1"), "every region refuses the credentials", vec![]),
        (scheduled(), "the account lists the region as enabled", vec!["AROANODES Compliant"]),
    ] {
        let (aws, cache) = (with_closed(), Cache::new());
        let error = run_with(&aws, &cache, payload.clone(), Duration::ZERO).unwrap_err();
        assert_eq!(error.error_type(), "NodeRolesUnknown", "{name}");
        assert_eq!(aws.sent(), sent, "{name}: no verdict is cleared");
        aws.change(|state| state.refusing.clear());
        run_with(&aws, &cache, payload, Duration::MINUTE).unwrap();
        assert_eq!(aws.count("ListClusters ap-east-1"), 2, "{name}: the repeat asks the region again");
    }
}

#[test]
fn failing_or_denied_region_is_named_with_advice() {
    let aws = |kind: PortErrorKind| {
        account().with(|state| {
            state.regions.push("eu-west-1".to_owned());
            state.refusing.insert("eu-west-1".to_owned(), kind);
        })
    };
    let failed = "NodeRolesUnknown: could not list all node roles: eks:ListClusters of eu-west-1 failed: \
                  refused";
    let advice = "; if a service control policy closes the region, or it has no EKS, set the rule parameter \
                  `ClusterRegions` to the other regions";
    for kind in [PortErrorKind::Failed, PortErrorKind::ExplicitlyDenied] {
        check(&aws(kind), scheduled(), &["AROANODES Compliant"], Some(&format!("{failed}{advice}")));
    }
}

#[test]
fn config_map_cluster_is_not_asked_for_access_entries() {
    let aws = account().with(|state| {
        state.cluster("us-east-1", "prod").record.authentication = Authentication::ConfigMap;
    });
    run(&aws, nodes_changed()).unwrap();
    assert_eq!(aws.count("ListAccessEntries"), 0);
}

#[test]
fn cluster_part_gone_after_listing_is_ignored() {
    for call in
        ["DescribeCluster us-east-1/prod", "ListNodegroups us-east-1/prod", "DescribeNodegroup us-east-1/prod nodes"]
    {
        let aws = account().before(call, |state| state.clusters.clear());
        check(&aws, nodes_changed(), &["AROANODES NotApplicable"], None);
    }
}

#[test]
fn cluster_calls_are_limited_to_eight_at_once() {
    let aws = (0..100).fold(FakeAws::new(), |aws, number| {
        aws.with(|state| {
            let cluster = state.cluster("us-east-1", &format!("c{number}"));
            for group in 0..10 {
                let (name, role) = (format!("g{group}"), role_arn("nodes"));
                cluster.part(PartKind::NodeGroups, &name, &role, NodeKind::NodeGroup(name.clone()));
            }
        })
    });
    run(&aws, scheduled()).unwrap();
    assert_eq!(aws.most_at_once(), 8, "in one region");
    // One call for regions and one for clusters. For each cluster: itself, three lists, ten node groups. Then the role, and
    // the roles that the rule reported.
    assert_eq!(aws.calls().len(), 2 + 100 * 14 + 1 + 1);
}

#[test]
fn clusters_are_cached_for_minutes_but_not_by_schedules() {
    let (aws, cache) = (account(), Cache::new());
    let lists_clusters = |payload: Value, later: Duration| {
        run_with(&aws, &cache, payload, later).unwrap();
        aws.take_calls().iter().any(|call| call.starts_with("ListClusters"))
    };
    let second = Duration::SECOND;
    assert!(lists_clusters(nodes_changed(), Duration::ZERO));
    assert!(!lists_clusters(nodes_changed(), CLUSTERS_CACHED_FOR - second));
    assert!(lists_clusters(nodes_changed(), CLUSTERS_CACHED_FOR), "the list is too old");
    assert!(lists_clusters(scheduled(), CLUSTERS_CACHED_FOR + second), "a schedule lists again");
    assert!(!lists_clusters(nodes_changed(), CLUSTERS_CACHED_FOR + second), "the list of the schedule is cached");
    assert!(lists_clusters(nodes_changed(), Duration::ZERO), "the clock was set back");
    assert!(!lists_clusters(scoped(&json!({ "ClusterNames": "p*" })), Duration::ZERO), "scopes share the answers");
}

#[test]
fn failed_listing_is_not_cached() {
    let (aws, cache) = (account().failing(DISCOVERY[4]), Cache::new());
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap_err();
    aws.repair();
    aws.take_calls();
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    assert_eq!(aws.sent(), ["AROANODES Compliant"; 2]);
    assert_eq!(aws.calls()[..2], [DISCOVERY[4], "GetRole nodes"], "the other answers are cached");
}

#[test]
fn accounts_have_separate_caches() {
    let (one, cache) = (account(), Cache::new());
    run_with(&one, &cache, nodes_changed(), Duration::ZERO).unwrap();
    let other = FakeAws::new();
    let mut item = role_item("nodes", "AROANODES", EC2_TRUST);
    item["awsAccountId"] = json!("999999999999");
    let payload = with(change(&item), &json!({ "accountId": "999999999999" }));
    run_with(&other, &cache, payload, Duration::ZERO).unwrap();
    assert_eq!(other.calls(), ["ListRegions", "ListClusters us-east-1", "PutEvaluations"]);
}

#[test]
fn concurrent_evaluations_share_one_listing() {
    let (aws, cache) = (account(), Cache::new());
    let ports = Ports { iam: &aws, eks: &aws, store: &aws };
    let invocation = Invocation::parse(nodes_changed()).unwrap();
    let progress = Progress::default();
    let once = || evaluate(&ports, &cache, &invocation, &progress, &|_| {}, NOW);
    let (one, other) = block_on(join(once(), once()));
    assert_eq!((one.unwrap().outcome.evaluated(), other.unwrap().outcome.evaluated()), (1, 1));
    for call in DISCOVERY {
        assert_eq!(aws.count(call), 1, "{call}");
    }
}

#[test]
fn changed_cluster_is_read_again_and_its_roles_evaluated() {
    let (aws, cache) = (account().role("new", "AROANEW").role("auto", "AROAAUTO"), Cache::new());
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    aws.change(|state| {
        let kind = NodeKind::NodeGroup("new".to_owned());
        state.cluster("us-east-1", "prod").part(PartKind::NodeGroups, "new", &role_arn("new"), kind);
        state.cluster("us-east-1", "other").record.auto_mode_role = Some(role_arn("auto"));
    });
    aws.batches.lock().unwrap().clear();
    aws.take_calls();
    run_with(&aws, &cache, prod_changed(), Duration::SECOND).unwrap();
    assert_eq!(aws.sent(), ["prod NotApplicable", "AROANEW Compliant", "AROANODES Compliant"]);
    assert_eq!(aws.batches.lock().unwrap()[0].1[0].resource.resource_type, "AWS::EKS::Cluster");
    assert_eq!(aws.take_calls()[0], "DescribeCluster us-east-1/prod", "no other cluster is read");

    // The clusters are cached for the role's own event.
    run_with(&aws, &cache, change(&role_item("new", "AROANEW", EC2_TRUST)), Duration::SECOND).unwrap();
    assert_eq!(aws.calls()[0], "GetRole new");
}

#[test]
fn changed_fargate_profile_evaluates_its_role() {
    let aws = account().role("web", "AROAWEB").with(|state| {
        let kind = NodeKind::FargateProfile("web".to_owned());
        state.cluster("us-east-1", "prod").part(PartKind::FargateProfiles, "web", &role_arn("web"), kind);
    });
    let payload = cluster_item("AWS::EKS::FargateProfile", "prod|web", "fargateprofile/prod/web/1a2b3c");
    check(&aws, payload, &["prod|web NotApplicable", "AROAWEB Compliant"], None);
    let resource = aws.batches.lock().unwrap()[0].1[0].resource.clone();
    assert_eq!(resource.resource_type, "AWS::EKS::FargateProfile");
}

#[test]
fn changed_cluster_out_of_scope_or_gone_costs_few_calls() {
    let aws = account();
    let payload = with(prod_changed(), &json!({ "ruleParameters": { "ClusterNames": "x" } }));
    check(&aws, payload, &["prod NotApplicable"], None);
    assert_eq!(aws.calls(), ["PutEvaluations"]);

    let (aws, cache) = (account(), Cache::new());
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    aws.change(|state| state.clusters.clear());
    run_with(&aws, &cache, prod_changed(), Duration::SECOND).unwrap();
    run_with(&aws, &cache, nodes_changed(), Duration::SECOND).unwrap();
    assert_eq!(aws.sent(), ["AROANODES Compliant", "prod NotApplicable", "AROANODES NotApplicable"]);
}
