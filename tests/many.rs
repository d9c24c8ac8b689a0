//! Many roles: they are read in pages, each thing once. Their answers are sent in batches. Answers that AWS Config does not
//! take from a change-triggered run are deferred to the schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Waker};

use crate::support::block_on;
use crate::support::events::{ACCOUNT, EC2_TRUST, app_changed, change, role_item, scheduled, with};
use crate::support::fakes::{EVERYTHING, FakeAws, many, role_resource, version};
use crate::support::run::{DENIED, NOW, run, run_with};
use ecr_read_only::access::Compliance;
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::ports::{Authentication, PortErrorKind};
use ecr_read_only::rule::{Answer, Cache, Invocation, Ports, Progress, Report, evaluate};
use serde_json::json;
use time::Duration;

fn name(index: usize) -> String {
    format!("nodes-{index:04}")
}

fn policy(index: usize) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/p-{index:04}")
}

/// Gives each of the first roles its own customer managed policy.
fn with_policies(aws: FakeAws, count: usize) -> FakeAws {
    aws.with(|state| {
        for index in 0..count {
            state.policies.insert(policy(index), version("v3", EVERYTHING));
            state.roles.get_mut(&name(index)).unwrap().attached.push(policy(index));
        }
    })
}

/// Attaches the customer managed policy `app` to the first roles, and nothing else.
fn with_app(aws: FakeAws, count: usize) -> FakeAws {
    let app = format!("arn:aws:iam::{ACCOUNT}:policy/app");
    aws.with(|state| {
        state.policies.insert(app.clone(), version("v1", EVERYTHING));
        for index in 0..count {
            state.roles.get_mut(&name(index)).unwrap().attached = vec![app.clone()];
        }
    })
}

#[test]
fn few_roles_are_read_one_by_one_many_in_pages() {
    for (roles, details) in [(32, 0), (33, 1), (250, 3)] {
        let aws = many(roles);
        run(&aws, scheduled()).unwrap();
        assert_eq!(aws.sent().len(), roles);
        assert_eq!(aws.count("GetAccountAuthorizationDetails roles"), details, "{roles}");
        assert_eq!(aws.count("GetRole "), if details == 0 { roles } else { 0 }, "{roles}");
        assert_eq!(aws.count("GetPolicy "), 1, "{roles}");
    }
}

#[test]
fn schedule_calls_grow_linearly_without_repeats() {
    let calls = |roles: usize| {
        let aws = with_policies(many(roles), roles);
        run(&aws, scheduled()).unwrap();
        let calls = aws.calls();
        let once: BTreeSet<&String> = calls.iter().filter(|call| *call != "PutEvaluations").collect();
        assert_eq!(once.len() + aws.count("PutEvaluations"), calls.len(), "{calls:#?}");
        let sent = aws.sent();
        assert!(sent.len() == roles && sent.iter().all(|one| one.ends_with("NonCompliant")), "{sent:?}");
        calls.len()
    };
    // Regions, clusters, the cluster, its three lists, and the reported roles.
    let fixed = 7;
    assert_eq!(calls(10), fixed + 10 + 10 * 3 + 11 * 2 + 1, "one by one: node groups, roles, policies; one batch");
    assert_eq!(
        calls(400),
        fixed + 400 + 4 + 4 + 2 + 4,
        "node groups; pages of roles and of policies; AWS's policy; batches"
    );
    assert_eq!(calls(800), fixed + 800 + 8 + 8 + 2 + 8);
}

/// The ids and compliance of the answers that a schedule over the account gives away before it ends, and its report.
fn streamed(aws: &FakeAws) -> (Vec<String>, Report) {
    let (cache, progress, given) = (Cache::new(), Progress::default(), Mutex::new(Vec::new()));
    let ports = Ports { iam: aws, eks: aws, store: aws };
    let invocation = Invocation::parse(scheduled()).unwrap();
    let on_stored = |answer: &Answer| {
        let evaluation = &answer.evaluation;
        given.lock().unwrap().push(format!("{} {:?}", evaluation.resource.id, evaluation.compliance));
    };
    let report = block_on(evaluate(&ports, &cache, &invocation, &progress, &on_stored, NOW)).unwrap();
    (given.into_inner().unwrap(), report)
}

