//! Annotations: each text beside its value, and generated values that are written and read back.

use ecr_read_only::access::{
    ANNOTATION_CHARACTERS, Annotation, AnnotationResult, Grant, GrantKind, NotApplicable, StatementName,
};

use time::Date;
use time::macros::date;

use crate::support::generate::Rng;

const NODE: &str = "shop-build-node";
const FACT: &str = "Node group build of cluster shop, us-east-1";

fn can_call(action: &str, more: usize) -> AnnotationResult {
    AnnotationResult::CanCall { action: action.to_owned(), more, other_account: None }
}

fn cannot_pull(missing: &[&str]) -> AnnotationResult {
    AnnotationResult::CannotPull { missing: missing.iter().map(|action| (*action).to_owned()).collect() }
}

fn by(policy: &str, statement: &str) -> Option<StatementName> {
    Some(StatementName { policy: policy.to_owned(), statement: statement.to_owned() })
}

fn of_node(results: Vec<AnnotationResult>, grant: Option<StatementName>, more_node_facts: usize) -> Annotation {
    let node_fact = Some(FACT.to_owned());
    Annotation { role_name: Some(NODE.to_owned()), results, exemption_ended: None, grant, node_fact, more_node_facts }
}

fn not_applicable(reason: NotApplicable) -> Annotation {
    Annotation::not_applicable(Some(NODE), reason)
}

