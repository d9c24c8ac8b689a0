//! The rule from event to evaluation, with in-memory fakes of the AWS APIs: which calls it makes in which order, and what it
//! sends, also when a call fails.

use std::collections::BTreeMap;

use crate::support::events::{
    ACCOUNT, EC2_TRUST, LAMBDA_TRUST, app_changed, change, nodes_changed, oversized, policy_item, role_item,
    role_summary, scheduled, with,
};
use crate::support::fakes::{DISCOVERY, EVERYTHING, FakeAws, PULL_ONLY, account, many, role_resource, version};
use crate::support::run::{DENIED, NOW, check, run, run_with};
use ecr_read_only::rule::ports::{PartKind, PortErrorKind};
use ecr_read_only::rule::{Cache, NodeKind};
use serde_json::json;
use time::Duration;
use time::macros::datetime;

fn customer_policy() -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/app")
}

#[test]
fn role_ruled_out_by_trust_policy_costs_one_call() {
    let aws = account();
    check(&aws, change(&role_item("nodes", "AROANODES", LAMBDA_TRUST)), &["AROANODES NotApplicable"], None);
    assert_eq!(aws.calls(), ["PutEvaluations"]);
}

#[test]
fn changed_role_gets_a_verdict_or_not_applicable() {
    let node = "AROANODES Compliant";
    let not = "AROANODES NotApplicable";
    for (name, aws, trust, expected) in [
        ("of a node group", account(), EC2_TRUST, node),
        ("that can write", account().inline("nodes", EVERYTHING), EC2_TRUST, "AROANODES NonCompliant"),
        ("of no node", FakeAws::new().role("nodes", "AROANODES"), EC2_TRUST, not),
        ("that IAM no longer has", FakeAws::new().node("nodes"), EC2_TRUST, not),
        ("that was made again with its name", FakeAws::new().role("nodes", "AROANEW").node("nodes"), EC2_TRUST, not),
        (
            "whose trust policy has changed since the event",
            account().with(|state| {
                state.roles.get_mut("nodes").unwrap().record.trust_policy = LAMBDA_TRUST.to_owned();
            }),
            EC2_TRUST,
            not,
        ),
        (
            "that disappears before its inline policies are read",
            account().before("ListRolePolicies nodes", |state| state.roles.clear()),
            EC2_TRUST,
            not,
        ),
        (
            "that disappears before its managed policies are read",
            account().before("ListAttachedRolePolicies nodes", |state| state.roles.clear()),
            EC2_TRUST,
            not,
        ),
    ] {
        let result = run(&aws, change(&role_item("nodes", "AROANODES", trust)));
        assert!(result.is_ok(), "{name}: {result:?}");
        assert_eq!(aws.sent(), [expected], "{name}: {:#?}", aws.calls());
    }
}

#[test]
fn node_role_costs_these_calls_cold_and_warm() {
    let aws = account().inline("nodes", EVERYTHING).with(|state| {
        let boundary = customer_policy();
        state.policies.insert(boundary.clone(), version("v2", EVERYTHING));
        state.roles.get_mut("nodes").unwrap().record.permissions_boundary = Some(boundary);
    });
    let cache = Cache::new();
    let role = [
        "GetRole nodes".to_owned(),
        "ListRolePolicies nodes".to_owned(),
        "GetRolePolicy nodes own".to_owned(),
        "ListAttachedRolePolicies nodes".to_owned(),
    ];
    let get = |arn: &str| format!("GetPolicy {arn}");
    let read = |arn: &str, version: &str| format!("GetPolicyVersion {arn} {version}");
    let (app, put) = (customer_policy(), "PutEvaluations".to_owned());

    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    let policies = [get(PULL_ONLY), read(PULL_ONLY, "v1"), get(&app), read(&app, "v2")];
    let discovery = DISCOVERY.map(str::to_owned);
    assert_eq!(aws.take_calls(), [&discovery[..], &role, &policies, std::slice::from_ref(&put)].concat(), "cold");

    run_with(&aws, &cache, nodes_changed(), Duration::minutes(4)).unwrap();
    let policies = [get(PULL_ONLY), get(&app)];
    assert_eq!(
        aws.take_calls(),
        [&role[..], &policies, std::slice::from_ref(&put)].concat(),
        "warm: clusters and versions are cached"
    );

    aws.change(|state| {
        state.policies.insert(PULL_ONLY.to_owned(), version("v2", EVERYTHING));
    });
    run_with(&aws, &cache, nodes_changed(), Duration::minutes(4)).unwrap();
    let policies = [get(PULL_ONLY), read(PULL_ONLY, "v2"), get(&app)];
    assert_eq!(aws.take_calls(), [&role[..], &policies, &[put]].concat(), "a new default version is read");
}

