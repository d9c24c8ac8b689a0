//! Exemptions: by name, by tag, and by a tag with a date. When they end, who counts as exempt, and what the texts say.

use ecr_read_only::policy::tag::Tag;
use ecr_read_only::rule::ports::Authentication;
use ecr_read_only::rule::ports::PortErrorKind;
use ecr_read_only::rule::{Cache, Outcome};
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::support::events::{ACCOUNT, EC2_TRUST, app_changed, change, role_item, scheduled, with};
use crate::support::fakes::{FakeAws, many, role_arn, role_resource};
use crate::support::run::{NOW, run, run_at, run_with};

const KEY: &str = "ecr-exempt-until";
const PUT_IMAGE: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*"}}"#;

fn on(payload: Value, parameters: &Value) -> Value {
    let parameters = with(json!({ "ExemptUntilTag": KEY }), parameters);
    with(payload, &json!({ "ruleParameters": parameters.to_string() }))
}

fn role_changed() -> Value {
    change(&role_item("r", "AROAR", EC2_TRUST))
}

/// The node role `r`, which can push, with these tags.
fn tagged(tags: &[(&str, &str)]) -> FakeAws {
    let tags = tags.iter().map(|(key, value)| Tag::new(*key, *value)).collect();
    FakeAws::new().role("r", "AROAR").node("r").inline("r", PUT_IMAGE).with_role("r", |role| role.record.tags = tags)
}

/// What the function answers about `r` at that time, on its event and on the schedule.
#[track_caller]
fn annotations(tags: &[(&str, &str)], parameters: &Value, at: OffsetDateTime) -> String {
    let [by_event, by_schedule] = [role_changed(), scheduled()].map(|payload| {
        let aws = tagged(tags);
        run_at(&aws, &Cache::new(), on(payload, parameters), at).unwrap();
        aws.annotated().join("; ")
    });
    assert_eq!(by_event, by_schedule, "{tags:?} {at}");
    by_event
}

const CAN_CALL: &str = "AROAR NonCompliant: r can call ecr:PutImage (own, statement 0).";
const NODE: &str = "Node group r of cluster prod, us-east-1.";

fn exempt_until(day: &str) -> String {
    format!("AROAR NotApplicable: r is exempt until {day}: the parameter ExemptUntilTag names its tag {KEY}.")
}

fn ended_on(day: &str) -> String {
    format!("{CAN_CALL} Its exemption ended on {day}. {NODE}")
}

/// The first annotation after the end has the sentence, and so has each later one while the role has the tag: nothing is
/// stored between invocations.
#[test]
fn last_exempt_day_ends_at_midnight_utc() {
    for (value, at, is_exempt) in [
        ("2026-12-31", datetime!(2026-01-05 10:03 UTC), true),
        ("2026-12-31", datetime!(2026-12-31 00:00 UTC), true),
        ("2026-12-31", datetime!(2026-12-31 23:59:59.999999999 UTC), true),
        ("2026-12-31", datetime!(2027-01-01 00:00 UTC), false),
        ("2026-12-31", datetime!(2027-01-01 00:00:00.000000001 UTC), false),
        ("2026-12-31", datetime!(2028-06-01 12:00 UTC), false),
        // The same two moments on clocks of other time zones.
        ("2026-12-31", datetime!(2027-01-01 05:29:59 +5:30), true),
        ("2026-12-31", datetime!(2027-01-01 05:30 +5:30), false),
        ("2026-12-31", datetime!(2026-12-31 15:59:59 -8), true),
        ("2026-12-31", datetime!(2026-12-31 16:00 -8), false),
        // Leap days.
        ("2028-02-28", datetime!(2028-02-29 00:00 UTC), false),
        ("2028-02-29", datetime!(2028-02-29 23:59:59 UTC), true),
        ("2028-02-29", datetime!(2028-03-01 00:00 UTC), false),
        ("2000-02-29", datetime!(2026-01-05 10:03 UTC), false),
        // The first and the last year of the form.
        ("0000-01-01", datetime!(2026-01-05 10:03 UTC), false),
        ("9999-12-31", datetime!(2026-01-05 10:03 UTC), true),
        ("9999-12-31", datetime!(9999-12-31 23:59:59 UTC), true),
    ] {
        let expected = if is_exempt { exempt_until(value) } else { ended_on(value) };
        assert_eq!(annotations(&[(KEY, value)], &json!({}), at), expected, "{value} at {at}");
    }
}

