//! What a finding says of a judged role: severity, title, description, remediation, further facts.
//!
//! Knows verdicts and how long Security Hub's texts may be
//! (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>). What is too long is cut with a
//! mark; lists tell how many more there are.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::access::catalogue::Level;
use crate::access::{Assumption, Criteria, GrantKind, Verdict, Witness};
use crate::policy::arn::Arn;
use crate::rule::ports::iam::role_name;
use crate::rule::ports::security_hub::{Finding, FindingSource, NOTHING_TO_CHANGE, Severity};
use crate::rule::report::outcome::EvaluatedRole;

const TITLE_CHARACTERS: usize = 256;
const DESCRIPTION_CHARACTERS: usize = 1024;
const REMEDIATION_CHARACTERS: usize = 512;
const FIELD_CHARACTERS: usize = 2048;

/// How much of a description one sentence may take, so that a long request leaves room for who grants it and whose node it is.
const SENTENCE_CHARACTERS: usize = 280;

/// What a text or a list ends with that is cut.
const MARK: char = '…';

const PULL_ONLY: &str = "AmazonEC2ContainerRegistryPullOnly";

/// What the benchmark asks for, of which there is no AWS managed policy.
const CIS_ONLY: &str = "a policy of your own that allows the four actions of the benchmark";

/// The finding of a role, by the role's unique id. `at` is the time of the evaluation.
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
        severity: severity(&role.verdict),
        compliance: role.verdict.compliance,
        remediation: cut(&remediation(role, criteria), REMEDIATION_CHARACTERS),
        role_arn: role.arn.clone(),
        product_fields: product_fields(source, role),
        created_at: at,
        updated_at: at,
        archived: false,
    }
}

/// The severity of the worst that there is.
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

fn title(role: &EvaluatedRole) -> String {
    let verdict = &role.verdict;
    let name = format!("EKS {} role {}", if of_pods(role) { "pod" } else { "node" }, role_name(&role.arn));
    if let Some(worst) = verdict.excess.first() {
        let more = more_actions(verdict.excess.len() - 1);
        let agrees = worst
            .witness
            .other_account
            .iter()
            .map(|account| format!(" if account {account} agrees"))
            .collect::<String>();
        format!("{name} can perform {}{more} on Amazon ECR beyond the allowed access{agrees}", worst.action)
    } else if let Some(first) = verdict.undecided_excess().first() {
        let more = more_actions(verdict.undecided_excess().len() - 1);
        format!("{name} may be able to perform {first}{more} on Amazon ECR: undecided within the budget")
    } else if verdict.cannot_pull() {
        format!("{name} cannot pull from Amazon ECR")
    } else {
        format!("{name} can do nothing to Amazon ECR beyond the allowed access")
    }
}

/// The most telling first: what comes last is what is cut.
fn description(role: &EvaluatedRole) -> String {
    let verdict = &role.verdict;
    let mut sentences = Vec::new();
    if let Some(worst) = verdict.excess.first() {
        let witness = &worst.witness;
        let context = if witness.context.is_empty() { String::new() } else { format!(" with {}", context(witness)) };
        sentences.push(format!("IAM would allow this request: {} on {}{context}.", worst.action, witness.resource));
        if let Some(account) = &witness.other_account {
            sentences.push(format!("A policy of account {account} has to allow it too."));
        }
        let grants: Vec<String> = witness.grants.iter().map(ToString::to_string).collect();
        sentences.push(format!("It is allowed by {}.", list(&grants, "; ", SENTENCE_CHARACTERS)));
        match verdict.excess.len() - 1 {
            0 => {}
            1 => sentences.push("1 more action beyond the allowed access is permitted.".to_owned()),
            more => sentences.push(format!("{more} more actions beyond the allowed access are permitted.")),
        }
    } else if verdict.undecided_excess().is_empty() {
        sentences.push("No request beyond the allowed access to Amazon ECR is possible.".to_owned());
    }
    let node_of: Vec<String> = role.node_of.iter().map(ToString::to_string).collect();
    if !node_of.is_empty() {
        sentences.push(format!("It is judged because of: {}.", list(&node_of, "; ", SENTENCE_CHARACTERS)));
    }
    if !verdict.undecided_excess().is_empty() {
        let undecided = list(verdict.undecided_excess(), ", ", SENTENCE_CHARACTERS);
        sentences.push(format!("Undecided within the budget: {undecided}."));
    }
    if !verdict.missing.is_empty() {
        sentences.push(format!("The role cannot pull: no {}.", verdict.missing.join(", ")));
    }
    let assumed = verdict.excess.first().map_or(&[][..], |worst| &worst.witness.assumed);
    if !assumed.is_empty() {
        let assumed: Vec<String> = assumed.iter().map(assumption).collect();
        let assumed = list(&assumed, "; ", SENTENCE_CHARACTERS);
        sentences.push(format!("Taken for granted where AWS's documentation leaves two readings: {assumed}."));
    }
    sentences.iter().map(|sentence| cut(sentence, SENTENCE_CHARACTERS)).collect::<Vec<_>>().join(" ")
}