#[test]
fn answer_has_reason_role_and_capture_time() {
    let aws = account().inline("nodes", EVERYTHING);
    let outcome = run(&aws, nodes_changed()).unwrap();
    let batches = aws.batches.lock().unwrap();
    let evaluation = &batches[0].1[0];
    assert_eq!(evaluation.resource, role_resource("AROANODES"));
    assert_eq!(evaluation.ordering_timestamp, datetime!(2026-01-05 10:02:33.123 UTC));
    let annotation = evaluation.annotation.as_deref().unwrap();
    assert!(
        annotation.starts_with("nodes can call ecr:DeleteRegistryPolicy and 35 more actions (own, statement 0)."),
        "{annotation}"
    );
    let role = outcome.answers[0].role().unwrap();
    assert_eq!(role.arn, "arn:aws:iam::111122223333:role/nodes");
    assert_eq!(role.node_of().next().unwrap().to_string(), "node group nodes of cluster prod, us-east-1");
}

#[test]
fn oversized_role_is_read_from_iam_before_eks() {
    let payload = || oversized(&role_summary("nodes", "AROANODES"));
    let aws = account();
    check(&aws, payload(), &["AROANODES Compliant"], None);
    assert_eq!(&aws.calls()[..2], ["GetRole nodes", "ListRegions"]);
    assert_eq!(aws.calls().iter().filter(|call| *call == "GetRole nodes").count(), 1);

    let ruled_out = account().with(|state| {
        state.roles.get_mut("nodes").unwrap().record.trust_policy = LAMBDA_TRUST.to_owned();
    });
    check(&ruled_out, payload(), &["AROANODES NotApplicable"], None);
    assert_eq!(ruled_out.calls(), ["GetRole nodes", "PutEvaluations"]);

    for gone in [FakeAws::new(), FakeAws::new().role("nodes", "AROANEW")] {
        check(&gone, payload(), &["AROANODES NotApplicable"], None);
        assert_eq!(gone.calls(), ["GetRole nodes", "PutEvaluations"]);
    }

    let unread = account().failing("GetRole nodes");
    let error = format!("RolesUnreadable: no verdict on role `nodes`: GetRole of `nodes` failed: {DENIED}");
    check(&unread, payload(), &[], Some(&error));
}

#[test]
fn resource_without_verdict_is_answered_without_reading() {
    let other = json!({ "resourceType": "AWS::EKS::Addon", "resourceId": "prod", "configuration": null });
    let deleted = json!({ "configurationItemStatus": "ResourceDeleted", "configuration": null });
    for (payload, expected) in [
        (change(&with(policy_item("app", "ANPAAPP"), &other)), "prod NotApplicable"),
        (change(&with(role_item("nodes", "AROANODES", EC2_TRUST), &deleted)), "AROANODES NotApplicable"),
        (change(&with(policy_item("app", "ANPAAPP"), &deleted)), "ANPAAPP NotApplicable"),
        (with(nodes_changed(), &json!({ "eventLeftScope": true })), "AROANODES NotApplicable"),
    ] {
        let aws = account();
        check(&aws, payload, &[expected], None);
        assert_eq!(aws.calls(), ["PutEvaluations"]);
    }
}

