//! Sends findings to AWS Security Hub: imports those of evaluated roles, and archives those that are out of date.
//!
//! Knows which findings are sent, and the limits of Security Hub's operations. The text of a finding is not its business.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use crate::access::NotApplicable;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::{OutOfScope, ROLE, Trigger};
use crate::rule::ports::error::PortErrorKind;
use crate::rule::ports::security_hub::{Finding, FindingSource, FindingStore};
use crate::rule::progress::Progress;
use crate::rule::report::Report;
use crate::rule::report::finding_text::finding_of;
use crate::rule::report::outcome::{Answer, Basis, FindingCounts};
use crate::rule::report::problem::{NO_ACCESS, NotImported};

/// The most findings that one call takes
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
const BATCH: usize = 100;

/// The most ids that GetFindings is asked for: a filter takes 20 values
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html>). With more, all findings
/// are read: GetFindings allows three calls a second, and a page holds a hundred findings.
const MAX_IDS: usize = 20;

/// How many times a finding is sent that Security Hub does not take.
const ATTEMPTS: usize = 4;

/// A finding's `UpdatedAt` can be this much ahead of this evaluation and still come from another one: as long as an
/// evaluation takes at most.
const MAX_AHEAD: Duration = Duration::minutes(15);

/// The codes of findings that would be refused every time.
const NOT_RETRYABLE: [&str; 2] = [NO_ACCESS, "InvalidInput"];

/// Sends the findings of an evaluation to Security Hub and counts them in the outcome. Does nothing if the rule sends no
/// findings, in test mode, and if AWS Config has not stored the answers. `at` is the time of the evaluation, `progress` shows the step that it is at.
///
/// - The finding of an evaluated role is imported, whether it passed or failed.
/// - The finding of a role without a verdict is archived. On an event that is the role of the event, on a schedule every
///   role that the evaluation did not answer about too.
/// - The finding of an unreadable role stays. On an event, so does that of a role that its trust policy rules out: there are
///   many such roles, and hardly one has a finding.
///
/// # Errors
/// Some findings were not imported. If the future is dropped before it ends, no finding counts as imported.
pub async fn send_findings(
    store: &impl FindingStore,
    invocation: &Invocation,
    report: &mut Report,
    progress: &Progress,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let is_test = invocation.result_token.asks_for_test_mode();
    match &invocation.finding_source {
        Some(source) if report.is_stored() && !is_test => send(store, source, invocation, report, progress, at).await,
        _ => Ok(()),
    }
}

async fn send(
    store: &impl FindingStore,
    source: &FindingSource,
    invocation: &Invocation,
    report: &mut Report,
    progress: &Progress,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let scheduled = invocation.trigger.is_all_roles();
    let (mut findings, without_verdict) = from_answers(source, invocation, report, at);
    findings.append(&mut report.outcome.stored.findings);
    let mut counts = FindingCounts::default();
    let ids: Vec<String> =
        findings.iter().map(|finding| finding.id.clone()).chain(without_verdict.keys().cloned()).collect();
    if !scheduled && ids.is_empty() {
        report.outcome.findings = Some(counts);
        return Ok(());
    }
    report.outcome.findings = Some(FindingCounts { not_imported: ids.len().max(1), ..counts });
    let only_ids = Some(ids.as_slice()).filter(|ids| !scheduled && ids.len() <= MAX_IDS);
    progress.begin("reading findings", None);
    let existing = match store.active_findings(source, only_ids).await {
        Ok(existing) => existing,
        // Many events at once are throttled, as when the rule is new. Findings of evaluated roles are imported all the same;
        // the next scheduled run archives the others.
        Err(cause) if !scheduled && cause.kind() == PortErrorKind::Throttled => {
            counts.left_to_schedule = without_verdict.len();
            Vec::new()
        }
        Err(cause) => return Err(NotImported::Unknown { cause }),
    };
    counts.imported = findings.len();
    let mut existing: BTreeMap<String, Finding> =
        existing.into_iter().map(|finding| (finding.id.clone(), finding)).collect();
    for finding in &mut findings {
        if let Some(existing) = existing.remove(&finding.id) {
            finding.created_at = existing.created_at;
            finding.updated_at = next_update(&existing, at);
        }
    }
    // If not all node roles are known, or not even the id of one could be read, any finding can be that role's.
    let archives_others =
        scheduled && report.knows_all_node_roles() && report.unreadable().all(|role| role.id.is_some());
    let unreadable: BTreeSet<String> =
        report.unreadable().filter_map(|role| role.id.as_deref()).map(|id| source.finding_id(id)).collect();
    let is_out_of_date = |finding: &Finding| {
        let until = match without_verdict.get(&finding.id) {
            Some(until) => *until,
            None if archives_others && !unreadable.contains(&finding.id) => at,
            None => return false,
        };
        finding.updated_at <= until || next_update(finding, at) > at
    };
    let archived = existing.into_values().filter(is_out_of_date);
    findings.extend(archived.map(|finding| Finding {
        archived: true,
        updated_at: next_update(&finding, at),
        ..finding
    }));
    counts.archived = findings.len() - counts.imported;
    progress.begin("importing findings", findings.len());
    let result = import(store, source, findings, progress).await;
    if let Err((_, lost)) = &result {
        let archived = lost.iter().filter(|finding| finding.archived).count();
        counts.archived -= archived;
        counts.imported -= lost.len() - archived;
        counts.not_imported = lost.len();
    }
    report.outcome.findings = Some(counts);
    result.map_err(|(problem, _)| problem)
}

