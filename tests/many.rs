//! Many roles: read out of lists in detail, each thing once; answered in batches, again where AWS Config failed, and what it
//! does not take of a change-triggered run left to the schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::task::{Context, Waker};

use crate::support::events::{ACCOUNT, EC2_TRUST, change, policy_item, role_item, scheduled, with};
use crate::support::fakes::{EVERYTHING, FakeAws, role_resource, version};
use crate::support::run::{DENIED, NOW, check, run, run_with};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::ports::{Authentication, PortErrorKind};
use ecr_read_only::rule::{Cache, Invocation, Ports, evaluate};
use serde_json::{Value, json};
use time::Duration;

fn name(index: usize) -> String {
    format!("nodes-{index:04}")
}

/// Node roles, each of a node group of its own.
fn many(count: usize) -> FakeAws {
    (0..count).fold(FakeAws::new(), |aws, index| aws.role(&name(index), &format!("AROA{index:04}")).node(&name(index)))
}

fn policy(index: usize) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/p-{index:04}")
}

/// The same, each with a policy of its own.
fn with_policies(aws: FakeAws, count: usize) -> FakeAws {
    aws.with(|state| {
        for index in 0..count {
            state.policies.insert(policy(index), version("v3", EVERYTHING));
            state.roles.get_mut(&name(index)).unwrap().attached.push(policy(index));
        }
    })
}

fn app_changed() -> Value {
    change(&policy_item("app", "ANPAAPP"))
}

/// Roles with the customer managed policy `app` attached.
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
fn a_few_roles_are_read_by_themselves_and_many_out_of_the_list() {
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
fn a_schedule_grows_linearly_and_makes_no_call_twice() {
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
    // Of regions, clusters, the cluster, its three lists, and what was reported.
    let fixed = 7;
    assert_eq!(calls(10), fixed + 10 + 10 * 3 + 11 * 2 + 1, "each by itself: node group, role, policies");
    assert_eq!(calls(400), fixed + 400 + 4 + 4 + 2 + 4, "node groups; pages of roles and of policies; AWS's; batches");
    assert_eq!(calls(800), fixed + 800 + 8 + 8 + 2 + 8);
}

#[test]
fn few_policies_are_read_by_themselves_and_many_out_of_the_list_however_few_the_roles() {
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
        assert_eq!(aws.count("GetPolicy "), if pages == 0 { 33 } else { 1 }, "{more}: with AWS's own");
    }
}

#[test]
fn versions_that_are_known_are_not_read_again_and_the_default_is_always_asked_for() {
    let (aws, cache) = (with_policies(many(10), 10), Cache::new());
    run_with(&aws, &cache, scheduled(), Duration::ZERO).unwrap();
    assert_eq!(aws.count("GetPolicyVersion"), 11);
    aws.take_calls();
    run_with(&aws, &cache, scheduled(), Duration::HOUR).unwrap();
    assert_eq!((aws.count("GetPolicy "), aws.count("GetPolicyVersion")), (11, 0));
}

