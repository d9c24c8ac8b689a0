//! Findings of AWS Security Hub, with in-memory fakes of the AWS APIs: which roles get one, when, and what happens on failures.

use std::collections::BTreeMap;

use crate::support::events::{ACCOUNT, EC2_TRUST, LAMBDA_TRUST, app_changed, change, role_item, scheduled, with};
use crate::support::fakes::{EVERYTHING, FakeAws, PULL_ONLY, State, account, many, role_resource, version};
use crate::support::run::{DENIED, NOW, run, run_with};
use ecr_read_only::access::Compliance;
use ecr_read_only::rule::ports::PortErrorKind;
use ecr_read_only::rule::{Cache, Finding, FindingCounts, FindingSource, Severity};
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, PrimitiveDateTime};

/// The event of a rule that sends findings, with more parameters.
fn on_with(payload: Value, parameters: &Value) -> Value {
    let parameters = with(json!({ "SecurityHubFindings": "true" }), parameters);
    with(payload, &json!({ "ruleParameters": parameters.to_string() }))
}

fn on(payload: Value) -> Value {
    on_with(payload, &json!({}))
}

fn changed(item: &Value) -> Value {
    on(change(&with(role_item("nodes", "AROANODES", EC2_TRUST), item)))
}

fn nodes_changed() -> Value {
    changed(&json!({}))
}

/// The findings of a schedule an hour ago, and no call since.
fn hour_ago(aws: FakeAws) -> FakeAws {
    run_with(&aws, &Cache::new(), on(scheduled()), Duration::hours(-1)).unwrap();
    aws.take_calls();
    aws
}

/// The calls to Security Hub.
fn calls(aws: &FakeAws) -> Vec<String> {
    let of_security_hub = |call: &String| call.starts_with("GetFindings") || call.starts_with("BatchImportFindings");
    aws.calls().into_iter().filter(of_security_hub).collect()
}

const FAILED: &str = "AROANODES NonCompliant Critical";
const PASSED: &str = "AROANODES Compliant Informational";
const GET: &str = "GetFindings eks-node-role-ecr-read-only/111122223333/nodes-read-only/AROANODES";
const GET_ALL: &str = "GetFindings nodes-read-only";
const IMPORT: &str = "BatchImportFindings 1";

#[test]
fn findings_off_makes_no_security_hub_call() {
    for parameters in [json!({}), json!({ "SecurityHubFindings": "false" })] {
        for payload in [scheduled(), change(&role_item("nodes", "AROANODES", EC2_TRUST))] {
            let aws = account().writing("nodes");
            // Without findings the event needs no ARN of the rule.
            let payload = with(payload, &json!({ "ruleParameters": parameters.to_string(), "configRuleArn": null }));
            assert_eq!(run(&aws, payload).unwrap().findings, None);
            assert_eq!(calls(&aws), [""; 0]);
        }
    }
}

