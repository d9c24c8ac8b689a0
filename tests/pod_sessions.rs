//! Session policies of EKS Pod Identity: each limits the sessions of one association, and no other use of the role.

use crate::support::events::{ACCOUNT, change, role_item, scheduled, with};
use crate::support::fakes::{EVERYTHING, FakeAws, role_arn, version};
use crate::support::run::run;
use ecr_read_only::rule::NodeKind;
use ecr_read_only::rule::ports::{Authentication, PartKind, SessionPolicy};
use serde_json::{Value, json};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com","pods.eks.amazonaws.com"],
    "Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"},"Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity","sts:TagSession"]}]}"#;
const ISSUER: &str = "oidc.eks.us-east-1.amazonaws.com/id/ABC";
const WORKER: &str = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";

const PULL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:GetAuthorizationToken","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"*"}}"#;
const PUSH: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*"}}"#;
const TAG: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:TagResource","Resource":"*"}}"#;
const TAG_AND_PUSH: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["ecr:TagResource","ecr:PutImage"],"Resource":"*"}}"#;
const NO_ECR: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
/// Whether it allows a request is not decided within the budget.
const UNDECIDED: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:PutImage","Resource":"arn:aws:ecr:us-east-1:123456789012:repository/app",
    "Condition":{"StringLike":{"aws:SourceIp":"1?*7*.*"},"NotIpAddress":{"aws:SourceIp":"0.0.0.0/0"}}}}"#;
const MALFORMED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"ecr:*","Resource":"*"}]}"#;