#[test]
fn changed_policy_evaluates_the_node_roles_that_use_it() {
    let app = customer_policy();
    let attached = |aws: FakeAws| {
        let app = app.clone();
        aws.with(move |state| {
            state.policies.insert(app.clone(), version("v2", EVERYTHING));
            state.roles.get_mut("plain").unwrap().attached.push(app.clone());
            state.roles.get_mut("nodes").unwrap().attached.push(app.clone());
            state.roles.get_mut("bounded").unwrap().record.permissions_boundary = Some(app);
        })
    };
    let roles = account()
        .role("plain", "AROAPLAIN")
        .role("bounded", "AROABOUNDED")
        .node("bounded")
        .role("other", "AROAOTHER")
        .node("other");
    let aws = attached(roles);
    check(&aws, app_changed(), &["ANPAAPP NotApplicable", "AROABOUNDED Compliant", "AROANODES NonCompliant"], None);
    let batches = aws.batches.lock().unwrap();
    assert_eq!(batches[0].1[0].resource.resource_type, "AWS::IAM::Policy");
    assert_eq!(batches[0].1[1].ordering_timestamp, datetime!(2026-01-05 10:02:33.123 UTC));
    let reads = aws.calls().iter().filter(|call| **call == format!("GetPolicy {app}")).count();
    assert_eq!(reads, 1, "a policy that is also a boundary is read once");
}

#[test]
fn changed_policy_without_roles_makes_no_eks_call() {
    let aws = account();
    check(&aws, app_changed(), &["ANPAAPP NotApplicable"], None);
    assert_eq!(aws.calls(), [format!("ListEntitiesForPolicy {}", customer_policy()).as_str(), "PutEvaluations"]);
}

#[test]
fn unknown_attached_roles_send_nothing() {
    let app = customer_policy();
    let error = format!(
        "AttachedRolesUnknown: could not list the roles that the changed policy is attached to: \
         ListEntitiesForPolicy of `{app}` failed: {DENIED}"
    );
    check(&account().failing(&format!("ListEntitiesForPolicy {app}")), app_changed(), &[], Some(&error));
}

#[test]
fn schedule_evaluates_node_roles_and_clears_old_ones() {
    let aws = account()
        .role("other", "AROAOTHER")
        .node("other")
        .node("deleted")
        .role("service", "AROASERVICE")
        .node("service")
        .with(|state| {
            state.roles.get_mut("service").unwrap().record.trust_policy = LAMBDA_TRUST.to_owned();
            let elsewhere = "arn:aws:iam::999999999999:role/nodes";
            state.cluster("us-east-1", "prod").record.auto_mode_role = Some(elsewhere.to_owned());
            let resource = |kind: &str, id: &str| {
                let mut resource = role_resource(id);
                kind.clone_into(&mut resource.resource_type);
                resource
            };
            state.reported = vec![
                resource("AWS::IAM::Role", "AROAOLD"),
                resource("AWS::IAM::Role", "AROANODES"),
                resource("AWS::IAM::Policy", "ANPAOLD"),
            ];
        });
    let sent = ["AROANODES Compliant", "AROAOTHER Compliant", "AROASERVICE NotApplicable", "AROAOLD NotApplicable"];
    check(&aws, scheduled(), &sent, None);
    let reads = aws.calls().iter().filter(|call| call.starts_with("GetPolicy ")).count();
    assert_eq!(reads, 1, "each managed policy is read once");
    let batches = aws.batches.lock().unwrap();
    assert!(batches[0].1.iter().all(|one| one.ordering_timestamp == datetime!(2026-01-05 10:02:40.5 UTC)));
}

#[test]
fn cleared_answer_has_the_name_in_the_last_annotation() {
    for (annotation, expected) in [
        (Some("old can only read from Amazon ECR. Node group nodes of cluster prod, us-east-1."), Some("old")),
        (Some("The role was evaluated."), None),
        (None, None),
    ] {
        let aws = account().with(|state| {
            state.reported = vec![role_resource("AROAOLD")];
            state.annotations.extend(annotation.map(|text| ("AROAOLD".to_owned(), text.to_owned())));
        });
        let outcome = run(&aws, scheduled()).unwrap();
        let cleared = outcome.answers.iter().find(|answer| answer.evaluation.resource.id == "AROAOLD").unwrap();
        assert_eq!(cleared.role_name.as_deref(), expected, "{annotation:?}");
    }
}