#[test]
fn schedule_gives_full_batches_away_once_stored() {
    for (roles, given_away) in [(99, 0), (100, 100), (250, 200)] {
        let aws = with_policies(many(roles), roles);
        let (given, report) = streamed(&aws);
        assert_eq!((given.len(), report.outcome.answers.len()), (given_away, roles - given_away), "{roles}");
        assert_eq!(given, aws.sent()[..given_away]);
        assert_eq!((report.outcome.evaluated(), report.outcome.count(Compliance::NonCompliant)), (roles, roles));
        let sizes: Vec<usize> = aws.batches.lock().unwrap().iter().map(|(_, batch)| batch.len()).collect();
        assert!(sizes.iter().sum::<usize>() == roles && sizes.iter().all(|size| *size <= 100), "{sizes:?}");
        assert!(report.failure().is_none());
    }
}

#[test]
fn batch_is_sent_before_the_next_roles_are_read() {
    let aws = with_policies(many(250), 250);
    streamed(&aws);
    let calls = aws.calls();
    let first_put = calls.iter().position(|call| call == "PutEvaluations").unwrap();
    let last_put = calls.iter().rposition(|call| call == "PutEvaluations").unwrap();
    assert!(last_put - first_put > 1, "{calls:#?}");
}

#[test]
fn refused_evaluations_of_early_batches_are_sent_at_the_end() {
    let aws = many(250).with(|state| {
        state.refusals.insert("AROA0003".to_owned(), 1);
        state.refusals.insert("AROA0150".to_owned(), 2);
    });
    let (given, report) = streamed(&aws);
    assert_eq!(given.len(), 198);
    assert_eq!((report.outcome.evaluated(), report.failure().is_none()), (250, true));
    let sizes: Vec<usize> = aws.batches.lock().unwrap().iter().map(|(_, batch)| batch.len()).collect();
    assert_eq!(sizes, [100, 100, 52, 1]);
}

#[test]
fn failed_early_batch_ends_the_schedule() {
    let aws = many(250).failing_at("PutEvaluations", 2, PortErrorKind::Failed);
    let (given, report) = streamed(&aws);
    assert_eq!(given.len(), 100);
    let failure = report.failure().unwrap();
    assert_eq!(failure.error_type(), "EvaluationsNotStored");
    assert!(failure.to_string().contains("100 of 200 evaluations were stored"), "{failure}");
    assert_eq!(aws.count("PutEvaluations"), 2);
}

#[test]
fn many_policies_of_few_roles_are_read_in_pages() {
    for (more, pages) in [(0, 0), (1, 1)] {
        let aws = with_policies(many(32), 32).with(|state| {
            for index in 32..32 + more {
                state.policies.insert(policy(index), version("v1", EVERYTHING));
                state.roles.get_mut(&name(0)).unwrap().attached.push(policy(index));
            }
        });
        run(&aws, scheduled()).unwrap();
        assert_eq!((aws.count("GetRole "), aws.count("ListAttachedRolePolicies")), (32, 32));
        assert_eq!(aws.count("GetAccountAuthorizationDetails policies"), pages, "{more}");
        assert_eq!(aws.count("GetPolicy "), if pages == 0 { 33 } else { 1 }, "{more}, and AWS's policy");
    }
}

#[test]
fn cached_versions_are_not_read_again_but_defaults_are() {
    let (aws, cache) = (with_policies(many(10), 10), Cache::new());
    run_with(&aws, &cache, scheduled(), Duration::ZERO).unwrap();
    assert_eq!(aws.count("GetPolicyVersion"), 11);
    aws.take_calls();
    run_with(&aws, &cache, scheduled(), Duration::HOUR).unwrap();
    assert_eq!((aws.count("GetPolicy "), aws.count("GetPolicyVersion")), (11, 0));
}