#[test]
fn value_that_is_not_a_date_does_not_exempt() {
    for value in [
        "",
        " ",
        "yes",
        "forever",
        // Spaces.
        " 2026-12-31",
        "2026-12-31 ",
        "2026 - 12 - 31",
        "2026-12-31\u{a0}",
        // Timestamps.
        "2026-12-31T00:00:00Z",
        "2026-12-31T23:59:59",
        "2026-12-31T24:00",
        "2026-12-31 24:00",
        "2026-12-31Z",
        "1798675200",
        // Days that do not exist.
        "2026-02-29",
        "2100-02-29",
        "2026-02-30",
        "2026-04-31",
        "2026-00-10",
        "2026-13-01",
        "2026-12-00",
        "2026-12-32",
        // Years of other lengths, and signs.
        "26-12-31",
        "12026-12-31",
        "+2026-12-31",
        "-2026-12-31",
        "+12026-12-31",
        "02026-12-31",
        // Other forms of dates.
        "2026-12",
        "2026-1-5",
        "2026-W53-4",
        "2026-365",
        "20261231",
        "2026/12/31",
        "2026.12.31",
        "31.12.2026",
        "12/31/2026",
        "2026‐12‐31",
        "2026−12−31",
        // Digits of other scripts, and a year of another calendar with them.
        "２０２６-１２-３１",
        "٢٠٢٦-١٢-٣١",
        "۱۴۰۵-۱۰-۱۰",
        "२०२६-१२-३१",
        "2026-12-3１",
    ] {
        let annotation = annotations(&[(KEY, value)], &json!({}), NOW);
        assert_eq!(annotation, format!("{CAN_CALL} {NODE}"), "{value}");
        let outcome = run(&tagged(&[(KEY, value)]), on(scheduled(), &json!({}))).unwrap();
        let quoted =
            format!("tag `{KEY}` does not exempt the role: its value `{value}` is not a date such as `2026-12-31`");
        assert_eq!(remarks(&outcome), [remark("exemption-not-a-date", &quoted)], "{value}");
        assert_eq!(outcome.exempt_roles(), None, "{value}");
    }
}

/// The remarks on `r` as the log has them.
fn remarks(outcome: &Outcome) -> Vec<Value> {
    let role = outcome.answers.iter().find_map(|answer| answer.role()).unwrap();
    serde_json::to_value(role.evidence()).unwrap()["remarks"].as_array().unwrap().clone()
}

fn remark(kind: &str, text: &str) -> Value {
    json!({ "kind": kind, "tag": KEY, "text": text })
}

#[test]
fn role_without_the_tag_has_no_remark() {
    for (tags, parameters) in [
        (&[][..], json!({})),
        (&[("team", "2026-12-31")], json!({})),
        (&[("ECR-exempt-until", "2026-12-31")], json!({})),
        (&[(KEY, "2026-12-31")], json!({ "ExemptUntilTag": "" })),
        (&[(KEY, "never")], json!({ "ExemptUntilTag": "" })),
    ] {
        assert_eq!(annotations(tags, &parameters, NOW), format!("{CAN_CALL} {NODE}"), "{tags:?} {parameters}");
        let outcome = run(&tagged(tags), on(scheduled(), &parameters)).unwrap();
        assert_eq!(remarks(&outcome), [Value::Null; 0], "{tags:?} {parameters}");
        // The log has all fields of the verdict.
        let role = outcome.answers[0].role().unwrap();
        let evidence = serde_json::to_string(&role.evidence()).unwrap();
        assert_eq!(evidence, serde_json::to_string(role.verdict()).unwrap());
    }
}

