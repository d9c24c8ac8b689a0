//! Verdicts on single roles, as data. Every file in `tests/cases/` is a list of cases. A case has a `name`, the page of the
//! documentation that supports it (`because`), the role's policies, and the expected verdict.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ecr_read_only::access::{
    AllowedAccess, Annotation, Assumption, Compliance, Criteria, Policy, PolicySource, Role, Verdict, judge,
};
use ecr_read_only::policy::tag::Tag;
use ecr_read_only::policy::{Document, TrustPolicy};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    because: String,
    role: GivenRole,
    #[serde(default)]
    criteria: GivenCriteria,
    expect: Expected,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenRole {
    /// The trust policy; by default EC2 can assume the role.
    trust: Option<Value>,
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The documents of the inline policies `inline-0`, `inline-1` and so on.
    policies: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Value>,
    /// The time of the evaluation; by default 2026-11-23T00:00:00Z.
    at: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct GivenCriteria {
    allowed_access: Option<String>,
    additional: Vec<String>,
    require_pull_access: bool,
}

/// The expected verdict. A member that is left out is not compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    compliance: Option<String>,
    /// The actions of `excess`, in order.
    excess: Option<Vec<String>>,
    #[serde(default)]
    permits: Vec<String>,
    #[serde(default)]
    refuses: Vec<String>,
    missing: Option<Vec<String>>,
    undecided: Option<Vec<String>>,
    /// The witness's resource, by action.
    #[serde(default)]
    resource: BTreeMap<String, String>,
    /// The witness's context, by action.
    #[serde(default)]
    context: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The granting statements, such as `inline-0#1`, by action.
    #[serde(default)]
    grants: BTreeMap<String, Vec<String>>,
    /// The assumptions, such as `policy inline-0, statement 1, matches` and `aws:ViaAWSService = true`, by action.
    #[serde(default)]
    assumed: BTreeMap<String, Vec<String>>,
    annotation: Option<String>,
    /// The remarks as `inline-0#0 kind: text`.
    remarks: Option<Vec<String>>,
    /// The error of a malformed document.
    error: Option<String>,
}

fn role(given: &GivenRole) -> Result<Role, String> {
    let document = |value: &Value| {
        // A string is a document's text, percent-encoded or plain; anything else is the document itself.
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Document::parse(&text).map(Arc::new).map_err(|error| error.to_string())
    };
    let trust = given.trust.as_ref().map_or_else(
        || r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#.to_owned(),
        Value::to_string,
    );
    let mut policies = Vec::new();
    for (i, value) in given.policies.iter().enumerate() {
        policies.push(Policy { source: PolicySource::Inline(format!("inline-{i}")), document: document(value)? });
    }
    let boundary = PolicySource::Managed("arn:aws:iam::123456789012:policy/boundary".to_owned());
    let session =
        PolicySource::Association("arn:aws:eks:us-east-1:123456789012:podidentityassociation/c/session".to_owned());
    let limit = |given: &Option<Value>, source| match given {
        Some(value) => Ok(Some(Policy { source, document: document(value)? })),
        None => Ok::<_, String>(None),
    };
    Ok(Role {
        arn: given.arn.clone().unwrap_or_else(|| "arn:aws:iam::123456789012:role/node".to_owned()),
        id: "AROAEXAMPLEEXAMPLE123".to_owned(),
        trust_policy: TrustPolicy::parse(&trust).map_err(|error| error.to_string())?,
        tags: given.tags.iter().map(|(key, value)| Tag::new(key, value)).collect(),
        policies,
        permissions_boundary: limit(&given.boundary, boundary)?,
        session_policy: limit(&given.session, session)?,
    })
}

fn criteria(given: &GivenCriteria) -> Criteria {
    Criteria {
        allowed_access: match given.allowed_access.as_deref() {
            None | Some("read-only") => AllowedAccess::ReadOnly,
            Some("pull-only") => AllowedAccess::PullOnly,
            Some("cis") => AllowedAccess::Cis,
            Some(other) => panic!("no allowed access {other}"),
        },
        additional_allowed_actions: given.additional.clone(),
        require_pull_access: given.require_pull_access,
    }
}

fn actions(accesses: &[ecr_read_only::access::Access]) -> Vec<&str> {
    accesses.iter().map(|access| access.action.as_str()).collect()
}