#[test]
fn schedule_keeps_a_verdict_newer_than_its_facts() {
    let cleared = ["AROANODES Compliant", "AROAOLD NotApplicable"];
    for (recorded_at, sent) in
        [(NOW - Duration::HOUR, &cleared[..]), (NOW, &cleared[..1]), (NOW + Duration::MINUTE, &cleared[..1])]
    {
        let aws = account().with(|state| {
            state.reported = vec![role_resource("AROAOLD")];
            state.recorded.insert("AROAOLD".to_owned(), recorded_at);
        });
        check(&aws, scheduled(), sent, None);
    }
}

#[test]
fn snapshot_is_handled_like_a_schedule() {
    let snapshot = json!({
        "messageType": "ConfigurationSnapshotDeliveryCompleted", "notificationCreationTime": "2026-01-05T10:02:40Z",
    });
    let payload = with(scheduled(), &json!({ "invokingEvent": snapshot.to_string() }));
    check(&account(), payload, &["AROANODES Compliant"], None);
}

#[test]
fn facts_of_one_role_are_merged_across_spellings() {
    let arn = |role: &str| format!("arn:aws:iam::{ACCOUNT}:{role}");
    let aws = account().with(|state| {
        let prod = state.cluster("us-east-1", "prod");
        prod.record.auto_mode_role = Some(arn("role/nodes"));
        let entry = NodeKind::AccessEntry("EC2_LINUX".to_owned());
        prod.part(PartKind::AccessEntries, "a", &arn("role/Nodes"), entry.clone());
        prod.part(PartKind::AccessEntries, "b", &arn("user/nodes"), entry);
        let apps = state.cluster("us-east-1", "apps");
        let profile = NodeKind::FargateProfile("web".to_owned());
        apps.part(PartKind::FargateProfiles, "web", &arn("role/path/nodes"), profile);
    });
    let outcome = run(&aws, nodes_changed()).unwrap();
    let node_of = outcome.answers[0].role().unwrap().node_of().map(ToString::to_string);
    assert_eq!(
        node_of.collect::<Vec<_>>(),
        [
            "Fargate profile web of cluster apps, us-east-1",
            "node group nodes of cluster prod, us-east-1",
            "Auto Mode of cluster prod, us-east-1",
            "access entry EC2_LINUX of cluster prod, us-east-1",
        ]
    );
    assert_eq!(outcome.facts_elsewhere, 1);
}

#[test]
fn unreadable_role_gets_no_verdict_and_others_do() {
    let two = || {
        account().role("bad", "AROABAD").node("bad").with(|state| {
            state.reported = vec![role_resource("AROABAD"), role_resource("AROAOLD")];
        })
    };
    // Its id is known: only its own verdict stays.
    let sent = ["AROANODES Compliant", "AROAOLD NotApplicable"];
    for call in ["ListRolePolicies bad", "ListAttachedRolePolicies bad"] {
        let error = format!(
            "RolesUnreadable: no verdict on role `bad`: {} of `bad` failed: {DENIED}",
            call.split(' ').next().unwrap()
        );
        check(&two().failing(call), scheduled(), &sent, Some(&error));
    }
    // Its id is not known: every reported role can be this one, so no verdict is cleared.
    let error = format!("RolesUnreadable: no verdict on role `bad`: GetRole of `bad` failed: {DENIED}");
    let aws = two().failing("GetRole bad");
    check(&aws, scheduled(), &["AROANODES Compliant"], Some(&error));
}