#[test]
fn annotation_text_and_value_match() {
    let may_call = || AnnotationResult::MayCall { action: "ecr:PutImage".to_owned(), more: 2 };
    let if_agreed = AnnotationResult::CanCall {
        action: "ecr:PutImage".to_owned(),
        more: 3,
        other_account: Some("222233334444".to_owned()),
    };
    let power_user = || by("AmazonEC2ContainerRegistryPowerUser", "0");
    let tag = NotApplicable::ExemptTag { key: "Team name".to_owned(), value: "platform=eu west.".to_owned() };
    let until = NotApplicable::ExemptUntil { key: "exempt until: the day".to_owned(), last_day: date!(2026 - 12 - 31) };
    let ended = |annotation| Annotation { exemption_ended: Some(date!(2024 - 02 - 29)), ..annotation };
    for (value, text) in [
        (
            ended(of_node(vec![can_call("ecr:PutImage", 3), cannot_pull(&["ecr:BatchGetImage"])], power_user(), 1)),
            "shop-build-node can call ecr:PutImage and 3 more actions (AmazonEC2ContainerRegistryPowerUser, \
             statement 0). Its exemption ended on 2024-02-29. It cannot pull: no ecr:BatchGetImage. Node group build of \
             cluster shop, us-east-1, and 1 more.",
        ),
        (
            ended(of_node(vec![AnnotationResult::OnlyReads], None, 0)),
            "shop-build-node can only read from Amazon ECR. Its exemption ended on 2024-02-29. Node group build of \
             cluster shop, us-east-1.",
        ),
        (
            ended(Annotation { node_fact: None, ..of_node(vec![AnnotationResult::OnlyReads], None, 0) }),
            "shop-build-node can only read from Amazon ECR. Its exemption ended on 2024-02-29.",
        ),
        (
            not_applicable(until),
            "shop-build-node is exempt until 2026-12-31: the parameter ExemptUntilTag names its tag exempt until: the day.",
        ),
        (
            of_node(vec![can_call("ecr:PutImage", 3)], power_user(), 1),
            "shop-build-node can call ecr:PutImage and 3 more actions (AmazonEC2ContainerRegistryPowerUser, \
             statement 0). Node group build of cluster shop, us-east-1, and 1 more.",
        ),
        (
            of_node(vec![can_call("ecr:PutImage", 1)], by("registry", "Push"), 0),
            "shop-build-node can call ecr:PutImage and 1 more action (registry, statement Push). Node group build of \
             cluster shop, us-east-1.",
        ),
        (
            of_node(vec![if_agreed], by("registry", "Push"), 0),
            "shop-build-node can call ecr:PutImage and 3 more actions if account 222233334444 agrees (registry, \
             statement Push). Node group build of cluster shop, us-east-1.",
        ),
        (
            of_node(vec![may_call()], None, 0),
            "shop-build-node may be able to call ecr:PutImage and 2 more actions: undecided within the budget. Node \
             group build of cluster shop, us-east-1.",
        ),
        (
            of_node(vec![cannot_pull(&["ecr:BatchGetImage", "ecr:GetAuthorizationToken"])], None, 0),
            "shop-build-node cannot pull: no ecr:BatchGetImage, ecr:GetAuthorizationToken. Node group build of cluster \
             shop, us-east-1.",
        ),
        (
            of_node(
                vec![can_call("ecr:PutImage", 0), may_call(), cannot_pull(&["ecr:BatchGetImage"])],
                by("registry", "0"),
                0,
            ),
            "shop-build-node can call ecr:PutImage (registry, statement 0). It may be able to call ecr:PutImage and 2 \
             more actions: undecided within the budget. It cannot pull: no ecr:BatchGetImage. Node group build of \
             cluster shop, us-east-1.",
        ),
        (
            of_node(vec![AnnotationResult::OnlyReads], None, 0),
            "shop-build-node can only read from Amazon ECR. Node group build of cluster shop, us-east-1.",
        ),
        (
            of_node(vec![AnnotationResult::OnlyAllowed, cannot_pull(&["ecr:BatchGetImage"])], None, 12),
            "shop-build-node can only call allowed actions of Amazon ECR. It cannot pull: no ecr:BatchGetImage. Node \
             group build of cluster shop, us-east-1, and 12 more.",
        ),
        (
            not_applicable(NotApplicable::NoCluster { skipped_regions: 0 }),
            "shop-build-node is not a node role: no EKS cluster runs nodes with it.",
        ),
        (
            not_applicable(NotApplicable::NoCluster { skipped_regions: 1 }),
            "shop-build-node is not a node role: no EKS cluster runs nodes with it (1 region skipped).",
        ),
        (
            not_applicable(NotApplicable::NoCluster { skipped_regions: 2 }),
            "shop-build-node is not a node role: no EKS cluster runs nodes with it (2 regions skipped).",
        ),
        (
            not_applicable(NotApplicable::TrustPolicy),
            "shop-build-node is not a node role: its trust policy allows no service or principal that runs EKS nodes.",
        ),
        (not_applicable(NotApplicable::NotShown), "shop-build-node is not a node role as far as the file shows."),
        (not_applicable(NotApplicable::ExemptRole), "shop-build-node is exempt: the parameter ExemptRoles names it."),
        (
            not_applicable(tag),
            "shop-build-node is exempt: the parameter ExemptTag names its tag Team name=platform=eu west..",
        ),
        (not_applicable(NotApplicable::NoLongerExists), "shop-build-node no longer exists."),
        (not_applicable(NotApplicable::Replaced), "shop-build-node no longer exists: another role has its name now."),
        (
            Annotation::not_applicable(None, NotApplicable::Cleared { skipped_regions: 0 }),
            "The role is no longer a node role, is exempt, or no longer exists.",
        ),
        (
            Annotation::not_applicable(None, NotApplicable::Cleared { skipped_regions: 2 }),
            "The role is no longer a node role, is exempt, or no longer exists (2 regions skipped).",
        ),
        (
            Annotation::not_applicable(None, NotApplicable::OtherType),
            "Not evaluated itself; the node roles that use it are.",
        ),
        (Annotation::not_applicable(None, NotApplicable::Deleted), "The resource was deleted."),
        (
            Annotation::not_applicable(None, NotApplicable::NotRecorded),
            "The resource is not recorded by AWS Config here.",
        ),
        (
            Annotation::not_applicable(None, NotApplicable::LeftScope),
            "The resource is no longer in the scope of the rule.",
        ),
    ] {
        assert_eq!(value.to_string(), text);
        assert_eq!(text.parse().as_ref(), Ok(&value), "{text}");
    }
}

#[test]
fn headline_has_neither_statement_nor_node_fact() {
    let annotation = of_node(vec![can_call("ecr:PutImage", 3)], by("registry", "Push"), 1);
    assert_eq!(annotation.headline(), "shop-build-node can call ecr:PutImage and 3 more actions");
}

#[test]
fn other_text_is_not_an_annotation() {
    for text in [
        "",
        "why",
        "shop-build-node does as it likes.",
        "x can call ecr:PutImage",
        "x can only read from Amazon ECR.y",
        "x can only read from Amazon ECR. Its exemption ended on 2026-02-30.",
        "x can only read from Amazon ECR. Its exemption ended on 2026-02-28",
        "x is exempt until 31.12.2026: the parameter ExemptUntilTag names its tag day.",
    ] {
        assert!(text.parse::<Annotation>().is_err(), "{text}");
    }
}