fn remediation(role: &EvaluatedRole, criteria: &Criteria) -> String {
    let verdict = &role.verdict;
    let pull_only = if criteria.allows_pull_only_policy() { PULL_ONLY } else { CIS_ONLY };
    let mut sentences = Vec::new();
    if !verdict.excess.is_empty() {
        // Those of AWS cannot be changed, only be replaced.
        let (mut own, mut of_aws) = (Vec::new(), Vec::new());
        for grant in verdict.excess.iter().flat_map(|access| &access.witness.grants) {
            let (texts, text) = match Arn::parse(&grant.policy).and_then(|arn| arn.aws_managed_policy()) {
                _ if grant.kind == GrantKind::Boundary => continue,
                Some(path) => (&mut of_aws, path.rsplit('/').next().unwrap_or(path).to_owned()),
                None => (&mut own, grant.to_string()),
            };
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        if !own.is_empty() {
            let own = list(&own, "; ", SENTENCE_CHARACTERS);
            sentences.push(format!("Take what goes beyond the allowed access out of {own}."));
        }
        if !of_aws.is_empty() {
            let of_aws = list(&of_aws, ", ", SENTENCE_CHARACTERS);
            sentences.push(format!("Put {pull_only} in the place of {of_aws}."));
        }
        if !of_pods(role) {
            sentences.push("Pods that need more get a role of their own, as by EKS Pod Identity.".to_owned());
        }
    }
    if !verdict.undecided_excess().is_empty() {
        sentences
            .push("Make the policies simpler: with fewer wildcards and policy variables it can be decided.".to_owned());
    }
    if verdict.cannot_pull() {
        sentences.push(format!("Attach {pull_only}, or look for the Deny or the boundary that outweighs it."));
    }
    if sentences.is_empty() {
        sentences.push(NOTHING_TO_CHANGE.to_owned());
    }
    sentences.join(" ")
}

/// Facts for programs and for readers who want all: those of the worst request, then lists.
fn product_fields(source: &FindingSource, role: &EvaluatedRole) -> BTreeMap<String, String> {
    let verdict = &role.verdict;
    let texts = |items: &mut dyn Iterator<Item = String>, separator| {
        list(&items.collect::<Vec<_>>(), separator, FIELD_CHARACTERS)
    };
    let mut fields = vec![
        ("ConfigRuleName", source.rule_name.clone()),
        ("ConfigRuleArn", source.rule_arn.clone()),
        ("NodeOf", texts(&mut role.node_of.iter().map(ToString::to_string), "; ")),
        ("ExcessActions", texts(&mut verdict.excess.iter().map(|access| access.action.clone()), ", ")),
        ("UndecidedActions", texts(&mut verdict.undecided.iter().cloned(), ", ")),
        ("MissingActions", verdict.missing.join(", ")),
    ];
    if let Some(worst) = verdict.excess.first() {
        let witness = &worst.witness;
        fields.extend([
            ("Action", worst.action.clone()),
            ("AccessLevel", worst.access_level.as_str().to_owned()),
            ("Resource", witness.resource.clone()),
            ("Context", context(witness)),
            ("Grants", texts(&mut witness.grants.iter().map(ToString::to_string), "; ")),
            ("OtherAccount", witness.other_account.clone().unwrap_or_default()),
            ("Assumed", texts(&mut witness.assumed.iter().map(assumption), "; ")),
        ]);
    }
    // An empty text is no value to Security Hub.
    let told = fields.into_iter().filter(|(_, value)| !value.trim().is_empty());
    told.map(|(name, value)| (name.to_owned(), cut(&value, FIELD_CHARACTERS))).collect()
}

fn of_pods(role: &EvaluatedRole) -> bool {
    !role.node_of.is_empty() && role.node_of.iter().all(|fact| fact.kind.of_pods())
}

fn more_actions(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " and 1 more action".to_owned(),
        more => format!(" and {more} more actions"),
    }
}

/// The keys that a request needs, with their values.
fn context(witness: &Witness) -> String {
    let key = |(key, values): (&String, &Vec<String>)| format!("{key} = {}", values.join(", "));
    list(&witness.context.iter().map(key).collect::<Vec<_>>(), "; ", FIELD_CHARACTERS)
}

fn assumption(assumed: &Assumption) -> String {
    format!("{} {}", assumed.statement, if assumed.matches { "matches" } else { "does not match" })
}

/// The text, of no more characters than that.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push(MARK);
    cut
}

/// As many items as there is room for, and how many more there are.
fn list(items: &[String], separator: &str, most: usize) -> String {
    /// For ` and 123456 more`.
    const ROOM_FOR_MORE: usize = 16;
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