#[test]
fn event_imports_what_differs_and_archives_nothing() {
    let discovered = json!({ "configurationItemStatus": "ResourceDiscovered" });
    let deleted = json!({ "configurationItemStatus": "ResourceDeleted", "configuration": null });
    let other_trust = with(role_item("nodes", "AROANODES", LAMBDA_TRUST), &json!({}));
    let ruled_out = || on(change(&other_trust));
    let exempt = json!({ "ExemptRoles": "nodes" });
    let get = &[GET][..];
    let both = &[GET, IMPORT][..];
    let (none, new, left) = (FindingCounts::default(), counts(&[("imported", 1)]), counts(&[("left_to_schedule", 1)]));
    for (name, aws, payload, findings, asked, expected) in [
        ("a role that can only pull", account(), nodes_changed(), &[PASSED][..], both, new),
        ("a role that can write", account().writing("nodes"), nodes_changed(), &[FAILED], both, new),
        ("a discovered role", account(), changed(&discovered), &[PASSED], both, new),
        (
            "a role that has this finding",
            hour_ago(account()),
            nodes_changed(),
            &[PASSED],
            get,
            counts(&[("unchanged", 1)]),
        ),
        (
            "a role that can write now",
            hour_ago(account()).writing("nodes"),
            nodes_changed(),
            &["AROANODES NonCompliant Critical after 1h"],
            both,
            new,
        ),
        (
            "a role that is no node role now",
            hour_ago(account()).with(|state| state.clusters.clear()),
            nodes_changed(),
            &[PASSED],
            &[],
            left,
        ),
        // There are many such events, and hardly one such role has a finding.
        ("a role whose trust policy rules it out now", hour_ago(account()), ruled_out(), &[PASSED], &[], none),
        ("a role that is exempt now", hour_ago(account()), on_with(nodes_changed(), &exempt), &[PASSED], &[], left),
        (
            "a role that is gone",
            hour_ago(account()).with(|state| state.roles.clear()),
            nodes_changed(),
            &[PASSED],
            &[],
            left,
        ),
        ("a role that was deleted", hour_ago(account()), changed(&deleted), &[PASSED], &[], left),
        (
            "a role that never was a node role",
            FakeAws::new().role("nodes", "AROANODES"),
            nodes_changed(),
            &[],
            &[],
            left,
        ),
        ("a role that is ruled out", account(), ruled_out(), &[], &[], none),
        ("a resource that is no role", account(), on(app_changed()), &[], &[], none),
        (
            "a role, in test mode",
            account(),
            with(nodes_changed(), &json!({ "resultToken": "TESTMODE" })),
            &[],
            &[],
            none,
        ),
    ] {
        let outcome = run(&aws, payload).unwrap();
        assert_eq!(aws.findings(), findings, "{name}");
        assert_eq!(calls(&aws), asked, "{name}");
        assert!(calls(&aws).is_empty() || aws.calls().last().is_some_and(|call| call != "PutEvaluations"), "{name}");
        assert_eq!(outcome.findings.unwrap_or_default(), expected, "{name}");
    }
}

/// Counts by name; the others are 0.
fn counts(named: &[(&str, usize)]) -> FindingCounts {
    let count = |name: &str| named.iter().find(|(one, _)| *one == name).map_or(0, |(_, count)| *count);
    FindingCounts {
        imported: count("imported"),
        archived: count("archived"),
        unchanged: count("unchanged"),
        not_imported: count("not_imported"),
        left_to_schedule: count("left_to_schedule"),
    }
}

#[test]
fn three_schedules_without_a_change_import_nothing() {
    let aws = hour_ago(account().role("a", "AROAA").node("a").writing("a"));
    for day in 0..3 {
        let outcome = run_with(&aws, &Cache::new(), on(scheduled()), Duration::days(day)).unwrap();
        assert_eq!(outcome.findings, Some(counts(&[("unchanged", 2)])));
        assert_eq!(aws.take_calls().iter().filter(|call| call.starts_with("BatchImportFindings")).count(), 0);
    }
}

#[test]
fn unchanged_finding_is_renewed_after_seven_days() {
    for (age, expected) in [
        (Duration::days(7) - Duration::milliseconds(1), PASSED.to_owned()),
        (Duration::days(7), format!("{PASSED} after 7d")),
        (Duration::days(30), format!("{PASSED} after 30d")),
    ] {
        let aws = account();
        run_with(&aws, &Cache::new(), on(scheduled()), Duration::ZERO).unwrap();
        run_with(&aws, &Cache::new(), on(scheduled()), age).unwrap();
        assert_eq!(aws.findings(), [expected], "{age}");
    }
    let (limit, millisecond) = (NOW + Duration::minutes(15), Duration::MILLISECOND);
    for (updated_at, imported, expected) in [
        (limit, 0, limit),
        (limit + millisecond, 1, limit + millisecond * 2),
        (NOW + Duration::days(36_500), 1, NOW + Duration::days(36_500) + millisecond),
        (datetime!(9999-12-31 23:59:59.999 UTC), 1, PrimitiveDateTime::MAX.assume_utc()),
    ] {
        let aws = hour_ago(account());
        aws.change(|state| state.findings[0].1.updated_at = updated_at);
        let outcome = run(&aws, on(scheduled())).unwrap();
        let sent = outcome.findings.map(|findings| findings.imported);
        assert_eq!((sent, aws.finding("AROANODES").updated_at), (Some(imported), expected), "{updated_at}");
    }
}

