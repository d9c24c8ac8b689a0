//! Regions where a service control policy denies the list of clusters, and the parameter `DeniedRegions`.

use crate::support::events::{EC2_TRUST, change, role_item, scheduled, with};
use crate::support::fakes::{FakeAws, account, role_resource};
use crate::support::run::{run, run_with};
use ecr_read_only::rule::Cache;
use ecr_read_only::rule::ports::PortErrorKind;
use serde_json::{Value, json};
use time::Duration;

/// An account with the node role `nodes`, and regions that refuse the list of clusters in these ways.
fn refusing(regions: &[(&str, PortErrorKind)]) -> FakeAws {
    account().role("web", "AROAWEB").with(|state| {
        for (region, kind) in regions {
            if *region != "us-east-1" {
                state.regions.push((*region).to_owned());
            }
            state.refusing.insert((*region).to_owned(), *kind);
        }
        state.reported = vec![role_resource("AROAOLD")];
        let old = "old can only read from Amazon ECR. Node group a of cluster shop, us-east-1.";
        state.annotations.insert("AROAOLD".to_owned(), old.to_owned());
    })
}

fn with_denied(payload: Value, denied: &str) -> Value {
    with(payload, &json!({ "ruleParameters": json!({ "DeniedRegions": denied }).to_string() }))
}

#[test]
fn region_denied_by_a_service_control_policy_is_skipped() {
    use PortErrorKind::{
        Denied, DeniedByServiceControlPolicy as Scp, ExplicitlyDenied, Failed, RegionClosed, Throttled,
    };
    let judged = ["AROANODES Compliant"];
    let cleared = ["AROANODES Compliant", "AROAOLD NotApplicable"];
    for (name, regions, denied, sent, closed) in [
        ("by default", vec![("eu-west-1", Scp)], "", &cleared[..], Some("eu-west-1")),
        ("two", vec![("eu-west-1", Scp), ("ap-east-1", Scp)], "skip", &cleared, Some("ap-east-1, eu-west-1")),
        ("with error", vec![("eu-west-1", Scp)], "error", &judged, None),
        ("no region answers", vec![("us-east-1", Scp), ("eu-west-1", Scp)], "skip", &[], None),
        ("the other region fails", vec![("us-east-1", Failed), ("eu-west-1", Scp)], "skip", &[], None),
        ("another region is not enabled", vec![("eu-west-1", Scp), ("ap-east-1", RegionClosed)], "skip", &judged, None),
        ("another explicit deny", vec![("eu-west-1", ExplicitlyDenied)], "skip", &judged, None),
        ("no permission", vec![("eu-west-1", Denied)], "skip", &judged, None),
        ("throttled", vec![("eu-west-1", Throttled)], "skip", &judged, None),
    ] {
        let aws = refusing(&regions);
        let outcome = run(&aws, with_denied(scheduled(), denied));
        assert_eq!(aws.sent(), sent, "{name}");
        match outcome {
            Ok(outcome) => assert_eq!(Some(outcome.closed_regions.join(", ").as_str()), closed, "{name}"),
            Err(error) => assert_eq!((error.error_type(), closed), ("NodeRolesUnknown", None), "{name}"),
        }
    }
}

#[test]
fn no_cluster_answer_counts_skipped_regions() {
    let scp = PortErrorKind::DeniedByServiceControlPolicy;
    let web = || change(&role_item("web", "AROAWEB", EC2_TRUST));
    let text = "AROAWEB NotApplicable: web is not a node role: no EKS cluster runs nodes with it";
    for (regions, suffix) in [
        (vec![], "."),
        (vec![("eu-west-1", scp)], " (1 region skipped)."),
        (vec![("eu-west-1", scp), ("ap-east-1", scp)], " (2 regions skipped)."),
    ] {
        let (aws, cache) = (refusing(&regions), Cache::new());
        run_with(&aws, &cache, web(), Duration::ZERO).unwrap();
        run_with(&aws, &cache, web(), Duration::MINUTE).unwrap();
        assert_eq!(aws.annotated(), vec![format!("{text}{suffix}"); 2]);
        assert_eq!(aws.count("ListClusters"), 1 + regions.len(), "the refusal is cached");
        let error = run_with(&aws, &cache, with_denied(web(), "error"), Duration::MINUTE).err();
        assert_eq!(error.is_some(), !regions.is_empty(), "a rule with another parameter");
    }
}

#[test]
fn schedule_keeps_verdicts_that_a_skipped_region_can_explain() {
    let scp = [("eu-west-1", PortErrorKind::DeniedByServiceControlPolicy)];
    let fact = |fact: &str| Some(format!("old can only read from Amazon ECR. {fact}"));
    for (annotation, keeps) in [
        (fact("Node group a of cluster shop, eu-west-1."), true),
        (fact("Node group a of cluster shop, us-east-1."), false),
        (fact("Node group a of cluster shop, us-east-1, and 1 more."), true),
        (fact("Node group eu-west-1 of cluster eu-west-1, us-east-1."), false),
        (fact("Auto Mode of cluster a-very-long-name…, eu-west-1."), true),
        (fact("Parameter NodeRoles."), false),
        (fact("Parameter NodeRoles, and 2 more."), true),
        (
            fact(
                "AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: a (us-east-1), b (eu-west-1).",
            ),
            true,
        ),
        (
            fact(
                "AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: a (us-east-1), b (us-west-2).",
            ),
            false,
        ),
        (
            fact(
                "AmazonEKSWorkerNodePolicy on an instance profile; cluster unknown, one of: a (us-east-1), b (us-west-2) or 2 more.",
            ),
            true,
        ),
        (fact("AmazonEKSWorkerNodePolicy on an instance profile."), true),
        (Some("old can only read from Amazon ECR.".to_owned()), true),
        (
            Some(
                "old can call ecr:PutImage (own, statement 0). Fargate profile f of cluster shop, eu-west-1."
                    .to_owned(),
            ),
            true,
        ),
        (Some("a text of another program".to_owned()), true),
        (None, true),
    ] {
        for skips in [true, false] {
            let aws = refusing(if skips { &scp } else { &[] }).with(|state| {
                state.annotations.clear();
                state.annotations.extend(annotation.clone().map(|text| ("AROAOLD".to_owned(), text)));
            });
            let outcome = run(&aws, scheduled()).unwrap();
            let keeps = keeps && skips;
            let sent = [&["AROANODES Compliant"][..], if keeps { &[] } else { &["AROAOLD NotApplicable"] }].concat();
            assert_eq!(aws.sent(), sent, "{annotation:?}, skips: {skips}");
            assert_eq!(outcome.kept.len(), usize::from(keeps), "{annotation:?}");
        }
    }
}