/// The differences between the verdict and the expected one.
fn differences(expected: &Expected, verdict: &Verdict) -> Vec<String> {
    let mut out = Vec::new();
    let mut differ = |what: &str, expected: String, found: String| {
        if expected != found {
            out.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    if let Some(compliance) = &expected.compliance {
        let found = if verdict.compliance == Compliance::Compliant { "COMPLIANT" } else { "NON_COMPLIANT" };
        differ("compliance", compliance.clone(), found.to_owned());
    }
    if let Some(excess) = &expected.excess {
        differ("excess", format!("{excess:?}"), format!("{:?}", actions(&verdict.excess)));
    }
    if let Some(missing) = &expected.missing {
        differ("missing", format!("{missing:?}"), format!("{:?}", verdict.missing));
    }
    let undecided = expected.undecided.clone().unwrap_or_default();
    differ("undecided", format!("{undecided:?}"), format!("{:?}", verdict.undecided));
    if let Some(annotation) = &expected.annotation {
        differ(
            "annotation",
            annotation.clone(),
            Annotation::of_verdict(verdict, "node", &["node group n of cluster c".to_owned()]).to_string(),
        );
    }
    if let Some(remarks) = &expected.remarks {
        let kind = |kind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned();
        let found = verdict.remarks.iter().map(|remark| {
            let policy = remark.policy.rsplit('/').next().unwrap();
            format!("{policy}#{} {}: {}", remark.statement, kind(remark.kind), remark.text)
        });
        differ("remarks", format!("{remarks:#?}"), format!("{:#?}", found.collect::<Vec<_>>()));
    }
    let permitted = |action: &str| verdict.permitted.iter().find(|access| access.action == action);
    for action in &expected.permits {
        differ(
            action,
            "permitted".to_owned(),
            if permitted(action).is_some() { "permitted" } else { "refused" }.to_owned(),
        );
    }
    for action in &expected.refuses {
        let found = permitted(action).map_or_else(|| "refused".to_owned(), |access| format!("{access:?}"));
        differ(action, "refused".to_owned(), found);
    }
    for (action, resource) in &expected.resource {
        let found = permitted(action).map_or("refused", |access| &access.witness.resource);
        differ(&format!("resource of {action}"), resource.clone(), found.to_owned());
    }
    for (action, context) in &expected.context {
        let found = permitted(action).map(|access| access.witness.context.clone());
        differ(&format!("context of {action}"), format!("{:?}", Some(context)), format!("{found:?}"));
    }
    for (action, grants) in &expected.grants {
        let found = permitted(action).map(|access| {
            let grants = access.witness.grants.iter();
            grants.map(|g| format!("{}#{}", g.policy.rsplit('/').next().unwrap(), g.statement)).collect::<Vec<_>>()
        });
        differ(&format!("grants of {action}"), format!("{:?}", Some(grants)), format!("{found:?}"));
    }
    for (action, assumed) in &expected.assumed {
        let text = |one: &Assumption| match one {
            Assumption::Statement { .. } => one.to_string(),
            Assumption::Context { key, value, .. } => format!("{key} = {value}"),
        };
        let found = permitted(action).map(|access| access.witness.assumed.iter().map(text).collect::<Vec<_>>());
        differ(&format!("assumptions of {action}"), format!("{:?}", Some(assumed)), format!("{found:?}"));
    }
    out
}

fn check(case: &Case) -> Vec<String> {
    let at = case.role.at.as_deref().unwrap_or("2026-11-23T00:00:00Z");
    let at = OffsetDateTime::parse(at, &Rfc3339).expect("the case's instant");
    match (role(&case.role), &case.expect.error) {
        (Err(found), Some(expected)) if found == *expected => Vec::new(),
        (Err(found), expected) => vec![format!("error: expected {expected:?}, found {found}")],
        (Ok(_), Some(expected)) => vec![format!("error: expected {expected}, found none")],
        (Ok(role), None) => differences(&case.expect, &judge(&role, &criteria(&case.criteria), at)),
    }
}

#[test]
fn case_verdicts_are_as_expected() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut count, mut failures) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let cases: Vec<Case> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for case in &cases {
            count += 1;
            for difference in check(case) {
                failures.push(format!("{}\n    {difference}\n    because {}", case.name, case.because));
            }
        }
    }
    println!("{count} cases");
    assert!(failures.is_empty(), "{} of {count} cases differ:\n{}", failures.len(), failures.join("\n"));
}