#[test]
fn long_annotation_shortens_names_then_drops_sentences() {
    let long_role = "r".repeat(64);
    let policy = "p".repeat(128);
    let cluster = "c".repeat(100);
    let clusters = format!("AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: {}", {
        ["a-cluster (us-east-1)"; 5].join(", ")
    });
    let annotation = |fact: &str, missing: &[&str], policy: &str| Annotation {
        role_name: Some(long_role.clone()),
        results: [vec![can_call("ecr:PutImage", 3)], missing.iter().map(|one| cannot_pull(&[one])).collect()].concat(),
        exemption_ended: None,
        grant: by(policy, "0"),
        node_fact: Some(fact.to_owned()),
        more_node_facts: 1,
    };
    let ended = |annotation| Annotation { exemption_ended: Some(date!(2026 - 12 - 31)), ..annotation };
    let on_account = |annotation: Annotation, role: &str, account: &str| {
        let (role_name, other_account) = (Some(role.to_owned()), Some(account.to_owned()));
        let result = AnnotationResult::CanCall { action: "ecr:PutImage".to_owned(), more: 3, other_account };
        Annotation { role_name, results: vec![result], ..annotation }
    };
    let longer_role = "r".repeat(160);
    let first = |policy: &str| format!("{long_role} can call ecr:PutImage and 3 more actions ({policy}, statement 0).");
    let missing = ["ecr:BatchGetImage"; 3];
    for (annotation, expected) in [
        (
            annotation(&format!("Node group n of cluster {cluster}, us-east-1"), &[], &policy),
            format!(
                "{} Node group n of cluster {}…, us-east-1, and 1 more.",
                first(&format!("{}…", "p".repeat(41))),
                "c".repeat(41)
            ),
        ),
        (
            annotation(&clusters, &[], "registry"),
            format!("{} AmazonEKSWorkerNodePolicy on an instance profile, and 1 more.", first("registry")),
        ),
        (
            annotation(FACT, &missing, "registry"),
            format!("{}{}", first("registry"), " It cannot pull: no ecr:BatchGetImage.".repeat(3)),
        ),
        (
            annotation(FACT, &[&missing[..], &missing[..]].concat(), &policy),
            format!("{}{}", first(&format!("{}…", "p".repeat(19))), " It cannot pull: no ecr:BatchGetImage.".repeat(3)),
        ),
        // The end of an exemption stays longer than other sentences, and than the statement.
        (
            ended(annotation(FACT, &missing, "registry")),
            format!(
                "{} Its exemption ended on 2026-12-31.{}",
                first("registry"),
                " It cannot pull: no ecr:BatchGetImage.".repeat(2)
            ),
        ),
        (
            ended(on_account(annotation(FACT, &[], &policy), &longer_role[..128], "222233334444")),
            format!(
                "{} can call ecr:PutImage and 3 more actions if account 222233334444 agrees. Its exemption ended on \
                 2026-12-31.",
                &longer_role[..128]
            ),
        ),
        (
            ended(on_account(annotation(FACT, &[], &policy), &longer_role, "222233334444")),
            format!("{longer_role} can call ecr:PutImage and 3 more actions if account 222233334444 agrees."),
        ),
    ] {
        assert_eq!(annotation.to_string(), expected);
    }
}

#[test]
fn unusual_sid_is_replaced_by_the_place() {
    for (kind, sid, expected) in [
        (GrantKind::Managed, None, "policy registry, statement 3"),
        (GrantKind::Managed, Some(""), "policy registry, statement 3"),
        (GrantKind::Inline, Some("Push"), "policy registry, statement Push"),
        (GrantKind::Boundary, Some("Push"), "boundary registry, statement Push"),
        (GrantKind::Session, Some("Push"), "session policy registry, statement Push"),
        (GrantKind::Managed, Some("2"), "policy registry, statement 3"),
        (GrantKind::Managed, Some("x). It cannot pull: no y"), "policy registry, statement 3"),
    ] {
        let policy = "arn:aws:iam::111122223333:policy/path/registry";
        let policy = if kind == GrantKind::Inline { "registry" } else { policy }.to_owned();
        let grant = Grant { policy, kind, sid: sid.map(str::to_owned), statement: 3 };
        assert_eq!(grant.to_string(), expected);
    }
}

