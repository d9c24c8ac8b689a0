//! How new the facts about clusters are that an answer uses: which calls an evaluation makes after another one.
//!
//! "Not a node role" needs facts that were read after the change. A role that is shown to be a node role may come from the
//! cache.

use crate::support::block_on;
use crate::support::events::{
    CREATED, EC2_TRUST, app_changed, change, nodes_changed, policy_item, role_item, scheduled, with,
};
use crate::support::fakes::{DISCOVERY, EVERYTHING, FakeAws, PULL_ONLY, account, role_arn, version};
use crate::support::run::{NOW, run_with};
use ecr_read_only::rule::ports::{PartKind, PortErrorKind, SessionPolicy};
use ecr_read_only::rule::{
    CLUSTERS_CACHED_FOR, Cache, ENTRIES_CACHED_FOR, Invocation, NodeKind, Ports, Progress, evaluate,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use std::pin::pin;
use std::task::{Context, Waker};
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NODE: &str = "AROAWEB Compliant";
const NOT: &str = "AROAWEB NotApplicable";

fn text(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap()
}

/// The event of a role whose change was captured at [`NOW`] and `later`.
fn captured(role: &str, later: Duration) -> Value {
    let time = text(NOW + later);
    let id = format!("AROA{}", role.to_uppercase());
    change(&with(role_item(role, &id, EC2_TRUST), &json!({ "configurationItemCaptureTime": time })))
}

/// The schedule that AWS Config sent at [`NOW`] and `later`.
fn scheduled_at(later: Duration) -> Value {
    let time = text(NOW + later);
    let message = json!({ "messageType": "ScheduledNotification", "notificationCreationTime": time });
    with(scheduled(), &json!({ "invokingEvent": message.to_string() }))
}

/// Makes `role` the role of a new node group.
fn add_node_group(aws: &FakeAws, role: &str) {
    aws.change(|state| {
        let kind = NodeKind::NodeGroup(role.to_owned());
        state.cluster("us-east-1", "prod").part(PartKind::NodeGroups, role, &role_arn(role), kind);
    });
}

/// An account whose clusters were listed at [`NOW`], before `web` became the role of a node group.
fn listed_before_web() -> (FakeAws, Cache) {
    let (aws, cache) = (account().role("web", "AROAWEB"), Cache::new());
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    add_node_group(&aws, "web");
    aws.take_calls();
    aws.batches.lock().unwrap().clear();
    (aws, cache)
}

#[test]
fn negative_answer_needs_facts_newer_than_the_change() {
    let (second, minute) = (Duration::SECOND, Duration::MINUTE);
    for (name, captured_at, evaluated_at, expected) in [
        ("captured before the list", -minute, minute, NOT),
        ("captured a second before the list", -second, minute, NOT),
        ("captured with the list", Duration::ZERO, minute, NODE),
        ("captured less than a second before the list", -second / 2, minute, NODE),
        ("captured after the list", second, minute, NODE),
        ("captured ahead of the clock", Duration::HOUR, minute, NODE),
        ("captured at the end of time", datetime!(9999-12-31 23:59:59 UTC) - NOW, minute, NODE),
        ("captured far in the past, the list too old", -Duration::DAY, CLUSTERS_CACHED_FOR, NODE),
    ] {
        let (aws, cache) = listed_before_web();
        let outcome = run_with(&aws, &cache, captured("web", captured_at), evaluated_at).unwrap();
        assert_eq!(aws.sent(), [expected], "{name}");
        assert_eq!(aws.count("ListClusters") == 0, expected == NOT, "{name}: {:#?}", aws.calls());
        let dated = outcome.answers[0].evaluation.ordering_timestamp;
        assert_eq!(dated, NOW + captured_at, "{name}: dated like every answer on the event");
    }
}

#[test]
fn missing_capture_time_is_that_of_the_notification() {
    let (aws, cache) = listed_before_web();
    let item = with(role_item("web", "AROAWEB", EC2_TRUST), &json!({ "configurationItemCaptureTime": null }));
    let message = |created: &str| {
        json!({
            "messageType": "ConfigurationItemChangeNotification", "configurationItem": item,
            "notificationCreationTime": created,
        })
    };
    let event = |created: &str| with(scheduled(), &json!({ "invokingEvent": message(created).to_string() }));
    run_with(&aws, &cache, event(CREATED), Duration::MINUTE).unwrap();
    run_with(&aws, &cache, event("2026-01-05T10:03:30Z"), Duration::MINUTE).unwrap();
    assert_eq!(aws.sent(), [NOT, NODE]);
}

#[test]
fn positive_answer_comes_from_the_cache() {
    let (aws, cache) = listed_before_web();
    run_with(&aws, &cache, captured("nodes", Duration::MINUTE), Duration::MINUTE).unwrap();
    assert_eq!(aws.sent(), ["AROANODES Compliant"]);
    assert_eq!(aws.calls()[0], "GetRole nodes");
}

#[test]
fn one_refresh_serves_every_change_captured_before_it() {
    let (aws, cache) = listed_before_web();
    let seconds = Duration::seconds;
    for (captured_at, evaluated_at, refreshes) in
        [(10, 60, 1), (20, 61, 0), (59, 70, 0), (60, 71, 1), (65, 120, 0), (119, 121, 1)]
    {
        let event = captured("other", seconds(captured_at));
        run_with(&aws, &cache, event, seconds(evaluated_at)).unwrap();
        let calls = aws.take_calls();
        let lists = calls.iter().filter(|call| call.starts_with("ListNodegroups")).count();
        assert_eq!(lists, refreshes, "captured at {captured_at}, evaluated at {evaluated_at}: {calls:#?}");
    }
}

#[test]
fn refresh_describes_unknown_and_own_access_entries_only() {
    let (aws, cache) = (account().role("web", "AROAWEB"), Cache::new());
    let entry = |aws: &FakeAws, role: &str, kind: Option<&str>| {
        aws.change(|state| {
            let entries = state.cluster("us-east-1", "prod").parts.entry(PartKind::AccessEntries).or_default();
            let uses = kind.map(|kind| ecr_read_only::rule::ports::RoleUse {
                role_arn: role_arn(role),
                kind: NodeKind::AccessEntry(kind.to_owned()),
            });
            entries.insert(role_arn(role), uses.into_iter().collect());
        });
    };
    ["admin", "robot", "web"].iter().for_each(|role| entry(&aws, role, None));
    let described = |aws: &FakeAws| -> Vec<String> {
        let calls = aws.take_calls();
        let described = calls.iter().filter_map(|call| call.strip_prefix("DescribeAccessEntry us-east-1/prod "));
        let mut roles: Vec<String> = described.map(|arn| arn.rsplit('/').next().unwrap().to_owned()).collect();
        roles.sort();
        roles
    };
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    assert_eq!(described(&aws), ["admin", "robot", "web"]);

    // The entry of `web` was deleted and made again with another type.
    entry(&aws, "web", Some("EC2_LINUX"));
    entry(&aws, "new", None);
    aws.batches.lock().unwrap().clear();
    run_with(&aws, &cache, captured("web", Duration::MINUTE), Duration::MINUTE * 2).unwrap();
    assert_eq!((aws.sent(), described(&aws)), (vec![NODE.to_owned()], vec!["new".to_owned(), "web".to_owned()]));

    run_with(&aws, &cache, captured("other", Duration::MINUTE * 3), Duration::MINUTE * 4).unwrap();
    assert_eq!(described(&aws), [""; 0], "each entry is known");
    let later = Duration::MINUTE * 30;
    run_with(&aws, &cache, captured("other", later), later + Duration::MINUTE).unwrap();
    assert_eq!(described(&aws), [""; 0], "for an hour");
    run_with(&aws, &cache, captured("other", ENTRIES_CACHED_FOR), ENTRIES_CACHED_FOR + Duration::MINUTE).unwrap();
    assert_eq!(described(&aws), ["admin", "robot"], "the other two were described later");
    run_with(&aws, &cache, scheduled_at(Duration::HOUR * 2), Duration::HOUR * 2).unwrap();
    assert_eq!(described(&aws), ["admin", "new", "robot", "web"], "a schedule describes all");
}

#[test]
fn repeat_of_a_failed_schedule_makes_the_failed_calls_only() {
    let failing = "DescribeNodegroup us-east-1/prod nodes";
    for (name, notified, repeated, expected) in [
        ("at once", -Duration::SECOND, Duration::MINUTE, vec![failing]),
        ("after a long first attempt", -Duration::SECOND, Duration::minutes(20), vec![failing]),
        ("clock of AWS Config ahead", Duration::SECOND, Duration::MINUTE, vec![failing]),
        ("after hours", -Duration::SECOND, Duration::hours(3), DISCOVERY.to_vec()),
    ] {
        let (aws, cache) = (account().failing_at(failing, 1, PortErrorKind::Failed), Cache::new());
        run_with(&aws, &cache, scheduled_at(notified), Duration::ZERO).unwrap_err();
        let first = aws.take_calls();
        assert_eq!((&first[..DISCOVERY.len()], aws.sent().len()), (&DISCOVERY.map(str::to_owned)[..], 0), "{name}");
        run_with(&aws, &cache, scheduled_at(notified), repeated).unwrap();
        let eks = aws.take_calls().into_iter().take_while(|call| !call.contains("Role"));
        let eks: Vec<_> = eks.filter(|call| !call.starts_with("GetComplianceDetails")).collect();
        assert_eq!(
            (eks, aws.sent()),
            (expected.into_iter().map(str::to_owned).collect(), vec!["AROANODES Compliant".to_owned()]),
            "{name}"
        );
    }
}

#[test]
fn schedule_reads_everything_unless_it_is_a_repeat() {
    let (aws, cache) = listed_before_web();
    let reads_all = |notified: Duration, later: Duration| {
        let result = run_with(&aws, &cache, scheduled_at(notified), later);
        let reads = aws.take_calls().iter().any(|call| call.starts_with("ListNodegroups"));
        (result.is_ok(), reads)
    };
    let minutes = Duration::minutes;
    assert_eq!(reads_all(-minutes(1), minutes(1)), (true, true), "facts of an event do not serve a schedule");
    assert_eq!(reads_all(-minutes(1), minutes(2)), (true, true), "the first attempt succeeded");
    let role = "ListRolePolicies nodes";
    let aws = account().failing(role);
    let fails = |notified: Duration, later: Duration| {
        let result = run_with(&aws, &cache, scheduled_at(notified), later);
        let reads = aws.take_calls().iter().any(|call| call.starts_with("ListNodegroups"));
        (result.is_ok(), reads)
    };
    assert_eq!(fails(minutes(3), minutes(3)), (false, true));
    assert_eq!(fails(minutes(3), minutes(4)), (false, false), "a repeat, whichever part failed");
    assert_eq!(fails(minutes(5), minutes(5)), (false, true), "the next schedule");
    aws.repair();
    assert_eq!(fails(minutes(5), minutes(6)), (true, false));
    assert_eq!(fails(minutes(5), minutes(7)), (true, true));
}

#[test]
fn evaluation_cut_off_leaves_its_answers_to_the_next() {
    let whole = {
        let aws = many_clusters(6);
        run_with(&aws, &Cache::new(), scheduled(), Duration::ZERO).unwrap();
        aws.calls().iter().filter(|call| !call.contains("Role")).cloned().collect::<Vec<_>>()
    };
    for polls in 1..12 {
        let (aws, cache) = (many_clusters(6), Cache::new());
        let invocation = Invocation::parse(scheduled()).unwrap();
        let ports = Ports { iam: &aws, eks: &aws, store: &aws };
        let progress = Progress::default();
        {
            let mut cut_off = pin!(evaluate(&ports, &cache, &invocation, &progress, &|_| {}, NOW));
            for _ in 0..polls {
                let _ = cut_off.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            }
        }
        run_with(&aws, &cache, scheduled(), Duration::MINUTE).unwrap();
        let eks = aws.calls().iter().filter(|call| !call.contains("Role")).count();
        // The calls that were under way are made again.
        assert!(eks <= whole.len() + 8, "{polls}: {eks} calls instead of {}", whole.len());
    }
}

/// An account with clusters that have two node groups each, and the role `nodes`.
fn many_clusters(count: usize) -> FakeAws {
    (0..count).fold(FakeAws::new().role("nodes", "AROANODES"), |aws, number| {
        aws.with(|state| {
            let cluster = state.cluster("us-east-1", &format!("c{number}"));
            for group in ["a", "b"] {
                cluster.part(PartKind::NodeGroups, group, &role_arn("nodes"), NodeKind::NodeGroup(group.to_owned()));
            }
        })
    })
}

#[test]
fn hundred_role_changes_cost_at_most_twenty_refreshes() {
    let (aws, cache) = (many_clusters(50), Cache::new());
    for number in 0..100_i32 {
        let evaluated_at = Duration::minutes(10) * number / 100;
        let event = captured(&format!("web{number}"), evaluated_at - Duration::MINUTE);
        run_with(&aws, &cache, event, evaluated_at).unwrap();
    }
    assert_eq!(aws.sent().len(), 100);
    assert!(aws.sent().iter().all(|sent| sent.ends_with("NotApplicable")));
    let refreshes = aws.count("ListNodegroups us-east-1/c7");
    assert!((10..=20).contains(&refreshes), "{refreshes} refreshes");
    // Regions and clusters; for each cluster itself, three lists and two node groups; one evaluation for each event.
    assert_eq!(aws.calls().len(), refreshes * (2 + 50 * (1 + 3 + 2)) + 100);
}

#[test]
fn events_at_once_share_one_refresh() {
    let (aws, cache) = listed_before_web();
    let ports = Ports { iam: &aws, eks: &aws, store: &aws };
    let (at, progress) = (NOW + Duration::MINUTE, Progress::default());
    let invocations: Vec<Invocation> = (0..24)
        .map(|number| captured(&format!("web{number}"), Duration::seconds(number)))
        .map(|event| Invocation::parse(event).unwrap())
        .collect();
    let evaluations = invocations.iter().map(|invocation| evaluate(&ports, &cache, invocation, &progress, &|_| {}, at));
    let reports = block_on(join_all(evaluations));
    assert!(reports.iter().all(|report| report.as_ref().is_ok_and(|report| report.failure().is_none())));
    assert_eq!(aws.count("ListClusters"), 1);
    assert_eq!(aws.sent().len(), 24);
}

#[test]
fn changed_policy_evaluates_roles_that_became_node_roles() {
    let (aws, cache) = listed_before_web();
    let app = "arn:aws:iam::111122223333:policy/app";
    aws.change(|state| {
        state.policies.insert(app.to_owned(), version("v2", EVERYTHING));
        ["nodes", "web"].iter().for_each(|role| state.roles.get_mut(*role).unwrap().attached.push(app.to_owned()));
    });
    let item = with(policy_item("app", "ANPAAPP"), &json!({ "configurationItemCaptureTime": "2026-01-05T10:03:30Z" }));
    run_with(&aws, &cache, change(&item), Duration::MINUTE).unwrap();
    assert_eq!(aws.sent(), ["ANPAAPP NotApplicable", "AROANODES NonCompliant", "AROAWEB NonCompliant"]);

    let (aws, cache) = listed_before_web();
    aws.change(|state| {
        state.policies.insert(app.to_owned(), version("v2", EVERYTHING));
        state.roles.get_mut("nodes").unwrap().attached = vec![PULL_ONLY.to_owned(), app.to_owned()];
    });
    run_with(&aws, &cache, app_changed(), Duration::MINUTE).unwrap();
    assert_eq!((aws.sent().len(), aws.count("ListClusters")), (2, 0), "each role is known as a node role");
}

#[test]
fn limited_role_is_judged_by_facts_newer_than_the_change() {
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","pods.eks.amazonaws.com"]},"Action":["sts:AssumeRole","sts:TagSession"]}}"#;
    let aws = account().role("web", "AROAWEB").writing("web").with_role("web", |role| {
        role.record.trust_policy = trust.to_owned();
    });
    let aws = aws.with(|state| {
        let session_policy = Some(SessionPolicy {
            association_arn: "arn:aws:eks:us-east-1:111122223333:podidentityassociation/prod/a-1".to_owned(),
            document:
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:BatchGetImage","Resource":"*"}}"#
                    .to_owned(),
        });
        let kind = NodeKind::PodIdentity { pods: "shop/web".to_owned(), session_policy };
        let prod = state.cluster("us-east-1", "prod");
        prod.part(PartKind::PodIdentityAssociations, "a-1", &role_arn("web"), kind);
    });
    let cache = Cache::new();
    let event = |later: Duration| {
        let captured = json!({ "configurationItemCaptureTime": text(NOW + later) });
        let item = with(role_item("web", "AROAWEB", trust), &captured);
        with(change(&item), &json!({ "ruleParameters": r#"{"IncludeServiceAccountRoles":"true"}"# }))
    };
    run_with(&aws, &cache, event(-Duration::MINUTE), Duration::ZERO).unwrap();
    add_node_group(&aws, "web");
    run_with(&aws, &cache, event(-Duration::MINUTE), Duration::MINUTE).unwrap();
    run_with(&aws, &cache, event(Duration::MINUTE), Duration::minutes(2)).unwrap();
    assert_eq!(aws.sent(), [NODE, NODE, "AROAWEB NonCompliant"]);
}

#[test]
fn recreated_cluster_has_no_entries_of_the_old_one() {
    let (aws, cache) = (account().role("web", "AROAWEB"), Cache::new());
    let with_entry = |aws: &FakeAws, kind: &str| {
        aws.change(|state| {
            let kind = NodeKind::AccessEntry(kind.to_owned());
            state.cluster("us-east-1", "prod").part(PartKind::AccessEntries, &role_arn("web"), &role_arn("web"), kind);
        });
    };
    with_entry(&aws, "EC2_LINUX");
    let evaluate_other = |minutes: i64| {
        let captured_at = Duration::minutes(minutes) - Duration::SECOND * 30;
        run_with(&aws, &cache, captured("other", captured_at), Duration::minutes(minutes)).unwrap();
        aws.take_calls().iter().filter(|call| call.starts_with("DescribeAccessEntry")).count()
    };
    assert_eq!(evaluate_other(0), 1);
    aws.change(|state| state.clusters.clear());
    assert_eq!(evaluate_other(1), 0);
    with_entry(&aws, "EC2_LINUX");
    assert_eq!(evaluate_other(2), 1, "described again");
}

#[test]
fn changed_instance_profile_evaluates_its_node_role() {
    let (aws, cache) = listed_before_web();
    aws.change(|state| {
        for (role, profile) in [("web", "eks-1"), ("nodes", "eks-2")] {
            state.roles.get_mut(role).unwrap().instance_profiles.push(profile.to_owned());
        }
    });
    let event = |name: &str| {
        change(&json!({
            "resourceType": "AWS::IAM::InstanceProfile", "resourceId": name, "resourceName": name,
            "awsRegion": "global", "awsAccountId": "111122223333", "configuration": {},
            "configurationItemCaptureTime": text(NOW + Duration::MINUTE), "configurationItemStatus": "OK",
        }))
    };
    for (name, expected) in [
        ("eks-1", vec!["eks-1 NotApplicable", NODE]),
        ("eks-2", vec!["eks-2 NotApplicable", "AROANODES Compliant"]),
        ("gone", vec!["gone NotApplicable"]),
    ] {
        run_with(&aws, &cache, event(name), Duration::minutes(2)).unwrap();
        assert_eq!(aws.sent(), expected, "{name}");
        aws.batches.lock().unwrap().clear();
    }
    assert_eq!(aws.count("ListNodegroups"), 1, "one refresh serves all");
}