#[test]
fn finding_that_differs_in_any_field_is_imported() {
    type Change = fn(&mut Finding);
    let changes: [(&str, Change); 8] = [
        ("title", |finding| finding.title.push('x')),
        ("description", |finding| finding.description.push('x')),
        ("severity", |finding| finding.severity = Severity::Low),
        ("compliance", |finding| finding.compliance = Compliance::NonCompliant),
        ("remediation", |finding| finding.remediation.push('x')),
        ("role ARN", |finding| finding.role_arn = "arn:aws:iam::111122223333:role/path/nodes".to_owned()),
        ("a field more", |finding| drop(finding.product_fields.insert("x".to_owned(), "y".to_owned()))),
        ("a field less", |finding| drop(finding.product_fields.pop_first())),
    ];
    for (name, change) in changes {
        let aws = hour_ago(account());
        let written = aws.finding("AROANODES");
        aws.change(|state| change(&mut state.findings[0].1));
        let outcome = run(&aws, on(scheduled())).unwrap();
        assert_eq!(outcome.findings, Some(counts(&[("imported", 1)])), "{name}");
        assert_eq!(Finding { updated_at: written.updated_at, ..aws.finding("AROANODES") }, written, "{name}");
    }
    let aws = hour_ago(account());
    aws.change(|state| {
        state.changed_by_others.insert("AROANODES".to_owned());
    });
    assert_eq!(run(&aws, on(scheduled())).unwrap().findings, Some(counts(&[("imported", 1)])), "another field");
}

#[test]
fn finding_keeps_id_and_created_at_on_retry() {
    let aws = account().writing("nodes");
    let cache = Cache::new();
    run_with(&aws, &cache, nodes_changed(), Duration::ZERO).unwrap();
    let first = aws.finding("AROANODES");
    assert_eq!(first.id, "eks-node-role-ecr-read-only/111122223333/nodes-read-only/AROANODES");
    assert_eq!((first.created_at, first.updated_at), (NOW, NOW));
    run_with(&aws, &cache, nodes_changed(), Duration::minutes(1)).unwrap();
    assert_eq!(aws.finding("AROANODES"), first, "nothing differs");
    aws.change(|state| state.findings[0].1.title.push('x'));
    run_with(&aws, &cache, nodes_changed(), Duration::minutes(1)).unwrap();
    let again = aws.finding("AROANODES");
    assert_eq!((again.created_at, again.updated_at), (NOW, NOW + Duration::minutes(1)));
    assert_eq!(again.title, first.title);
    let source = aws.source();
    assert_eq!(source.generator_id(), "eks-node-role-ecr-read-only/nodes-read-only");
    assert_eq!(source.product_arn(), "arn:aws:securityhub:us-east-1:111122223333:product/111122223333/default");
}

#[test]
fn archived_finding_differs_only_in_state_and_time() {
    let aws = hour_ago(account().writing("nodes"));
    let last = aws.finding("AROANODES");
    aws.change(|state| state.roles.clear());
    run(&aws, on(scheduled())).unwrap();
    let mut archived = aws.finding("AROANODES");
    assert!(std::mem::take(&mut archived.archived));
    archived.updated_at = last.updated_at;
    assert_eq!(archived, last);
}