/// Text of up to `longest` characters of the alphabet.
fn word(rng: &mut Rng, longest: usize, alphabet: &str) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    (0..=rng.below(longest)).map(|_| *rng.choose(&alphabet)).collect()
}

fn name(rng: &mut Rng, longest: usize) -> String {
    // What IAM permits in names of roles and policies.
    word(rng, longest, "abcXYZ019_+=,.@-")
}

fn results(rng: &mut Rng) -> Vec<AnnotationResult> {
    let action = |rng: &mut Rng| format!("ecr:{}", word(rng, 50, "abcXYZ-"));
    let mut results = Vec::new();
    if rng.chance(60) {
        let other_account = rng.chance(20).then(|| word(rng, 12, "0123456789"));
        results.push(AnnotationResult::CanCall { action: action(rng), more: rng.below(4), other_account });
    }
    if rng.chance(20) {
        results.push(AnnotationResult::MayCall { action: action(rng), more: rng.below(4) });
    }
    if results.is_empty() {
        results.push(rng.choose(&[AnnotationResult::OnlyReads, AnnotationResult::OnlyAllowed]).clone());
    }
    if rng.chance(30) {
        let missing = [&["ecr:BatchGetImage"][..], &["ecr:BatchGetImage", "ecr:GetAuthorizationToken"]];
        results.push(cannot_pull(rng.pick(&missing)));
    }
    results
}

fn fact(rng: &mut Rng) -> String {
    let cluster = word(rng, 100, "abcXYZ019-_");
    let part = word(rng, 63, "abcXYZ019-_");
    match rng.below(4) {
        0 => format!("Node group {part} of cluster {cluster}, us-gov-east-1"),
        1 => format!("Tag kubernetes.io/cluster/{cluster} on instance profile {part} of cluster {cluster}, us-east-1"),
        2 => {
            format!("AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: {cluster} (us-east-1)")
        }
        _ => "Parameter NodeRoles".to_owned(),
    }
}

fn day(rng: &mut Rng) -> Date {
    Date::from_ordinal_date(i32::try_from(rng.below(10_000)).unwrap(), 1 + u16::try_from(rng.below(365)).unwrap())
        .unwrap()
}

fn generated(rng: &mut Rng) -> Annotation {
    let role_name = name(rng, 64);
    if rng.chance(10) {
        let (key, value) = (word(rng, 128, "ab .:/+-@"), word(rng, 256, "ab .:/=+-@"));
        return Annotation::not_applicable(Some(&role_name), NotApplicable::ExemptTag { key, value });
    }
    if rng.chance(10) {
        let (key, last_day) = (word(rng, 128, "ab .:/+-@"), day(rng));
        return Annotation::not_applicable(Some(&role_name), NotApplicable::ExemptUntil { key, last_day });
    }
    let results = results(rng);
    let granted = matches!(results.first(), Some(AnnotationResult::CanCall { .. }));
    let sid = if rng.chance(30) { rng.below(9).to_string() } else { word(rng, 120, "abcXYZ019") };
    Annotation {
        role_name: Some(role_name),
        results,
        exemption_ended: rng.chance(30).then(|| day(rng)),
        grant: granted.then(|| StatementName { policy: name(rng, 128), statement: sid }),
        node_fact: Some(fact(rng)),
        more_node_facts: rng.below(3),
    }
}

#[test]
fn generated_annotation_is_read_back() {
    let mut rng = Rng::new(11);
    let mut shortened = 0;
    for _ in 0..5_000 {
        let annotation = generated(&mut rng);
        let text = annotation.to_string();
        let read: Annotation = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert!(text.chars().count() <= ANNOTATION_CHARACTERS, "{text}");
        assert_eq!(read.role_name, annotation.role_name, "{text}");
        assert_eq!(read.exemption_ended, annotation.exemption_ended, "{text}");
        if text.contains('…') || read.node_fact != annotation.node_fact || read.results.len() < annotation.results.len()
        {
            shortened += 1;
            if !matches!(annotation.results[0], AnnotationResult::NotApplicable(_)) {
                assert_eq!(read.results[0], annotation.results[0], "{text}");
            }
            let more = read.node_fact.is_none() || read.more_node_facts == annotation.more_node_facts;
            assert!(more && text.ends_with('.'), "{text}");
        } else {
            assert_eq!(read, annotation, "{text}");
        }
    }
    assert!((1_000..4_000).contains(&shortened), "{shortened}");
}