#[test]
fn policy_made_again_under_its_arn_is_read_again() {
    let (aws, cache) = (with_policies(many(1), 1), Cache::new());
    run_with(&aws, &cache, scheduled(), Duration::ZERO).unwrap();
    aws.change(|state| {
        state.generation += 1;
        state.policies.insert(policy(0), version("v3", r#"{"Version":"2012-10-17","Statement":[]}"#));
    });
    run_with(&aws, &cache, scheduled(), Duration::HOUR).unwrap();
    assert_eq!(aws.sent(), ["AROA0000 NonCompliant", "AROA0000 Compliant"]);
}

#[test]
fn policy_missing_in_the_pages_is_read_alone() {
    let aws = with_policies(many(40), 40).before("GetAccountAuthorizationDetails policies 0", |state| {
        state.policies.remove(&policy(7));
    });
    let aws = aws.before(&format!("GetPolicy {}", policy(7)), |state| {
        state.policies.insert(policy(7), version("v1", EVERYTHING));
    });
    run(&aws, scheduled()).unwrap();
    assert_eq!(aws.count("GetPolicy "), 2, "this one and AWS's policy");
    assert!(aws.sent().iter().all(|one| one.ends_with("NonCompliant")));
}

#[test]
fn failed_page_leaves_its_roles_without_verdict() {
    let aws = || with_policies(many(150), 150);
    let start = "could not list all node roles: ";
    for (page, read) in [("roles 0", 0), ("roles 100", 100)] {
        let call = format!("GetAccountAuthorizationDetails {page}");
        let error = run(&aws().failing(&call), scheduled()).unwrap_err();
        let expected = format!("{start}GetAccountAuthorizationDetails of `{page}` failed: {DENIED}");
        assert_eq!((error.error_type(), error.to_string()), ("NodeRolesUnknown", expected));
        assert_eq!(error.outcome().evaluated(), read, "the roles of the first page are judged");
    }
    let failing =
        (0..150).fold(aws(), |aws, index| aws.with_role(&name(index), |role| role.attached = vec![policy(index)]));
    let failing = failing.failing("GetAccountAuthorizationDetails policies 100");
    let error = run(&failing, scheduled()).unwrap_err();
    assert_eq!(error.error_type(), "RolesUnreadable");
    assert_eq!((failing.sent().len(), error.unreadable().len()), (100, 50), "the first page was read");
}

/// Adds a role of Karpenter, which only the tags of its instance profile show, and a role of other instances.
fn with_karpenter(aws: FakeAws) -> FakeAws {
    aws.role("karpenter", "AROAKARPENTER").role("web-server", "AROAWEB").with(|state| {
        state.cluster("us-east-1", "prod").record.authentication = Authentication::Either;
        state.instance_profiles.insert("k".to_owned(), vec![Tag::new("eks:eks-cluster-name", "prod")]);
        state.instance_profiles.insert("w".to_owned(), Vec::new());
        state.roles.get_mut("karpenter").unwrap().instance_profiles.push("k".to_owned());
        state.roles.get_mut("web-server").unwrap().instance_profiles.push("w".to_owned());
    })
}

#[test]
fn self_managed_roles_are_found_among_few_and_many() {
    for extra in [1, 40] {
        let aws = with_karpenter(many(extra));
        run(&aws, scheduled()).unwrap();
        assert_eq!(aws.sent().len(), extra + 1, "{extra}");
        assert_eq!(aws.count("ListInstanceProfilesForRole"), 0, "{extra}: the list of all profiles has them");
        assert!(aws.sent().contains(&"AROAKARPENTER Compliant".to_owned()), "{extra}");
    }
}

#[test]
fn exempt_roles_are_not_counted() {
    for exempt in ["nodes-0000", "nodes-000*", "nodes-*"] {
        let aws = with_karpenter(many(33)).with(|state| state.reported = vec![role_resource("AROAKARPENTER")]);
        run(&aws, with(scheduled(), &json!({ "ruleParameters": { "ExemptRoles": exempt } }))).unwrap();
        let sent = aws.sent();
        assert!(sent.contains(&"AROAKARPENTER Compliant".to_owned()), "{exempt}: {sent:?}");
        assert!(!sent.iter().any(|one| one.starts_with("AROA0000")), "{exempt}: {sent:?}");
    }
}

#[test]
fn policy_of_many_roles_is_evaluated_from_pages() {
    let aws = with_app(many(120), 120).role("plain", "AROAPLAIN");
    run(&aws, app_changed()).unwrap();
    assert_eq!(aws.sent().len(), 121);
    assert_eq!((aws.count("GetRole "), aws.count("GetAccountAuthorizationDetails roles")), (0, 2));
}

#[test]
fn evaluation_yields_between_two_roles() {
    let (aws, cache) = (with_app(many(8), 8), Cache::new());
    let ports = Ports { iam: &aws, eks: &aws, store: &aws };
    let invocation = Invocation::parse(app_changed()).unwrap();
    let progress = Progress::default();
    let mut evaluation = pin!(evaluate(&ports, &cache, &invocation, &progress, &|_| {}, NOW));
    let mut context = Context::from_waker(Waker::noop());
    // Each poll that returns is a chance to check the time. When the policy's document is read, only deciding is left.
    let mut chances = 0;
    while evaluation.as_mut().poll(&mut context).is_pending() {
        chances += usize::from(aws.count("GetPolicyVersion") == 1 && aws.count("PutEvaluations") == 0);
    }
    assert!(chances >= 8, "{chances}");
}

#[test]
fn evaluations_of_other_resources_can_be_deferred() {
    // The whole call is refused: the event's own resource is sent alone.
    let refused = with_app(many(3), 3).failing_at("PutEvaluations", 1, PortErrorKind::NotAccepted);
    let outcome = run(&refused, app_changed()).unwrap();
    assert_eq!(refused.sent(), ["ANPAAPP NotApplicable"]);
    let deferred: Vec<&str> = outcome.left_to_schedule.iter().map(|resource| resource.id.as_str()).collect();
    assert_eq!(deferred, ["AROA0000", "AROA0001", "AROA0002"]);

    // One evaluation is refused every time.
    let one = with_app(many(3), 3).with(|state| state.refusals = BTreeMap::from([("AROA0001".to_owned(), usize::MAX)]));
    let outcome = run(&one, app_changed()).unwrap();
    assert_eq!(outcome.left_to_schedule.len(), 1);
    assert_eq!(one.count("PutEvaluations"), 4, "four attempts");

    // The event's own evaluation is refused in the first batch, and then the whole second call is refused.
    let both = with_app(many(120), 120).failing_at("PutEvaluations", 2, PortErrorKind::NotAccepted);
    let both = both.with(|state| state.refusals = BTreeMap::from([("ANPAAPP".to_owned(), 1)]));
    let outcome = run(&both, app_changed()).unwrap();
    assert_eq!(outcome.left_to_schedule.len(), 21);
    assert_eq!(both.sent().last().unwrap(), "ANPAAPP NotApplicable");

    // Any other failure fails the invocation.
    let failing = with_app(many(3), 3).failing("PutEvaluations");
    assert_eq!(run(&failing, app_changed()).unwrap_err().error_type(), "EvaluationsNotStored");
    let failing = with_app(many(3), 3).failing_as("PutEvaluations", PortErrorKind::NotAccepted);
    assert_eq!(
        run(&failing, app_changed()).unwrap_err().error_type(),
        "EvaluationsNotStored",
        "its own is refused too"
    );
}

#[test]
fn required_evaluations_are_never_deferred() {
    let own = || BTreeMap::from([("AROA0000".to_owned(), usize::MAX)]);
    for payload in [scheduled(), change(&role_item(&name(0), "AROA0000", EC2_TRUST))] {
        let aws = many(3).with(|state| state.refusals = own());
        assert_eq!(run(&aws, payload).unwrap_err().error_type(), "EvaluationsNotStored");
    }
    let policy = with_app(many(3), 3).with(|state| {
        state.refusals = BTreeMap::from([("ANPAAPP".to_owned(), usize::MAX)]);
    });
    assert_eq!(run(&policy, app_changed()).unwrap_err().error_type(), "EvaluationsNotStored");
}

#[test]
fn warm_invocations_list_clusters_every_five_minutes() {
    let (aws, cache) = (many(1), Cache::new());
    for second in 0..10_000 {
        let later = Duration::seconds(second);
        run_with(&aws, &cache, change(&role_item(&name(0), "AROA0000", EC2_TRUST)), later).unwrap();
    }
    assert_eq!(aws.count("ListClusters"), 34, "once in five minutes");
    assert_eq!(aws.count("GetPolicyVersion"), 1);
}