/// The ways in which a schedule finds a role without a verdict, and the parameters of that schedule.
#[test]
fn schedule_archives_a_finding_once_its_verdict_is_cleared() {
    type Change = fn(&mut State);
    let nothing: Change = |_| {};
    for (name, change, parameters) in [
        ("the role is gone", (|state: &mut State| state.roles.clear()) as Change, json!({})),
        ("no cluster names it", |state: &mut State| state.clusters.clear(), json!({})),
        ("it is exempt", nothing, json!({ "ExemptRoles": "nodes" })),
        ("every role is exempt", nothing, json!({ "ExemptRoles": "*" })),
        ("its cluster is out of scope", nothing, json!({ "ClusterNames": "other" })),
    ] {
        let aws = hour_ago(account());
        aws.change(|state| state.reported = vec![role_resource("AROANODES")]);
        aws.change(change);
        let schedule = || on_with(scheduled(), &parameters);
        let outcome = run(&aws, schedule()).unwrap();
        assert_eq!(aws.findings(), [PASSED], "{name}: AWS Config still has its verdict");
        assert_eq!(outcome.findings, Some(counts(&[("left_to_schedule", 1)])), "{name}");
        // An event with the result token of another rule clears nothing of this rule: the same schedule again.
        run(&aws, schedule()).unwrap();
        assert_eq!(aws.findings(), [PASSED], "{name}: a second time");
        aws.change(|state| state.reported.clear());
        let outcome = run(&aws, schedule()).unwrap();
        assert_eq!(aws.findings(), ["AROANODES archived Compliant Informational after 1h"], "{name}");
        assert_eq!(outcome.findings, Some(counts(&[("archived", 1)])), "{name}");
        assert_eq!(run(&aws, schedule()).unwrap().findings, Some(counts(&[])), "{name}: once");
    }
}

/// An event judges the role while a schedule runs that does not. It imports nothing, because the finding stays the same.
#[test]
fn verdict_stored_during_a_schedule_keeps_its_finding() {
    let verdicts = "GetComplianceDetailsByConfigRule nodes-read-only";
    let old = || hour_ago(account().role("old", "AROAOLD").node("old")).with(|state| drop(state.roles.remove("old")));
    let judged = |state: &mut State| state.reported = vec![role_resource("AROAOLD")];
    let kept = "AROAOLD Compliant Informational";
    let archived = "AROAOLD archived Compliant Informational after 1h";
    for (name, aws, expected, listings) in [
        ("no verdict", old(), archived, 2),
        ("before the findings are read", old().before(GET_ALL, judged), kept, 2),
        ("before the first listing", old().with(judged), kept, 1),
    ] {
        run(&aws, on(scheduled())).unwrap();
        assert_eq!(
            (aws.findings(), aws.count(verdicts)),
            (vec![PASSED.to_owned(), expected.to_owned()], listings),
            "{name}"
        );
    }

    let aws = old().writing("nodes").failing_at(verdicts, 2, PortErrorKind::Failed);
    let error = run(&aws, on(scheduled())).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "1 of 2 findings were not imported: GetComplianceDetailsByConfigRule of `nodes-read-only` failed: {DENIED}; \
             AWS Config has the verdicts"
        )
    );
    assert_eq!(error.outcome().findings, Some(counts(&[("imported", 1), ("not_imported", 1)])));
    assert_eq!(aws.findings(), ["AROANODES NonCompliant Critical after 1h", kept]);
}

#[test]
fn unknown_verdicts_archive_nothing() {
    let aws = hour_ago(account().role("old", "AROAOLD").node("old"));
    aws.change(|state| drop(state.roles.remove("old")));
    let aws = aws.failing("GetComplianceDetailsByConfigRule nodes-read-only");
    assert_eq!(run(&aws, on(scheduled())).unwrap_err().error_type(), "ReportedRolesUnknown");
    assert_eq!(aws.findings(), [PASSED, "AROAOLD Compliant Informational"]);
}