#[test]
fn a_policy_that_is_made_again_under_its_arn_is_another_policy() {
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
fn a_policy_that_the_list_does_not_have_is_read_by_itself() {
    let aws = with_policies(many(40), 40).before("GetAccountAuthorizationDetails policies 0", |state| {
        state.policies.remove(&policy(7));
    });
    let aws = aws.before(&format!("GetPolicy {}", policy(7)), |state| {
        state.policies.insert(policy(7), version("v1", EVERYTHING));
    });
    run(&aws, scheduled()).unwrap();
    assert_eq!(aws.count("GetPolicy "), 2, "and AWS's own policy");
    assert!(aws.sent().iter().all(|one| one.ends_with("NonCompliant")));
}

#[test]
fn a_page_that_fails_leaves_no_verdict_on_what_it_would_have_shown() {
    let aws = || with_policies(many(150), 150);
    let start = "could not list the node roles: ";
    for page in ["roles 0", "roles 100"] {
        let call = format!("GetAccountAuthorizationDetails {page}");
        let error = format!("NodeRolesUnknown: {start}GetAccountAuthorizationDetails of `{page}` failed: {DENIED}");
        check(&aws().failing(&call), scheduled(), &[], Some(&error));
    }
    let failing =
        (0..150).fold(aws(), |aws, index| aws.with_role(&name(index), |role| role.attached = vec![policy(index)]));
    let failing = failing.failing("GetAccountAuthorizationDetails policies 100");
    let error = run(&failing, scheduled()).unwrap_err();
    assert_eq!(error.error_type(), "RolesUnreadable");
    assert_eq!((failing.sent().len(), error.unreadable().len()), (100, 50), "the first page was read");
}

/// Node groups' roles, and Karpenter's, which only an instance profile shows.
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
fn self_managed_roles_are_found_among_many_as_among_few() {
    for extra in [1, 40] {
        let aws = with_karpenter(many(extra));
        run(&aws, scheduled()).unwrap();
        assert_eq!(aws.sent().len(), extra + 1, "{extra}");
        assert_eq!(aws.count("ListInstanceProfilesForRole"), 0, "{extra}: the list of profiles told them");
        assert!(aws.sent().contains(&"AROAKARPENTER Compliant".to_owned()), "{extra}");
    }
}

#[test]
fn exempt_roles_do_not_count_among_the_many() {
    for exempt in ["nodes-0000", "nodes-000*", "nodes-*"] {
        let aws = with_karpenter(many(33)).with(|state| state.reported = vec![role_resource("AROAKARPENTER")]);
        run(&aws, with(scheduled(), &json!({ "ruleParameters": { "ExemptRoles": exempt } }))).unwrap();
        let sent = aws.sent();
        assert!(sent.contains(&"AROAKARPENTER Compliant".to_owned()), "{exempt}: {sent:?}");
        assert!(!sent.iter().any(|one| one.starts_with("AROA0000")), "{exempt}: {sent:?}");
    }
}

#[test]
fn a_policy_attached_to_many_roles_is_answered_out_of_the_list() {
    let aws = with_app(many(120), 120).role("plain", "AROAPLAIN");
    run(&aws, app_changed()).unwrap();
    assert_eq!(aws.sent().len(), 121);
    assert_eq!((aws.count("GetRole "), aws.count("GetAccountAuthorizationDetails roles")), (0, 2));
}

#[test]
fn the_deadline_is_looked_at_between_two_roles() {
    let (aws, cache) = (with_app(many(8), 8), Cache::new());
    let ports = Ports { iam: &aws, eks: &aws, store: &aws };
    let invocation = Invocation::parse(app_changed()).unwrap();
    let mut evaluation = pin!(evaluate(&ports, &cache, &invocation, NOW));
    let mut context = Context::from_waker(Waker::noop());
    // Whoever polls can look at the clock each time. All is read once the policy's document is, and then it is judged.
    let mut looks = 0;
    while evaluation.as_mut().poll(&mut context).is_pending() {
        looks += usize::from(aws.count("GetPolicyVersion") == 1 && aws.count("PutEvaluations") == 0);
    }
    assert!(looks >= 8, "{looks}");
}

#[test]
fn what_aws_config_does_not_take_of_other_resources_is_left_to_the_schedule() {
    // A call that is refused as it is: the event's own resource is sent alone.
    let refused = with_app(many(3), 3).failing_at("PutEvaluations", 1, PortErrorKind::NotAccepted);
    let outcome = run(&refused, app_changed()).unwrap();
    assert_eq!(refused.sent(), ["ANPAAPP NotApplicable"]);
    let left: Vec<&str> = outcome.left_to_schedule.iter().map(|resource| resource.id.as_str()).collect();
    assert_eq!(left, ["AROA0000", "AROA0001", "AROA0002"]);

    // Evaluations that are refused one by one, however often.
    let one = with_app(many(3), 3).with(|state| state.refusals = BTreeMap::from([("AROA0001".to_owned(), usize::MAX)]));
    let outcome = run(&one, app_changed()).unwrap();
    assert_eq!(outcome.left_to_schedule.len(), 1);
    assert_eq!(one.count("PutEvaluations"), 4, "a bounded number of times");

    // The event's own evaluation refused in a first batch, and then a call refused as it is.
    let both = with_app(many(120), 120).failing_at("PutEvaluations", 2, PortErrorKind::NotAccepted);
    let both = both.with(|state| state.refusals = BTreeMap::from([("ANPAAPP".to_owned(), 1)]));
    let outcome = run(&both, app_changed()).unwrap();
    assert_eq!(outcome.left_to_schedule.len(), 21);
    assert_eq!(both.sent().last().unwrap(), "ANPAAPP NotApplicable");

    // Any other failure is one.
    let failing = with_app(many(3), 3).failing("PutEvaluations");
    assert_eq!(run(&failing, app_changed()).unwrap_err().error_type(), "EvaluationsNotStored");
    let failing = with_app(many(3), 3).failing_as("PutEvaluations", PortErrorKind::NotAccepted);
    assert_eq!(run(&failing, app_changed()).unwrap_err().error_type(), "EvaluationsNotStored", "not even its own");
}

#[test]
fn a_resource_of_its_own_and_a_schedule_are_left_to_nobody() {
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
fn ten_thousand_warm_invocations_ask_for_clusters_no_more_than_time_calls_for() {
    let (aws, cache) = (many(1), Cache::new());
    for second in 0..10_000 {
        let later = Duration::seconds(second);
        run_with(&aws, &cache, change(&role_item(&name(0), "AROA0000", EC2_TRUST)), later).unwrap();
    }
    assert_eq!(aws.count("ListClusters"), 34, "once in five minutes");
    assert_eq!(aws.count("GetPolicyVersion"), 1);
}