#[test]
fn document_not_understood_is_named_without_verdict() {
    for (document, what) in [
        ("{", "not JSON"),
        (
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Alow","Action":"ecr:*","Resource":"*"}]}"#,
            "an unknown effect",
        ),
        (r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}"#, "no action"),
        ("%7B%22Version%22%3A%222012-10", "cut short"),
    ] {
        let aws = account().inline("nodes", document);
        let error = run(&aws, nodes_changed()).unwrap_err();
        assert_eq!(error.error_type(), "RolesUnreadable", "{what}");
        let text = error.to_string();
        let start = "no verdict on role `nodes`: inline policy `own` could not be understood: ";
        assert!(text.starts_with(start) && text.len() > start.len(), "{text}");
        assert_eq!(aws.sent(), [""; 0], "{what}");
    }
    let aws = account().with(|state| state.roles.get_mut("nodes").unwrap().record.trust_policy = "{".to_owned());
    let error = run(&aws, nodes_changed()).unwrap_err().to_string();
    assert!(error.starts_with("no verdict on role `nodes`: the trust policy could not be understood: "), "{error}");
    let aws = account().with(|state| {
        state.policies.insert(PULL_ONLY.to_owned(), version("v7", "{"));
    });
    let error = run(&aws, nodes_changed()).unwrap_err().to_string();
    let start = format!("no verdict on role `nodes`: version `v7` of policy `{PULL_ONLY}` could not be understood: ");
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn policy_gone_while_read_is_read_again() {
    let get_policy = format!("GetPolicy {PULL_ONLY}");
    let get_version = format!("GetPolicyVersion {PULL_ONLY} v1");

    let inline_gone = account()
        .inline("nodes", EVERYTHING)
        .before("GetRolePolicy nodes own", |state| state.roles.get_mut("nodes").unwrap().inline.clear());
    check(&inline_gone, nodes_changed(), &["AROANODES Compliant"], None);

    let detached = account().before(&get_policy, |state| {
        state.policies.clear();
        state.roles.get_mut("nodes").unwrap().attached.clear();
    });
    check(&detached, nodes_changed(), &["AROANODES Compliant"], None);
    assert_eq!(detached.calls().iter().filter(|call| *call == "ListAttachedRolePolicies nodes").count(), 2);

    let replaced = account().before(&get_policy, |state| {
        state.policies.clear();
        state.roles.get_mut("nodes").unwrap().record.id = "AROANEW".to_owned();
    });
    check(&replaced, nodes_changed(), &["AROANODES NotApplicable"], None);

    let missing = account().before(&get_policy, |state| state.policies.clear());
    let error =
        format!("RolesUnreadable: no verdict on role `nodes`: policy `{PULL_ONLY}` is attached but does not exist");
    check(&missing, nodes_changed(), &[], Some(&error));

    let late = account().before(&get_policy, |state| state.policies.clear()).before(&get_policy, |state| {
        state.policies.insert(PULL_ONLY.to_owned(), version("v1", EVERYTHING));
    });
    check(&late, nodes_changed(), &["AROANODES NonCompliant"], None);

    let moved = account().before(&get_version, |state| {
        state.policies.insert(PULL_ONLY.to_owned(), version("v2", EVERYTHING));
    });
    check(&moved, nodes_changed(), &["AROANODES NonCompliant"], None);

    let lost = account().with(|state| {
        state.policies.insert(PULL_ONLY.to_owned(), ("v1".to_owned(), BTreeMap::new()));
    });
    let error = format!(
        "RolesUnreadable: no verdict on role `nodes`: the default version of policy `{PULL_ONLY}` does not exist"
    );
    check(&lost, nodes_changed(), &[], Some(&error));
}

#[test]
fn throttled_roles_get_their_advice_once() {
    let aws = account().role("other", "AROAOTHER").node("other");
    let aws = ["nodes", "other"]
        .iter()
        .fold(aws, |aws, role| aws.failing_as(&format!("ListRolePolicies {role}"), PortErrorKind::Throttled));
    let error = run(&aws, scheduled()).unwrap_err().to_string();
    assert_eq!(error.matches("AWS throttled the call").count(), 1, "{error}");
    assert!(error.contains("role `nodes`") && error.contains("role `other`"), "{error}");
}

#[test]
fn throttled_clusters_get_no_advice_about_regions() {
    let aws = account().failing_as("ListClusters us-east-1", PortErrorKind::Throttled);
    let error = run(&aws, scheduled()).unwrap_err().to_string();
    assert!(error.contains("AWS throttled the call") && !error.contains("ClusterRegions"), "{error}");
}

#[test]
fn unreadable_shared_policy_is_read_once() {
    let aws = account().role("other", "AROAOTHER").node("other").failing(&format!("GetPolicy {PULL_ONLY}"));
    let cause = format!("GetPolicy of `{PULL_ONLY}` failed: {DENIED}");
    let error = format!("RolesUnreadable: no verdict on role `nodes`: {cause}; role `other`: {cause}");
    check(&aws, scheduled(), &[], Some(&error));
    assert_eq!(aws.calls().iter().filter(|call| call.starts_with("GetPolicy ")).count(), 1);
}

#[test]
fn unknown_reported_roles_still_send_verdicts() {
    let aws = account().failing("GetComplianceDetailsByConfigRule nodes-read-only");
    let error = format!(
        "ReportedRolesUnknown: no earlier verdict was cleared: \
         GetComplianceDetailsByConfigRule of `nodes-read-only` failed: {DENIED}"
    );
    check(&aws, scheduled(), &["AROANODES Compliant"], Some(&error));
}

#[test]
fn evaluations_are_sent_in_batches_of_a_hundred() {
    let aws = many(205);
    run(&aws, scheduled()).unwrap();
    let sizes: Vec<usize> = aws.batches.lock().unwrap().iter().map(|(_, batch)| batch.len()).collect();
    assert_eq!(sizes, [100, 100, 5]);
    assert_eq!(aws.calls().iter().filter(|call| call.starts_with("GetPolicy ")).count(), 1);
}

#[test]
fn error_names_a_hundred_roles_and_counts_the_rest() {
    let aws = many(103).failing(&format!("GetPolicy {PULL_ONLY}"));
    let error = run(&aws, scheduled()).unwrap_err();
    assert_eq!(error.unreadable().len(), 103);
    let error = error.to_string();
    assert!(error.contains("role `nodes-0099`") && !error.contains("role `nodes-0100`"), "{error}");
    assert!(error.ends_with("; and 3 more roles"), "{error}");
}

#[test]
fn roles_are_read_eight_at_once() {
    let aws = many(20);
    run(&aws, scheduled()).unwrap();
    assert_eq!(aws.most_at_once(), 8);
}

#[test]
fn failed_evaluations_are_sent_again() {
    let aws = many(150)
        .with(|state| state.refusals = BTreeMap::from([("AROA0003".to_owned(), 2), ("AROA0120".to_owned(), 1)]));
    run(&aws, scheduled()).unwrap();
    let sizes: Vec<usize> = aws.batches.lock().unwrap().iter().map(|(_, batch)| batch.len()).collect();
    // The refused evaluation of the first batch comes with the last ones.
    assert_eq!(sizes, [100, 51, 2]);
}

#[test]
fn evaluations_refused_four_times_fail_by_name() {
    let aws = many(3).with(|state| state.refusals = BTreeMap::from([("AROA0001".to_owned(), usize::MAX)]));
    let error = "EvaluationsNotStored: AWS Config did not store 1 of 3 evaluations after 4 attempts: \
                 AWS::IAM::Role `AROA0001`";
    let again = ["AROA0001 Compliant"; 3];
    let sent = [&["AROA0000 Compliant", "AROA0001 Compliant", "AROA0002 Compliant"], &again[..]].concat();
    check(&aws, scheduled(), &sent, Some(error));
}

#[test]
fn failure_names_every_problem() {
    let aws = account().role("bad", "AROABAD").node("bad").failing("GetRole bad").failing("PutEvaluations");
    let error = format!(
        "EvaluationsNotStored: PutEvaluations of `` failed: {DENIED}; 0 of 1 evaluations were stored; \
         also no verdict on role `bad`: GetRole of `bad` failed: {DENIED}"
    );
    check(&aws, scheduled(), &[], Some(&error));
}

#[test]
fn testmode_token_stores_nothing() {
    for (token, test_mode) in [("TESTMODE", true), ("a-token", false)] {
        let aws = account();
        run(&aws, with(nodes_changed(), &json!({ "resultToken": token }))).unwrap();
        assert_eq!(aws.batches.lock().unwrap()[0].0, test_mode);
    }
}
