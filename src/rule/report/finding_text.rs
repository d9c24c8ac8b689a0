//! The text of a finding: severity, title, description, remediation, and product fields.
//!
//! Texts keep to the limits of Security Hub
//! (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>). A text that is too long ends with
//! `…`, a list that is too long with `and 3 more`.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::access::catalogue::Level;
use crate::access::{Annotation, Assumption, Criteria, Grant, GrantKind, NotApplicable, Verdict, Witness};
use crate::policy::arn::Arn;
use crate::rule::ports::iam::role_name;
use crate::rule::ports::security_hub::{Finding, FindingSource, NOTHING_TO_CHANGE, Severity};
use crate::rule::report::outcome::EvaluatedRole;

const TITLE_CHARACTERS: usize = 256;
const DESCRIPTION_CHARACTERS: usize = 1024;
const REMEDIATION_CHARACTERS: usize = 512;
const FIELD_CHARACTERS: usize = 2048;

/// The most characters of one sentence of a description, so that a long request leaves room for the sentences after it.
const SENTENCE_CHARACTERS: usize = 280;

/// The end of a text that was cut.
const ELLIPSIS: char = '…';

/// The AWS managed policy that replaces others.
const PULL_ONLY: &str = "AmazonEC2ContainerRegistryPullOnly";

/// The replacement where [`PULL_ONLY`] exceeds the allowed access. AWS has no managed policy for it.
const CIS_ONLY: &str = "a policy that allows only the four actions of CIS 5.1.3";

/// The finding of a role with this unique id. `at` is the time of the evaluation.
pub(in crate::rule) fn finding_of(
    source: &FindingSource,
    role_id: &str,
    role: &EvaluatedRole,
    criteria: &Criteria,
    at: OffsetDateTime,
) -> Finding {
    Finding {
        id: source.finding_id(role_id),
        title: cut(&title(role), TITLE_CHARACTERS),
        description: cut(&description(role), DESCRIPTION_CHARACTERS),
        severity: severity(role.verdict()),
        compliance: role.verdict().compliance,
        remediation: cut(&remediation(role, criteria), REMEDIATION_CHARACTERS),
        role_arn: role.arn.clone(),
        product_fields: product_fields(source, role),
        created_at: at,
        updated_at: at,
        archived: false,
    }
}

/// The finding as it is archived at `updated_at`. If its role is exempt, the text begins with the exemption.
pub(in crate::rule) fn archived(
    finding: Finding,
    exemption: Option<NotApplicable>,
    updated_at: OffsetDateTime,
) -> Finding {
    let description = match exemption {
        Some(reason) => {
            let exempt = Annotation::not_applicable(Some(role_name(&finding.role_arn)), reason).headline();
            cut(&format!("{exempt}. {}", finding.description), DESCRIPTION_CHARACTERS)
        }
        None => finding.description,
    };
    Finding { description, updated_at, archived: true, ..finding }
}

/// The severity of the worst issue.
fn severity(verdict: &Verdict) -> Severity {
    let excess = verdict.excess.iter().map(|access| match access.access_level {
        Level::PermissionsManagement => Severity::Critical,
        Level::Write | Level::Unknown => Severity::High,
        Level::Tagging => Severity::Medium,
        Level::Read | Level::List => Severity::Low,
    });
    let undecided = (!verdict.undecided_excess().is_empty()).then_some(Severity::Medium);
    let cannot_pull = verdict.cannot_pull().then_some(Severity::Low);
    excess.chain(undecided).chain(cannot_pull).max().unwrap_or(Severity::Informational)
}

/// Role name and result, as in the annotation: `shop-build-node can call ecr:PutImage and 3 more actions`.
fn title(role: &EvaluatedRole) -> String {
    Annotation::of_verdict(role.verdict(), role_name(&role.arn), &[]).headline()
}