#[test]
fn failed_second_page_of_findings_sends_nothing() {
    let aws = hour_ago(many(3)).with(|state| {
        state.page = 2;
        state.roles.clear();
    });
    let aws = aws.failing("GetFindings nodes-read-only from 2");
    let error = run(&aws, on(scheduled())).unwrap_err();
    assert_eq!(error.error_type(), "FindingsNotImported");
    assert_eq!(aws.count("BatchImportFindings"), 0);
}

#[test]
fn planted_finding_of_a_node_role_is_archived() {
    let aws = hour_ago(account());
    aws.change(|state| {
        state.reported = vec![role_resource("AROANODES")];
        let (source, mut planted) = state.findings[0].clone();
        planted.id = "planted/AROANODES".to_owned();
        state.findings.push((source, planted));
    });
    run(&aws, on(scheduled())).unwrap();
    assert_eq!(aws.findings(), [PASSED, "AROANODES archived Compliant Informational after 1h"]);
}

#[test]
fn schedule_archives_only_outdated_findings_of_its_rule() {
    let three = || hour_ago(account().role("a", "AROAA").node("a").role("b", "AROAB").node("b"));
    let aws = three();
    // Findings of another rule and of another account, and a finding that an event has made since.
    aws.change(|state| {
        let (source, finding) = state.findings[0].clone();
        for (rule_name, account_id) in [("other", ACCOUNT), ("nodes-read-only", "999999999999")] {
            let (rule_name, account_id) = (rule_name.to_owned(), account_id.to_owned());
            let mut finding = finding.clone();
            finding.id = format!("of {rule_name} in {account_id}/AROAELSEWHERE");
            state.findings.push((FindingSource { rule_name, account_id, ..source.clone() }, finding));
        }
        let (mut new, at) = (finding.clone(), NOW + Duration::seconds(1));
        new.id = source.finding_id("AROANEW");
        (new.created_at, new.updated_at) = (at, at);
        state.findings.push((source, new));
        state.clusters.clear();
    });
    let aws = aws.node("nodes").with(|state| {
        state.roles.get_mut("nodes").unwrap().inline.insert("own".to_owned(), EVERYTHING.to_owned());
    });
    let outcome = run(&aws, on(scheduled())).unwrap();
    let archived = |id: &str| format!("{id} archived Compliant Informational after 1h");
    let findings = [
        archived("AROAA"),
        archived("AROAB"),
        "AROANODES NonCompliant Critical after 1h".to_owned(),
        "AROAELSEWHERE Compliant Informational".to_owned(),
        "AROAELSEWHERE Compliant Informational".to_owned(),
        "AROANEW Compliant Informational".to_owned(),
    ];
    assert_eq!(aws.findings(), findings);
    assert_eq!(calls(&aws), [GET_ALL, "BatchImportFindings 3"]);
    assert_eq!(outcome.findings, Some(FindingCounts { imported: 1, archived: 2, ..FindingCounts::default() }));
    run_with(&aws, &Cache::new(), on(scheduled()), Duration::minutes(10)).unwrap();
    assert_eq!(calls(&aws)[2..], [GET_ALL, "BatchImportFindings 1"], "archived findings are not updated");
}

#[test]
fn unreadable_role_keeps_its_finding() {
    let passed = |id: &str, more: &str| format!("{id} Compliant Informational{more}");
    let known = || hour_ago(account().role("bad", "AROABAD").node("bad").role("old", "AROAOLD").node("old"));
    let gone = || {
        known().with(|state| {
            state.roles.remove("old");
        })
    };
    for (name, call, old) in [
        ("its id is known", "ListRolePolicies bad", "AROAOLD archived Compliant Informational after 1h".to_owned()),
        ("its id is not known", "GetRole bad", passed("AROAOLD", "")),
    ] {
        let aws = gone().failing(call);
        let error = run(&aws, on(scheduled())).unwrap_err();
        assert_eq!(error.error_type(), "RolesUnreadable", "{name}");
        assert_eq!(aws.findings(), [passed("AROABAD", ""), passed("AROANODES", ""), old], "{name}");
    }
    let aws = known().failing("ListRolePolicies nodes");
    assert_eq!(run(&aws, nodes_changed()).unwrap_err().error_type(), "RolesUnreadable");
    assert_eq!(calls(&aws), [""; 0]);
}