/// A use of the role `r`.
#[derive(Clone, Copy)]
enum Use {
    /// An association with this service account and session policy.
    Pods(&'static str, Option<&'static str>),
    /// An association with another role, this service account and session policy; `r` is its target role.
    Target(&'static str, Option<&'static str>),
    /// An association with a session policy and a target role. `r` is the first role.
    First(&'static str),
    /// A node group.
    NodeGroup,
    /// A worker policy, and an instance profile.
    WorkerPolicy,
    /// The parameter `NodeRoles`.
    Parameter,
    /// The cluster's OIDC provider in the trust policy.
    Oidc,
}
use Use::{First, NodeGroup, Oidc, Parameter, Pods, Target, WorkerPolicy};

fn association(name: &str) -> String {
    format!("arn:aws:eks:us-east-1:{ACCOUNT}:podidentityassociation/prod/a-{name}")
}

fn pods(name: &str, policy: Option<&str>) -> NodeKind {
    let session_policy =
        policy.map(|document| SessionPolicy { association_arn: association(name), document: document.to_owned() });
    NodeKind::PodIdentity { pods: format!("shop/{name}"), session_policy }
}

/// The role `r`, which may do everything to Amazon ECR, with these uses.
fn account(uses: &[Use], policy: &str) -> FakeAws {
    let aws = FakeAws::new().role("r", "AROAR").role("other", "AROAOTHER").inline("r", policy);
    let aws = ["r", "other"].iter().fold(aws, |aws, name| {
        aws.with_role(name, |role| {
            role.record.trust_policy = TRUST.to_owned();
            role.attached.clear();
        })
    });
    let aws = aws.with(|state| {
        state.policies.insert(WORKER.to_owned(), version("v1", r#"{"Version":"2012-10-17","Statement":[]}"#));
        let cluster = state.cluster("us-east-1", "prod");
        cluster.record.authentication = Authentication::Either;
        for made in uses {
            let kind = PartKind::PodIdentityAssociations;
            match *made {
                Pods(name, policy) => {
                    cluster.part(kind, name, &role_arn("r"), pods(name, policy));
                }
                Target(name, policy) => {
                    cluster.part(kind, name, &role_arn("other"), pods(name, None));
                    cluster.part(kind, name, &role_arn("r"), pods(name, policy));
                }
                First(name) => {
                    cluster.part(kind, name, &role_arn("r"), pods(name, None));
                    cluster.part(kind, name, &role_arn("other"), pods(name, Some(PULL)));
                }
                NodeGroup => {
                    let kind = NodeKind::NodeGroup("nodes".to_owned());
                    cluster.part(PartKind::NodeGroups, "nodes", &role_arn("r"), kind);
                }
                Oidc => cluster.record.oidc_issuer = Some(format!("https://{ISSUER}")),
                WorkerPolicy | Parameter => {}
            }
        }
    });
    if uses.iter().any(|one| matches!(one, WorkerPolicy)) {
        return aws.with_role("r", |role| {
            role.attached.push(WORKER.to_owned());
            role.instance_profiles.push("p".to_owned());
        });
    }
    aws
}

fn parameters(uses: &[Use], more: &Value) -> Value {
    let node_roles = if uses.iter().any(|one| matches!(one, Parameter)) { json!("r") } else { Value::Null };
    with(with(json!({ "IncludeServiceAccountRoles": "true" }), &json!({ "NodeRoles": node_roles })), more)
}

/// The events that evaluate `r`: its own, and the schedule.
fn payloads(uses: &[Use], more: &Value) -> [Value; 2] {
    let rule = json!({ "ruleParameters": parameters(uses, more).to_string() });
    [change(&role_item("r", "AROAR", TRUST)), scheduled()].map(|payload| with(payload, &rule))
}

/// The annotation of `r`, and of each entry of `sessions` in the evidence: `COMPLIANT a-app: shop/app + shop/web`, with `-`
/// without a session policy.
fn evaluated(aws: &FakeAws, payload: Value) -> (String, Vec<String>) {
    let outcome = run(aws, payload).unwrap();
    let answer = outcome.answers.iter().find(|answer| answer.evaluation.resource.id == "AROAR").unwrap();
    let role = answer.role().unwrap();
    assert_eq!(answer.evaluation.compliance, role.verdict().compliance);
    let evidence = serde_json::to_value(role.evidence()).unwrap();
    assert_eq!(evidence["compliance"], answer.evaluation.compliance.as_str());
    let entry = |entry: &Value| {
        let policy = entry["session_policy"].as_str().map_or("-", |arn| arn.rsplit('/').next().unwrap());
        let facts = entry["node_of"].as_array().unwrap().iter().map(|fact| fact.as_str().unwrap());
        let facts: Vec<&str> = facts.map(|fact| fact.split(" of cluster").next().unwrap()).collect();
        format!("{} {policy}: {}", entry["compliance"].as_str().unwrap(), facts.join(" + "))
    };
    let sessions = evidence.get("sessions").map(|entries| entries.as_array().unwrap().iter().map(entry).collect());
    (answer.evaluation.annotation.clone().unwrap(), sessions.unwrap_or_default())
}

struct Case {
    name: &'static str,
    uses: &'static [Use],
    /// How the annotation starts, and how it ends.
    annotation: (&'static str, &'static str),
    sessions: &'static [&'static str],
}

const CASES: [Case; 16] = [
    Case {
        name: "a session policy of pulls",
        uses: &[Pods("app", Some(PULL))],
        annotation: ("r can only read from Amazon ECR.", "Pod Identity shop/app of cluster prod, us-east-1."),
        sessions: &["COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "no session policy",
        uses: &[Pods("app", None)],
        annotation: (
            "r can call ecr:DeleteRegistryPolicy and 35 more",
            "Pod Identity shop/app of cluster prod, us-east-1.",
        ),
        sessions: &[],
    },
    Case {
        name: "a session policy that allows a push",
        uses: &[Pods("app", Some(PUSH))],
        annotation: (
            "r can call ecr:PutImage (own, statement 0).",
            "Pod Identity shop/app of cluster prod, us-east-1.",
        ),
        sessions: &["NON_COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "one association of two has a session policy",
        uses: &[Pods("app", Some(PULL)), Pods("web", None)],
        annotation: (
            "r can call ecr:DeleteRegistryPolicy and 35 more",
            "Pod Identity shop/web of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["NON_COMPLIANT -: Pod Identity shop/web", "COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "the worse excess of two session policies",
        uses: &[Pods("app", Some(TAG)), Pods("web", Some(PUSH))],
        annotation: ("r can call ecr:PutImage (own", "Pod Identity shop/web of cluster prod, us-east-1, and 1 more."),
        sessions: &["NON_COMPLIANT a-web: Pod Identity shop/web", "NON_COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "more excess of two session policies",
        uses: &[Pods("app", Some(PUSH)), Pods("web", Some(TAG_AND_PUSH))],
        annotation: (
            "r can call ecr:PutImage and 1 more",
            "Pod Identity shop/web of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["NON_COMPLIANT a-web: Pod Identity shop/web", "NON_COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "associations with the same session policy",
        uses: &[Pods("app", Some(PUSH)), Pods("web", Some(PUSH)), Pods("batch", Some(PULL))],
        annotation: ("r can call ecr:PutImage (own", "Pod Identity shop/app of cluster prod, us-east-1, and 2 more."),
        sessions: &[
            "NON_COMPLIANT a-app: Pod Identity shop/app + Pod Identity shop/web",
            "COMPLIANT a-batch: Pod Identity shop/batch",
        ],
    },
    Case {
        name: "a target role with a session policy",
        uses: &[Target("app", Some(PULL))],
        annotation: ("r can only read from Amazon ECR.", "Pod Identity shop/app of cluster prod, us-east-1."),
        sessions: &["COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "the first role of an association whose session policy limits the target role",
        uses: &[First("app")],
        annotation: (
            "r can call ecr:DeleteRegistryPolicy and 35 more",
            "Pod Identity shop/app of cluster prod, us-east-1.",
        ),
        sessions: &[],
    },
    Case {
        name: "a node group too",
        uses: &[NodeGroup, Pods("app", Some(PULL))],
        annotation: (
            "r can call ecr:DeleteRegistryPolicy and 35 more",
            "Node group nodes of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["NON_COMPLIANT -: node group nodes", "COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "self-managed nodes too",
        uses: &[WorkerPolicy, Pods("app", Some(PULL))],
        annotation: (
            "r can call ecr:DeleteRegistryPolicy and 35 more",
            "AmazonEKSWorkerNodePolicy on an instance profile of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &[
            "NON_COMPLIANT -: AmazonEKSWorkerNodePolicy on an instance profile",
            "COMPLIANT a-app: Pod Identity shop/app",
        ],
    },
    Case {
        name: "a service account by the cluster's OIDC provider too",
        uses: &[Oidc, Pods("app", Some(PULL))],
        annotation: (
            "r can call ecr:DeleteRegistryPolicy and 35 more",
            "OIDC provider of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["NON_COMPLIANT -: OIDC provider", "COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "named by the parameter too",
        uses: &[Parameter, Pods("app", Some(PULL))],
        annotation: ("r can call ecr:DeleteRegistryPolicy and 35 more", "Parameter NodeRoles, and 1 more."),
        sessions: &["NON_COMPLIANT -: parameter NodeRoles", "COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "not decided for one session policy",
        uses: &[Pods("app", Some(PULL)), Pods("web", Some(UNDECIDED))],
        annotation: (
            "r may be able to call ecr:PutImage: undecided within the budget.",
            "Pod Identity shop/web of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["NON_COMPLIANT a-web: Pod Identity shop/web", "COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "excess is worse than an undecided action",
        uses: &[Pods("app", Some(UNDECIDED)), Pods("web", Some(TAG))],
        annotation: (
            "r can call ecr:TagResource (own",
            "Pod Identity shop/web of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["NON_COMPLIANT a-web: Pod Identity shop/web", "NON_COMPLIANT a-app: Pod Identity shop/app"],
    },
    Case {
        name: "a session policy without Amazon ECR",
        uses: &[Pods("app", Some(PULL)), Pods("web", Some(NO_ECR))],
        annotation: (
            "r can only read from Amazon ECR. It cannot pull:",
            "Pod Identity shop/web of cluster prod, us-east-1, and 1 more.",
        ),
        sessions: &["COMPLIANT a-web: Pod Identity shop/web", "COMPLIANT a-app: Pod Identity shop/app"],
    },
];

#[test]
fn role_verdict_is_the_worst_of_its_uses() {
    for Case { name, uses, annotation: (start, end), sessions } in CASES {
        for payload in payloads(uses, &json!({})) {
            let (annotation, found) = evaluated(&account(uses, EVERYTHING), payload);
            assert!(annotation.starts_with(start) && annotation.ends_with(end), "{name}: {annotation}");
            assert_eq!(found, sessions, "{name}");
        }
    }
}

#[test]
fn undecided_session_counts_its_role_as_undecided() {
    let uses = [Pods("app", Some(UNDECIDED)), Pods("web", Some(TAG))];
    for payload in payloads(&uses, &json!({})) {
        assert_eq!(run(&account(&uses, EVERYTHING), payload).unwrap().undecided(), 1);
    }
}

#[test]
fn session_policy_that_blocks_a_pull_is_not_compliant_if_required() {
    let uses = [NodeGroup, Pods("app", Some(NO_ECR))];
    for payload in payloads(&uses, &json!({ "RequirePullAccess": "true" })) {
        let (annotation, _) = evaluated(&account(&uses, PULL), payload);
        assert!(annotation.starts_with("r cannot pull: no ecr:BatchGetImage"), "{annotation}");
        assert!(annotation.ends_with("Pod Identity shop/app of cluster prod, us-east-1, and 1 more."), "{annotation}");
    }
}

#[test]
fn malformed_session_policy_leaves_its_role_without_verdict() {
    let uses = [NodeGroup, Pods("app", Some(MALFORMED))];
    for payload in payloads(&uses, &json!({})) {
        let aws = account(&uses, EVERYTHING).node("other");
        let error = run(&aws, payload).unwrap_err();
        let expected = format!(
            "no verdict on role `r`: the session policy of the association `{}` could not be understood: \
             $.Statement[0].Effect",
            association("app")
        );
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(!aws.sent().iter().any(|sent| sent.starts_with("AROAR ")), "{:?}", aws.sent());
    }
}

#[test]
fn session_policy_counts_only_where_pods_are_included() {
    let uses = [Pods("app", Some(PULL))];
    let payload = with(change(&role_item("r", "AROAR", TRUST)), &json!({ "ruleParameters": "{}" }));
    let aws = account(&uses, EVERYTHING);
    run(&aws, payload).unwrap();
    assert_eq!(aws.sent(), ["AROAR NotApplicable"]);
    assert_eq!(aws.count("DescribePodIdentityAssociation"), 0);
}

#[test]
fn session_policies_cost_no_call_of_eks() {
    let uses = [Pods("app", Some(PULL)), Pods("web", Some(PUSH)), Target("batch", Some(PULL))];
    for payload in payloads(&uses, &json!({})) {
        let aws = account(&uses, EVERYTHING);
        run(&aws, payload).unwrap();
        assert_eq!((aws.count("ListPodIdentityAssociations"), aws.count("DescribePodIdentityAssociation")), (1, 3));
        assert_eq!(aws.count("ListRolePolicies r"), 1, "the role is read once");
    }
}

#[test]
fn session_with_a_policy_has_no_session_tags() {
    let by_tag = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*",
        "Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"build"}}}}"#;
    for (policy, expected) in [(None, "r can call ecr:PutImage"), (Some(EVERYTHING), "r can only read")] {
        let uses = [Pods("app", policy)];
        for payload in payloads(&uses, &json!({})) {
            let (annotation, _) = evaluated(&account(&uses, by_tag), payload);
            assert!(annotation.starts_with(expected), "{policy:?}: {annotation}");
        }
    }
}

#[test]
fn finding_names_the_session_policy() {
    let uses = [Pods("app", Some(PUSH)), Pods("web", Some(PULL))];
    let [_, payload] = payloads(&uses, &json!({ "SecurityHubFindings": "true" }));
    let aws = account(&uses, EVERYTHING);
    run(&aws, payload).unwrap();
    let finding = aws.finding("AROAR");
    assert_eq!(finding.product_fields["SessionPolicy"], association("app"));
    let granted = "Granted by policy own, statement 0; session policy a-app, statement 0.";
    assert!(finding.description.contains(granted), "{}", finding.description);
    assert!(
        finding.remediation.starts_with("Remove the actions outside the allowed access from policy own, statement 0.")
    );

    let [_, payload] = payloads(&uses, &json!({ "SecurityHubFindings": "true", "RequirePullAccess": "true" }));
    let aws = account(&[Pods("app", Some(NO_ECR))], PULL);
    run(&aws, payload).unwrap();
    let remediation = aws.finding("AROAR").remediation;
    let expected = "or change the Deny statement, the permissions boundary or the session policy that blocks the pull.";
    assert!(remediation.ends_with(expected), "{remediation}");
}