/// The most important sentences come first, because the end is cut.
fn description(role: &EvaluatedRole) -> String {
    let verdict = role.verdict();
    let mut sentences = Vec::new();
    if let Some(worst) = verdict.excess.first() {
        let witness = &worst.witness;
        let context = if witness.context.is_empty() { String::new() } else { format!(" with {}", context(witness)) };
        sentences.push(format!("IAM allows this request: {} on {}{context}.", worst.action, witness.resource));
        if let Some(account) = &witness.other_account {
            sentences.push(format!("A policy of account {account} must allow it too."));
        }
        let grants = witness.grants.iter().map(ToString::to_string);
        sentences.push(format!("Granted by {}.", list(grants, "; ", SENTENCE_CHARACTERS)));
        match verdict.excess.len() - 1 {
            0 => {}
            1 => sentences.push("The role can call 1 more action outside the allowed access.".to_owned()),
            more => sentences.push(format!("The role can call {more} more actions outside the allowed access.")),
        }
    } else if verdict.undecided_excess().is_empty() {
        sentences.push("The role can call no action outside the allowed access.".to_owned());
    }
    let facts = list(role.node_of().map(ToString::to_string), "; ", SENTENCE_CHARACTERS);
    sentences.push(format!("The role is evaluated because of: {facts}."));
    if !verdict.undecided_excess().is_empty() {
        let undecided = list(verdict.undecided_excess().iter().cloned(), ", ", SENTENCE_CHARACTERS);
        sentences.push(format!("Undecided within the budget: {undecided}."));
    }
    if !verdict.missing.is_empty() {
        sentences.push(format!("The role cannot pull: no {}.", verdict.missing.join(", ")));
    }
    let assumptions = verdict.excess.first().map_or(&[][..], |worst| &worst.witness.assumed);
    let (of_statements, of_context): (Vec<_>, Vec<_>) =
        assumptions.iter().partition(|assumption| matches!(assumption, Assumption::Statement { .. }));
    sentences.extend(of_context.into_iter().map(|assumption| format!("This is assumed: {assumption}")));
    if !of_statements.is_empty() {
        let of_statements = list(of_statements.into_iter().map(assumption), "; ", SENTENCE_CHARACTERS);
        sentences.push(format!("AWS does not document it, so this is assumed: {of_statements}."));
    }
    let remarks = list(role.remarks(), "; ", SENTENCE_CHARACTERS);
    if !remarks.is_empty() {
        sentences.push(format!("Remarks: {remarks}."));
    }
    sentences.iter().map(|sentence| cut(sentence, SENTENCE_CHARACTERS)).collect::<Vec<_>>().join(" ")
}

fn remediation(role: &EvaluatedRole, criteria: &Criteria) -> String {
    let verdict = role.verdict();
    let replacement = if criteria.allows_pull_only_policy() { PULL_ONLY } else { CIS_ONLY };
    let mut sentences = Vec::new();
    if !verdict.excess.is_empty() {
        let (to_edit, to_replace) = granting(verdict);
        if !to_edit.is_empty() {
            let statements = list(to_edit.into_iter(), "; ", SENTENCE_CHARACTERS);
            sentences.push(format!("Remove the actions outside the allowed access from {statements}."));
        }
        if !to_replace.is_empty() {
            let policies = list(to_replace.into_iter(), ", ", SENTENCE_CHARACTERS);
            sentences.push(format!("Replace {policies} with {replacement}."));
        }
        if !is_of_pods(role) {
            sentences
                .push("Give pods that need more access their own role, for example with EKS Pod Identity.".to_owned());
        }
    }
    if !verdict.undecided_excess().is_empty() {
        sentences.push("Simplify the policies: use fewer wildcards and policy variables.".to_owned());
    }
    if verdict.cannot_pull() {
        let limits = match role.worst.session_policy {
            Some(_) => "the Deny statement, the permissions boundary or the session policy",
            None => "the Deny statement or the permissions boundary",
        };
        sentences.push(format!("Attach {replacement}, or change {limits} that blocks the pull."));
    }
    if sentences.is_empty() {
        sentences.push(NOTHING_TO_CHANGE.to_owned());
    }
    sentences.join(" ")
}