#[test]
fn many_findings_use_batches_and_one_query() {
    let aws = many(205);
    run(&aws, on(scheduled())).unwrap();
    assert_eq!(calls(&aws), [GET_ALL, "BatchImportFindings 100", "BatchImportFindings 100", "BatchImportFindings 5"]);
    aws.change(|state| assert_eq!(state.gave_up_early, [false], "a schedule"));
    for (roles, asked) in [(20, 20), (21, 1)] {
        let app = format!("arn:aws:iam::{ACCOUNT}:policy/app");
        let aws = hour_ago(many(205)).with(|state| {
            state.page = 1000;
            state.policies.insert(app.clone(), version("v1", EVERYTHING));
            state.roles.values_mut().take(roles).for_each(|role| role.attached.push(app.clone()));
        });
        run(&aws, on(app_changed())).unwrap();
        assert_eq!(calls(&aws)[0].split(' ').count() - 1, asked, "{roles}");
        assert_eq!(calls(&aws)[1..], [format!("BatchImportFindings {roles}")]);
        aws.change(|state| assert_eq!(state.gave_up_early.last(), Some(&true), "{roles}: an event"));
        let failed = |finding: &&String| finding.ends_with("NonCompliant Critical after 1h");
        assert_eq!(aws.findings().iter().filter(failed).count(), roles);
    }
}

#[test]
fn failed_findings_are_sent_again() {
    let aws = many(150).with(|state| {
        state.failed_findings = BTreeMap::from([("AROA0003".to_owned(), 2), ("AROA0120".to_owned(), 3)]);
    });
    let outcome = run(&aws, on(scheduled())).unwrap();
    let sizes = [100, 50, 2, 2, 1].map(|size| format!("BatchImportFindings {size}"));
    assert_eq!(calls(&aws)[1..], sizes);
    assert_eq!(outcome.findings, Some(FindingCounts { imported: 150, ..FindingCounts::default() }));
    assert_eq!(aws.findings().len(), 150);
}

/// The invocation fails with this error and these counts: imported, archived, not imported. The verdicts were sent.
#[track_caller]
fn fails(aws: &FakeAws, payload: Value, expected: &str, counts: (usize, usize, usize)) {
    let error = run(aws, payload).unwrap_err();
    let (imported, archived, not_imported) = counts;
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.error_type(), "FindingsNotImported");
    let sent = error.outcome().findings.unwrap();
    assert_eq!(
        (sent.imported, sent.archived, sent.not_imported, sent.left_to_schedule),
        (imported, archived, not_imported, 0)
    );
    assert!(!aws.sent().is_empty());
}