/// The finding of an answer; `None` if the role has no verdict, or the rule sends no findings.
pub(in crate::rule) fn finding_of_answer(
    invocation: &Invocation,
    answer: &Answer,
    at: OffsetDateTime,
) -> Option<Finding> {
    let (source, role) = invocation.finding_source.as_ref().zip(answer.role())?;
    let sends = !invocation.result_token.asks_for_test_mode();
    let criteria = &invocation.parameters.criteria;
    sends.then(|| finding_of(source, &answer.evaluation.resource.id, role, criteria, at))
}

/// The findings of evaluated roles; and for roles without a verdict the ids of their findings, each with the time up to which
/// an earlier finding is out of date.
fn from_answers(
    source: &FindingSource,
    invocation: &Invocation,
    report: &Report,
    at: OffsetDateTime,
) -> (Vec<Finding>, BTreeMap<String, OffsetDateTime>) {
    let known_at = known_at(invocation, at);
    let (mut findings, mut without_verdict) = (Vec::new(), BTreeMap::new());
    for answer in &report.outcome.answers {
        let resource = &answer.evaluation.resource;
        if resource.resource_type != ROLE || report.outcome.left_to_schedule.contains(resource) {
            continue;
        }
        let out_of_date_until = match &answer.basis {
            Basis::Verdict(role) => {
                findings.push(finding_of(source, &resource.id, role, &invocation.parameters.criteria, at));
                continue;
            }
            Basis::NoVerdict(NotApplicable::TrustPolicy) if !invocation.trigger.is_all_roles() => continue,
            Basis::NoVerdict(_) => known_at,
            Basis::NoCluster { listed_at } => known_at.min(*listed_at),
        };
        without_verdict.insert(source.finding_id(&resource.id), out_of_date_until);
    }
    (findings, without_verdict)
}

/// The `UpdatedAt` of the next update of a finding: the time of the evaluation. Security Hub ignores an update that is not
/// newer than the finding. So a time that is too far ahead to come from another evaluation is exceeded by 1 ms.
fn next_update(existing: &Finding, at: OffsetDateTime) -> OffsetDateTime {
    if existing.updated_at > at + MAX_AHEAD { existing.updated_at + Duration::milliseconds(1) } else { at }
}

/// The time up to which this evaluation knows the state of a role without a verdict. A finding that is newer stays,
/// because events can arrive late or twice. A deleted role never comes back, and a scheduled run has just read everything.
fn known_at(invocation: &Invocation, at: OffsetDateTime) -> OffsetDateTime {
    match invocation.trigger {
        Trigger::AllRoles { .. } | Trigger::OutOfScope { reason: OutOfScope::Deleted, .. } => at,
        _ => invocation.notified_at,
    }
}

/// Imports the findings. Those that failed are sent again after all others, if that can help. The error brings the findings
/// that were not taken.
async fn import(
    store: &impl FindingStore,
    source: &FindingSource,
    mut pending: Vec<Finding>,
    progress: &Progress,
) -> Result<(), (NotImported, Vec<Finding>)> {
    let total = pending.len();
    let (mut refused, mut lost) = (Vec::new(), Vec::new());
    for attempt in 1..=ATTEMPTS {
        let mut again = Vec::new();
        for (index, batch) in pending.chunks(BATCH).enumerate() {
            match store.import_findings(source, batch).await {
                Ok(failed) => {
                    progress.advance(batch.len() - failed.len());
                    for failed in failed {
                        let finding = batch.iter().find(|finding| finding.id == failed.id).cloned();
                        if attempt == ATTEMPTS || NOT_RETRYABLE.contains(&failed.code.as_str()) {
                            lost.extend(finding);
                            refused.push(failed);
                        } else {
                            again.extend(finding);
                        }
                    }
                }
                Err(cause) => {
                    lost.extend(again);
                    lost.extend(pending.iter().skip(index * BATCH).cloned());
                    return Err((NotImported::Call { cause, left: lost.len(), total }, lost));
                }
            }
        }
        if again.is_empty() {
            break;
        }
        pending = again;
    }
    if lost.is_empty() { Ok(()) } else { Err((NotImported::Refused { failed: refused, total }, lost)) }
}