/// The statements of the account's own policies that grant excess, and the AWS managed policies that do, which nobody can
/// edit. Each once.
fn granting(verdict: &Verdict) -> (Vec<String>, Vec<String>) {
    let (mut to_edit, mut to_replace) = (Vec::new(), Vec::new());
    for grant in verdict.excess.iter().flat_map(|access| &access.witness.grants) {
        let (texts, text) = match Arn::parse(&grant.policy).and_then(|arn| arn.aws_managed_policy()) {
            _ if grant.kind.only_limits() => continue,
            Some(path) => (&mut to_replace, path.rsplit('/').next().unwrap_or(path).to_owned()),
            None => (&mut to_edit, grant.to_string()),
        };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    (to_edit, to_replace)
}

/// Facts for programs: those of the worst request, and the complete lists. A field without a value is left out, because
/// Security Hub refuses empty values.
fn product_fields(source: &FindingSource, role: &EvaluatedRole) -> BTreeMap<String, String> {
    let verdict = role.verdict();
    let excess = verdict.excess.iter().map(|access| access.action.clone());
    let mut fields = vec![
        ("ConfigRuleName", source.rule_name.clone()),
        ("ConfigRuleArn", source.rule_arn.clone()),
        ("NodeOf", list(role.node_of().map(ToString::to_string), "; ", FIELD_CHARACTERS)),
        ("SessionPolicy", role.worst.session_policy.clone().unwrap_or_default()),
        ("ExcessActions", list(excess, ", ", FIELD_CHARACTERS)),
        ("UndecidedActions", list(verdict.undecided.iter().cloned(), ", ", FIELD_CHARACTERS)),
        ("MissingActions", verdict.missing.join(", ")),
        ("Remarks", list(role.remarks(), "; ", FIELD_CHARACTERS)),
    ];
    if let Some(worst) = verdict.excess.first() {
        let witness = &worst.witness;
        fields.extend([
            ("Action", worst.action.clone()),
            ("AccessLevel", worst.access_level.as_str().to_owned()),
            ("Resource", witness.resource.clone()),
            ("Context", context(witness)),
            ("Grants", list(witness.grants.iter().map(with_arn), "; ", FIELD_CHARACTERS)),
            ("OtherAccount", witness.other_account.clone().unwrap_or_default()),
            ("Assumed", list(witness.assumed.iter().map(assumption), "; ", FIELD_CHARACTERS)),
        ]);
    }
    let with_value = fields.into_iter().filter(|(_, value)| !value.trim().is_empty());
    with_value.map(|(name, value)| (name.to_owned(), cut(&value, FIELD_CHARACTERS))).collect()
}

/// Whether only pods use the role.
fn is_of_pods(role: &EvaluatedRole) -> bool {
    role.node_of().all(|fact| fact.kind.of_pods())
}

/// The context keys that the request needs, with their values.
fn context(witness: &Witness) -> String {
    let key = |(key, values): (&String, &Vec<String>)| format!("{key} = {}", values.join(", "));
    list(witness.context.iter().map(key), "; ", FIELD_CHARACTERS)
}

/// The statement, and the ARN of a managed policy: a program that reads the field needs it.
fn with_arn(grant: &Grant) -> String {
    match grant.kind {
        GrantKind::Inline => grant.to_string(),
        GrantKind::Managed | GrantKind::Boundary | GrantKind::Session => format!("{grant} ({})", grant.policy),
    }
}

fn assumption(assumption: &Assumption) -> String {
    match assumption {
        Assumption::Statement { statement, matches } => {
            format!("{} {}", with_arn(statement), if *matches { "matches" } else { "does not match" })
        }
        Assumption::Context { .. } => assumption.to_string(),
    }
}

/// The text in at most `most` characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push(ELLIPSIS);
    cut
}

/// The first items in at most `most` characters, and how many more there are.
fn list(items: impl Iterator<Item = String>, separator: &str, most: usize) -> String {
    /// The length of ` and 123456 more`.
    const ROOM_FOR_MORE: usize = 16;
    let items: Vec<String> = items.collect();
    let mut text = String::new();
    for (index, item) in items.iter().enumerate() {
        let left = items.len() - index;
        let room = if left == 1 { most } else { most.saturating_sub(ROOM_FOR_MORE) };
        let separator = if index == 0 { "" } else { separator };
        let longer = format!("{text}{separator}{item}");
        if longer.chars().count() > room {
            return match index {
                0 if left == 1 => cut(item, room),
                0 => format!("{} and {} more", cut(item, room), left - 1),
                _ => format!("{text} and {left} more"),
            };
        }
        text = longer;
    }
    text
}