#[test]
fn exempt_roles_and_exempt_tag_win_over_the_date() {
    let by_name = "AROAR NotApplicable: r is exempt: the parameter ExemptRoles names it.";
    let by_tag = "AROAR NotApplicable: r is exempt: the parameter ExemptTag names its tag ecr=yes.";
    for value in ["2026-12-31", "2025-12-31", "never"] {
        let tags = [(KEY, value), ("ecr", "yes")];
        assert_eq!(annotations(&tags, &json!({ "ExemptTag": "ecr=yes" }), NOW), by_tag, "{value}");
        for parameters in [json!({ "ExemptRoles": "r" }), json!({ "ExemptRoles": "r", "ExemptTag": "ecr=yes" })] {
            let aws = tagged(&tags);
            let outcome = run(&aws, on(role_changed(), &parameters)).unwrap();
            assert_eq!(aws.annotated(), [by_name], "{value}");
            assert_eq!(outcome.exempt_roles().as_deref(), Some("r (ExemptRoles)"), "{value}");
        }
    }
    // One key for both parameters.
    let both = json!({ "ExemptTag": format!("{KEY}=yes") });
    assert_eq!(
        annotations(&[(KEY, "yes")], &both, NOW),
        format!("AROAR NotApplicable: r is exempt: the parameter ExemptTag names its tag {KEY}=yes.")
    );
    assert_eq!(annotations(&[(KEY, "2026-12-31")], &both, NOW), exempt_until("2026-12-31"));
}

#[test]
fn ended_exemption_is_a_remark_beside_those_on_statements() {
    let useless = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken",
        "Resource":"arn:aws:ecr:us-east-1:111122223333:repository/app"}}"#;
    let aws = tagged(&[(KEY, "2026-01-04")]).with_role("r", |role| {
        role.inline.insert("useless".to_owned(), useless.to_owned());
    });
    let outcome = run(&aws, on(scheduled(), &json!({}))).unwrap();
    let text = format!("tag `{KEY}` no longer exempts the role: the exemption ended on 2026-01-04");
    let remarks = remarks(&outcome);
    assert_eq!(remarks[0], remark("exemption-ended", &text));
    assert_eq!((remarks.len(), &remarks[1]["policy"]), (2, &json!("useless")));
}

#[test]
fn remark_quotes_at_most_64_characters_of_a_value() {
    for (length, quoted) in
        [(64, "é".repeat(64)), (65, format!("{}…", "é".repeat(64))), (256, format!("{}…", "é".repeat(64)))]
    {
        let outcome = run(&tagged(&[(KEY, &"é".repeat(length))]), on(scheduled(), &json!({}))).unwrap();
        assert!(remarks(&outcome)[0]["text"].as_str().unwrap().contains(&format!("value `{quoted}` is")), "{length}");
    }
}

#[test]
fn finding_names_the_remark_and_later_the_exemption() {
    let findings = json!({ "SecurityHubFindings": "true" });
    let tag = |value: &'static str| move |role: &mut _| set_tag(role, value);
    let aws = tagged(&[(KEY, "until new year")]);
    let at = |day: i64| Duration::days(day);
    let schedule = |day| run_with(&aws, &Cache::new(), on(scheduled(), &findings), at(day)).unwrap();
    let event = |day| run_with(&aws, &Cache::new(), on(role_changed(), &findings), at(day)).unwrap();

    event(0);
    let remark =
        format!("tag `{KEY}` does not exempt the role: its value `until new year` is not a date such as `2026-12-31`");
    let first = aws.finding("AROAR");
    assert_eq!(first.product_fields["Remarks"], remark);
    assert!(first.description.ends_with(&format!("Remarks: {remark}.")), "{}", first.description);

    // Exempt: the event clears the verdict, the schedule archives the finding.
    aws.change(|state| tag("2026-01-07")(state.roles.get_mut("r").unwrap()));
    event(1);
    assert_eq!(aws.finding("AROAR"), first);
    schedule(1);
    let archived = aws.finding("AROAR");
    let exempt = format!("r is exempt until 2026-01-07: the parameter ExemptUntilTag names its tag {KEY}.");
    assert!(archived.archived);
    assert_eq!(archived.description, format!("{exempt} {}", first.description));
    schedule(2);
    assert_eq!(aws.finding("AROAR"), archived, "once");

    // The end needs no event.
    schedule(3);
    let ended = aws.finding("AROAR");
    assert!(!ended.archived);
    assert_eq!(
        ended.product_fields["Remarks"],
        format!("tag `{KEY}` no longer exempts the role: the exemption ended on 2026-01-07")
    );
    assert!(ended.description.ends_with("the exemption ended on 2026-01-07."), "{}", ended.description);
    assert!(aws.annotated().last().unwrap().contains("Its exemption ended on 2026-01-07."));
}