#[test]
fn findings_not_imported_fail_the_invocation() {
    let stored = "; AWS Config has the verdicts";
    let advice =
        "; enable Security Hub in this account and region, or set the rule parameter `SecurityHubFindings` to `false`";
    let refusing = |aws: FakeAws, roles: std::ops::Range<usize>| {
        aws.with(|state| state.failed_findings = roles.map(|role| (format!("AROA{role:04}"), usize::MAX)).collect())
    };
    let one = "`eks-node-role-ecr-read-only/111122223333/nodes-read-only/AROA0001` (InternalError: try again)";
    fails(
        &refusing(many(3), 1..2),
        on(scheduled()),
        &format!("1 of 3 findings were not imported: {one}{stored}"),
        (2, 0, 1),
    );
    let twelve = run(&refusing(many(12), 0..12), on(scheduled())).unwrap_err().to_string();
    assert!(twelve.contains("/AROA0009` (") && !twelve.contains("/AROA0010` ("), "{twelve}");
    assert!(twelve.contains("; and 2 more; AWS Config has the verdicts"), "{twelve}");

    let gone = hour_ago(many(3)).with(|state| {
        state.roles.remove("nodes-0001");
    });
    let error = format!("1 of 1 findings were not imported: {one}{stored}");
    fails(&refusing(gone, 1..2), on(scheduled()), &error, (0, 0, 1));

    let unknown = format!("no findings were imported: GetFindings of `nodes-read-only` failed: {DENIED}");
    fails(&many(3).failing(GET_ALL), on(scheduled()), &format!("{unknown}{stored}"), (0, 0, 3));
    let disabled = many(3).failing_as(GET_ALL, PortErrorKind::NotEnabled);
    fails(&disabled, on(scheduled()), &format!("{unknown}{advice}{stored}"), (0, 0, 3));
    let on_event = account().failing(GET);
    let error = format!("no findings were imported: GetFindings of `{}` failed: {DENIED}{stored}", &GET[12..]);
    fails(&on_event, nodes_changed(), &error, (0, 0, 1));

    let broken = many(205).failing_at("BatchImportFindings 100", 2, PortErrorKind::Failed);
    let error = format!("105 of 205 findings were not imported: BatchImportFindings of `100` failed: {DENIED}{stored}");
    fails(&broken, on(scheduled()), &error, (100, 0, 105));
    let disabled = many(2).failing_as("BatchImportFindings 2", PortErrorKind::NotEnabled);
    let error =
        format!("2 of 2 findings were not imported: BatchImportFindings of `2` failed: {DENIED}{advice}{stored}");
    fails(&disabled, on(scheduled()), &error, (0, 0, 2));
}

#[test]
fn repeat_after_failed_findings_reads_no_cluster_again() {
    let (aws, cache) = (account().failing_at(IMPORT, 1, PortErrorKind::Failed), Cache::new());
    let error = run_with(&aws, &cache, on(scheduled()), Duration::ZERO).unwrap_err();
    assert_eq!((error.error_type(), aws.count("ListNodegroups")), ("FindingsNotImported", 1));
    run_with(&aws, &cache, on(scheduled()), Duration::MINUTE).unwrap();
    assert_eq!((aws.findings().len(), aws.count("ListNodegroups")), (1, 1), "the repeat");
    run_with(&aws, &cache, on(scheduled()), Duration::minutes(2)).unwrap();
    assert_eq!(aws.count("ListNodegroups"), 2, "after a success");
}

#[test]
fn permanently_refused_findings_are_not_resent() {
    for (code, advice) in
        [("InvalidAccess", "; enable Security Hub"), ("InvalidInput", "; AWS Config has the verdicts")]
    {
        let aws = many(3).with(|state| {
            state.failed_findings.insert("AROA0000".to_owned(), usize::MAX);
            state.failure = (code.to_owned(), "no".to_owned());
        });
        let error = run(&aws, on(scheduled())).unwrap_err();
        assert_eq!(calls(&aws), [GET_ALL, "BatchImportFindings 3"], "{code}");
        assert!(error.to_string().contains(&format!("({code}: no){advice}")), "{error}");
        let counts = FindingCounts { imported: 2, not_imported: 1, ..FindingCounts::default() };
        assert_eq!(error.outcome().findings, Some(counts));
    }
}

#[test]
fn throttled_get_findings_on_an_event_imports_anew() {
    let throttled = |aws: FakeAws| aws.failing_as(GET, PortErrorKind::Throttled);
    let aws = throttled(hour_ago(account()).writing("nodes"));
    let outcome = run(&aws, nodes_changed()).unwrap();
    assert_eq!(aws.findings(), [FAILED], "`created_at` of the earlier finding is not known");
    assert_eq!(outcome.findings, Some(FindingCounts { imported: 1, ..FindingCounts::default() }));

    let schedule = account().failing_as(GET_ALL, PortErrorKind::Throttled);
    assert_eq!(run(&schedule, on(scheduled())).unwrap_err().error_type(), "FindingsNotImported");
}