fn set_tag(role: &mut crate::support::fakes::FakeRole, value: &str) {
    role.record.tags = vec![Tag::new(KEY, value)];
}

#[test]
fn archived_finding_begins_with_the_exemption() {
    let old = format!("old={}", "v".repeat(256));
    for (parameters, tags, expected) in [
        (json!({ "ExemptRoles": "r" }), vec![], Some("r is exempt: the parameter ExemptRoles names it.".to_owned())),
        (json!({ "ExemptRoles": "*" }), vec![], Some("r is exempt: the parameter ExemptRoles names it.".to_owned())),
        (
            json!({ "ExemptRoles": role_arn("r") }),
            vec![],
            Some("r is exempt: the parameter ExemptRoles names it.".to_owned()),
        ),
        (
            json!({ "ExemptTag": old }),
            vec![("old".to_owned(), "v".repeat(256))],
            Some(format!("r is exempt: the parameter ExemptTag names its tag {old}.")),
        ),
        (
            json!({}),
            vec![(KEY.to_owned(), "2026-01-05".to_owned())],
            Some(format!("r is exempt until 2026-01-05: the parameter ExemptUntilTag names its tag {KEY}.")),
        ),
        (json!({ "ClusterNames": "other" }), vec![], None),
    ] {
        let parameters = with(json!({ "SecurityHubFindings": "true" }), &parameters);
        let aws = tagged(&[]);
        run_with(&aws, &Cache::new(), on(scheduled(), &json!({ "SecurityHubFindings": "true" })), Duration::hours(-1))
            .unwrap();
        let before = aws.finding("AROAR").description;
        aws.change(|state| {
            let tags = tags.iter().map(|(key, value)| Tag::new(key.clone(), value.clone()));
            state.roles.get_mut("r").unwrap().record.tags = tags.collect();
        });
        run(&aws, on(scheduled(), &parameters)).unwrap();
        let archived = aws.finding("AROAR");
        assert!(archived.archived, "{parameters}");
        let expected = match expected {
            Some(exemption) => format!("{exemption} {before}"),
            None => before,
        };
        let cut = archived.description.trim_end_matches('…');
        assert!(
            expected.starts_with(cut) && cut.chars().count() >= expected.chars().count().min(1023),
            "{}",
            archived.description
        );
        assert!(archived.description.chars().count() <= 1024);
    }
}

/// A schedule over `count` node roles, the first of them exempt by each parameter. More than 32 roles are read in pages.
#[test]
fn schedule_counts_and_lists_exempt_roles() {
    for count in [6, 60] {
        let tag = |name: &str, key: &str, value: &str| {
            let (name, tag) = (name.to_owned(), Tag::new(key, value));
            move |aws: FakeAws| aws.with_role(&name, |role| role.record.tags.push(tag))
        };
        let aws = many(count);
        let aws = tag("nodes-0001", KEY, "2026-12-31")(aws);
        let aws = tag("nodes-0002", KEY, "2026-01-05")(aws);
        let aws = tag("nodes-0003", "ecr", "yes")(aws);
        let aws = tag("nodes-0004", KEY, "2026-01-04")(aws);
        let parameters = json!({ "ExemptRoles": "nodes-0000,gone", "ExemptTag": "ecr=yes" });
        let outcome = run(&aws, on(scheduled(), &parameters)).unwrap();
        assert_eq!(
            outcome.exempt_roles().as_deref(),
            Some(
                "nodes-0002 (ExemptUntilTag, until 2026-01-05); nodes-0001 (ExemptUntilTag, until 2026-12-31); \
                 nodes-0000 (ExemptRoles); nodes-0003 (ExemptTag)"
            ),
            "{count}"
        );
        assert_eq!(outcome.exempt.len(), 4, "{count}");
        assert_eq!(outcome.evaluated(), count - 4, "{count}");
        let not_applicable = aws.sent().iter().filter(|one| one.ends_with("NotApplicable")).count();
        assert_eq!(not_applicable, 3, "{count}: a role that ExemptRoles names is not read");
    }
}

/// Roles that only an instance profile shows, among few roles and among many: an exempt one is counted without a further
/// call, other instances' roles and roles of Lambda are not.
#[test]
fn exempt_candidates_are_counted_among_few_and_many() {
    for count in [1, 60] {
        let aws = many(count).role("karpenter", "AROAKARPENTER").with(|state| {
            state.cluster("us-east-1", "prod").record.authentication = Authentication::Either;
            state.instance_profiles.insert("k".to_owned(), vec![Tag::new("eks:eks-cluster-name", "prod")]);
            state.roles.get_mut("karpenter").unwrap().instance_profiles.push("k".to_owned());
        });
        let aws = aws.role("plain", "AROAPLAIN");
        for (pattern, expected) in [("karp*", Some("karpenter (ExemptRoles)")), ("plain", None)] {
            let outcome = run(&aws, on(scheduled(), &json!({ "ExemptRoles": pattern }))).unwrap();
            assert_eq!(outcome.exempt_roles().as_deref(), expected, "{count} {pattern}");
        }
        let by_arn = json!({ "ExemptRoles": format!("arn:aws:iam::{ACCOUNT}:role/karp*") });
        let outcome = run(&aws, on(scheduled(), &by_arn)).unwrap();
        assert_eq!(outcome.exempt_roles().as_deref(), Some("karpenter (ExemptRoles)"), "{count} by ARN");
        let listed = json!({ "ExemptRoles": "plain", "NodeRoles": "pla*" });
        let outcome = run(&aws, on(scheduled(), &listed)).unwrap();
        assert_eq!(outcome.exempt_roles().as_deref(), Some("plain (ExemptRoles)"), "{count} of NodeRoles");
    }
}

#[test]
fn list_of_exempt_roles_is_bounded() {
    let exempt = |count: usize| {
        let outcome = run(&many(count), on(scheduled(), &json!({ "ExemptRoles": "nodes-*" }))).unwrap();
        assert_eq!(outcome.exempt.len(), count);
        outcome.exempt_roles().unwrap()
    };
    assert!(exempt(100).ends_with("; nodes-0099 (ExemptRoles)"));
    let list = exempt(2_000);
    assert!(list.ends_with("; nodes-0099 (ExemptRoles); and 1900 more roles"), "{list}");
    assert!(list.len() < 10_000, "{}", list.len());
}

#[test]
fn exempt_roles_of_an_event_are_counted_too() {
    let aws = tagged(&[(KEY, "2026-12-31")]).with_role("r", |role| role.attached.push(APP.to_owned()));
    let outcome = run(&aws, on(app_changed(), &json!({}))).unwrap();
    assert_eq!(outcome.exempt_roles().as_deref(), Some("r (ExemptUntilTag, until 2026-12-31)"));
    assert_eq!(run(&tagged(&[]), on(role_changed(), &json!({}))).unwrap().exempt_roles(), None);
}

const APP: &str = "arn:aws:iam::111122223333:policy/app";

/// A failed call leaves it open which roles are node roles. An exempt role is exempt all the same.
#[test]
fn exempt_role_is_counted_although_a_region_fails() {
    let aws = tagged(&[(KEY, "2026-12-31")]).with(|state| {
        state.regions.push("eu-west-1".to_owned());
        state.refusing.insert("eu-west-1".to_owned(), PortErrorKind::Failed);
    });
    let error = run(&aws, on(scheduled(), &json!({}))).unwrap_err();
    assert_eq!(error.outcome().exempt_roles().as_deref(), Some("r (ExemptUntilTag, until 2026-12-31)"));
    assert_eq!(aws.sent(), [""; 0]);
}

/// AWS Config keeps the verdict of an exempt role until the rule answers NOT_APPLICABLE, and gets a new one after the end.
#[test]
fn verdict_is_cleared_by_the_exemption_and_comes_back() {
    let aws = tagged(&[(KEY, "2026-01-06")]).with(|state| state.reported = vec![role_resource("AROAR")]);
    let cache = Cache::new();
    let mut answers = Vec::new();
    for day in 0..4 {
        run_with(&aws, &cache, on(scheduled(), &json!({})), Duration::days(day)).unwrap();
        answers.push(aws.annotated().pop().unwrap());
    }
    let (exempt, ended) = (exempt_until("2026-01-06"), ended_on("2026-01-06"));
    assert_eq!(answers, [exempt.clone(), exempt, ended.clone(), ended]);
}