#[test]
fn deferred_verdict_sends_no_finding() {
    let app = format!("arn:aws:iam::{ACCOUNT}:policy/app");
    let aws = hour_ago(account()).with(|state| {
        state.policies.insert(app.clone(), version("v1", EVERYTHING));
        state.roles.get_mut("nodes").unwrap().attached.push(app.clone());
        state.refusals.insert("AROANODES".to_owned(), usize::MAX);
    });
    let outcome = run(&aws, on(app_changed())).unwrap();
    assert_eq!(outcome.left_to_schedule.len(), 1);
    assert_eq!((calls(&aws), aws.findings()), (Vec::new(), vec![PASSED.to_owned()]));
}

#[test]
fn finding_dated_in_the_future_is_overwritten() {
    let years_ahead = |years: i64| {
        let aws = hour_ago(account().role("old", "AROAOLD").node("old")).writing("nodes");
        aws.change(|state| {
            state.roles.remove("old");
            for (_, finding) in &mut state.findings {
                finding.updated_at = NOW + Duration::minutes(14) + Duration::days(365 * years);
            }
        });
        run(&aws, on(scheduled())).unwrap();
        ["AROANODES", "AROAOLD"].map(|role| aws.finding(role)).map(|finding| (finding.archived, finding.updated_at))
    };
    let ahead = |years: i64| NOW + Duration::minutes(14) + Duration::days(365 * years);
    assert_eq!(years_ahead(0), [(false, ahead(0)), (false, ahead(0))], "another evaluation can have this time");
    let later = ahead(73) + Duration::milliseconds(1);
    assert_eq!(years_ahead(73), [(false, later), (true, later)]);
}

#[test]
fn failure_names_every_problem() {
    let aws = account()
        .role("bad", "AROABAD")
        .node("bad")
        .failing("ListRolePolicies bad")
        .failing("GetComplianceDetailsByConfigRule nodes-read-only")
        .failing(GET_ALL);
    let error = format!(
        "no findings were imported: GetFindings of `nodes-read-only` failed: {DENIED}; AWS Config has the \
         verdicts; also no earlier verdict was cleared: GetComplianceDetailsByConfigRule of \
         `nodes-read-only` failed: {DENIED}; also no verdict on role `bad`: ListRolePolicies of `bad` failed: {DENIED}"
    );
    fails(&aws, on(scheduled()), &error, (0, 0, 1));
}

#[test]
fn findings_are_sent_only_after_verdicts_are_stored() {
    let not_cleared = account().failing("GetComplianceDetailsByConfigRule nodes-read-only");
    assert_eq!(run(&not_cleared, on(scheduled())).unwrap_err().error_type(), "ReportedRolesUnknown");
    assert_eq!(not_cleared.findings(), [PASSED]);
    let not_stored = account().failing("PutEvaluations");
    assert_eq!(run(&not_stored, on(scheduled())).unwrap_err().error_type(), "EvaluationsNotStored");
    assert_eq!(calls(&not_stored), [""; 0]);
    let unread = account().failing(&format!("GetPolicy {PULL_ONLY}"));
    assert_eq!(run(&unread, nodes_changed()).unwrap_err().error_type(), "RolesUnreadable");
    assert_eq!(calls(&unread), [""; 0]);
}

#[test]
fn verdicts_are_read_before_the_first_batch_is_sent() {
    let aws = hour_ago(many(150));
    run(&aws, on(scheduled())).unwrap();
    let calls = aws.calls();
    let first = |call: &str| calls.iter().position(|one| one.starts_with(call)).unwrap();
    assert!(first("GetComplianceDetailsByConfigRule") < first("PutEvaluations"), "{calls:#?}");
}
