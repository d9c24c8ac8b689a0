//! Sends findings to AWS Security Hub: imports those of evaluated roles, and archives those that are out of date.
//!
//! Knows which findings are sent, and the limits of Security Hub's operations. The text of a finding is not its business.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use time::{Duration, OffsetDateTime};

use crate::access::NotApplicable;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::ROLE;
use crate::rule::ports::config::{ComplianceStore, Evaluation, ResourceId};
use crate::rule::ports::error::{PortError, PortErrorKind};
use crate::rule::ports::iam::role_name;
use crate::rule::ports::security_hub::{Finding, FindingSource, FindingStore, HeldFinding};
use crate::rule::progress::Progress;
use crate::rule::report::Report;
use crate::rule::report::finding_text::{archived, finding_of};
use crate::rule::report::outcome::{Answer, Basis, ExemptRole, FindingCounts};
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

/// An unchanged finding is imported again when its `UpdatedAt` is this old, or more than [`MAX_AHEAD`] in the future. Security
/// Hub deletes findings that are not updated for 90 days, and announces every import on EventBridge
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings.html>).
const RENEWED_AFTER: Duration = Duration::days(7);

/// The codes of findings that would be refused every time.
const NOT_RETRYABLE: [&str; 2] = [NO_ACCESS, "InvalidInput"];

/// Sends the findings of an evaluation to Security Hub and counts them in the outcome. Does nothing if the rule sends no
/// findings, in test mode, and if AWS Config has not stored the answers. `at` is the time of the evaluation; `progress` shows
/// its current step.
///
/// - The finding of an evaluated role is imported, whether it passed or failed, if Security Hub holds another one or none. An
///   unchanged finding is renewed every 7 days, and each time that its `UpdatedAt` is in the future.
/// - A scheduled run archives the finding of a role that it did not evaluate, if AWS Config showed no verdict on the role
///   before the run, and shows none just before the finding is archived. So the verdict is cleared first, and the next
///   scheduled run archives the finding. An event archives nothing.
/// - The finding of an unreadable role stays.
///
/// INVARIANT: nothing is archived because of the event alone. Anybody who may invoke the function can name this rule in an
/// event, with parameters that exempt every role, and with the result token of another rule. AWS Config stores the verdicts
/// of that event under the other rule. So what it shows for this rule decides.
///
/// # Errors
/// Some findings were not imported. If the future is dropped before it ends, no finding counts as imported.
pub async fn send_findings(
    store: &impl FindingStore,
    verdicts: &impl ComplianceStore,
    invocation: &Invocation,
    report: &mut Report,
    progress: &Progress,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let is_test = invocation.result_token.asks_for_test_mode();
    match &invocation.finding_source {
        Some(source) if report.is_stored() && !is_test => {
            send(store, verdicts, source, invocation, report, progress, at).await
        }
        _ => Ok(()),
    }
}

async fn send(
    store: &impl FindingStore,
    verdicts: &impl ComplianceStore,
    source: &FindingSource,
    invocation: &Invocation,
    report: &mut Report,
    progress: &Progress,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let scheduled = invocation.trigger.is_all_roles();
    let judged = answers(report).filter_map(|answer| finding_of_answer(invocation, answer, at));
    let mut findings: Vec<Finding> = judged.collect();
    findings.append(&mut report.outcome.stored.findings);
    let mut counts = FindingCounts::default();
    if !scheduled {
        counts.left_to_schedule = answers(report).filter(may_have_finding).count();
        if findings.is_empty() {
            report.outcome.findings = Some(counts);
            return Ok(());
        }
    }
    report.outcome.findings = Some(FindingCounts { not_imported: findings.len().max(1), ..counts });
    let ids: Vec<String> = findings.iter().map(|finding| finding.id.clone()).collect();
    let only_ids = Some(ids.as_slice()).filter(|ids| !scheduled && ids.len() <= MAX_IDS);
    let kept = kept(report, &findings, scheduled);
    progress.begin("reading findings", None);
    let mut held = match held(store, source, only_ids, kept.as_ref(), !scheduled).await {
        Ok(held) => held,
        // Many events at once are throttled, as when the rule is new. Findings of evaluated roles are imported all the same.
        Err(cause) if !scheduled && cause.kind() == PortErrorKind::Throttled => BTreeMap::new(),
        Err(cause) => return Err(NotImported::Unknown { cause }),
    };
    findings.retain_mut(|finding| held.remove(&finding.id).is_none_or(|held| held.is_replaced_by(finding, at)));
    counts.imported = findings.len();
    counts.unchanged = ids.len() - findings.len();
    if scheduled {
        let answered: BTreeSet<&str> = report.outcome.answered().collect();
        let left = |held: &&Held| held.whole.is_none() && answered.contains(held.role_id.as_str());
        counts.left_to_schedule = held.values().filter(left).count();
    }
    let outdated = held.into_values().filter_map(|held| held.whole);
    let outdated = outdated.filter(|finding| finding.updated_at <= at || next_update(finding.updated_at, at) > at);
    let mut outdated: Vec<Box<Finding>> = outdated.collect();
    let mut not_archived = None;
    if !outdated.is_empty() {
        // An event can have stored a verdict in the meantime. It does not import a finding that stays the same.
        progress.begin("reading verdicts again", None);
        match verdicts.reported(&source.rule_name).await {
            Ok(reported) => {
                let reported = reported.into_iter().map(|one| one.resource.id).collect();
                outdated.retain(|finding| is_archivable(finding, source, &reported));
            }
            Err(cause) => {
                let left = std::mem::take(&mut outdated).len();
                not_archived = Some((cause, left));
            }
        }
    }
    let exempt = &report.outcome.exempt;
    let by_id: BTreeMap<&str, &ExemptRole> =
        exempt.values().filter_map(|role| Some((role.id.as_deref()?, role))).collect();
    findings.extend(outdated.into_iter().map(|finding| {
        let exemption = match by_id.get(finding.role_id()) {
            Some(role) => Some(role.reason.clone()),
            None => exempt_by_name(invocation, &finding.role_arn),
        };
        let updated_at = next_update(finding.updated_at, at);
        archived(*finding, exemption, updated_at)
    }));
    counts.archived = findings.len() - counts.imported;
    progress.begin("importing findings", findings.len());
    let total = findings.len();
    let result = import(store, source, findings, progress).await;
    if let Err((_, lost)) = &result {
        let archived = lost.iter().filter(|finding| finding.archived).count();
        counts.archived -= archived;
        counts.imported -= lost.len() - archived;
        counts.not_imported = lost.len();
    }
    if let Some((_, left)) = &not_archived {
        counts.not_imported += left;
    }
    report.outcome.findings = Some(counts);
    result.map_err(|(problem, _)| problem)?;
    match not_archived {
        Some((cause, left)) => Err(NotImported::Call { cause, left, total: total + left }),
        None => Ok(()),
    }
}

/// The exemption of a role by `ExemptRoles`. A schedule does not read such a role, so its id is not known.
fn exempt_by_name(invocation: &Invocation, role_arn: &str) -> Option<NotApplicable> {
    let is_exempt = invocation.parameters.exempt_roles.matches(role_name(role_arn), Some(role_arn));
    is_exempt.then_some(NotApplicable::ExemptRole)
}

/// Whether the finding may be archived. `kept` has the ids of the roles whose findings are not archived. A finding with another
/// id is not one of the rule: somebody else has imported it in the rule's name.
fn is_archivable(finding: &Finding, source: &FindingSource, kept: &BTreeSet<String>) -> bool {
    let role_id = finding.role_id();
    !kept.contains(role_id) || finding.id != source.finding_id(role_id)
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

/// The answers about roles that AWS Config has stored.
fn answers(report: &Report) -> impl Iterator<Item = &Answer> {
    let is_stored = |resource: &ResourceId| !report.outcome.left_to_schedule.contains(resource);
    let answers = report.outcome.answers.iter();
    answers.filter(move |Answer { evaluation: Evaluation { resource, .. }, .. }| {
        resource.resource_type == ROLE && is_stored(resource)
    })
}

/// Whether the role of an event's answer has no verdict, and may have an earlier finding. Most roles without a verdict are ruled
/// out by their trust policy, and hardly one of them has a finding.
fn may_have_finding(answer: &&Answer) -> bool {
    match &answer.basis {
        Basis::Verdict(_) | Basis::NoVerdict(NotApplicable::TrustPolicy) => false,
        Basis::NoVerdict(_) => true,
    }
}

/// The ids of the roles whose findings are not archived; `None` if no finding is.
///
/// None is archived if it is not known which roles are node roles or have a verdict in AWS Config, or if not even the id of a
/// role could be read: then any finding can be that role's.
fn kept(report: &Report, judged: &[Finding], scheduled: bool) -> Option<BTreeSet<String>> {
    let unreadable: Option<Vec<String>> = report.unreadable().map(|role| role.id.clone()).collect();
    let reported = report.outcome.reported.clone().filter(|_| scheduled && report.knows_all_node_roles());
    let judged = judged.iter().map(|finding| finding.role_id().to_owned());
    Some(unreadable?.into_iter().chain(reported?).chain(judged).collect())
}

/// A finding that Security Hub holds, as far as it is needed. An account can have thousands, of several kilobytes each.
struct Held {
    role_id: String,
    digest: u64,
    is_as_sent: bool,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    /// The whole finding, if it may be archived.
    whole: Option<Box<Finding>>,
}

impl Held {
    fn new(
        HeldFinding { finding, is_as_sent }: HeldFinding,
        source: &FindingSource,
        kept: Option<&BTreeSet<String>>,
    ) -> Self {
        let is_archivable = kept.is_some_and(|kept| is_archivable(&finding, source, kept));
        Self {
            role_id: finding.role_id().to_owned(),
            digest: digest(&finding),
            is_as_sent,
            created_at: finding.created_at,
            updated_at: finding.updated_at,
            whole: is_archivable.then(|| Box::new(finding)),
        }
    }

    /// Whether to import the finding of the same role. Sets its times.
    fn is_replaced_by(&self, finding: &mut Finding, at: OffsetDateTime) -> bool {
        finding.created_at = self.created_at;
        finding.updated_at = next_update(self.updated_at, at);
        let is_renewed = at - self.updated_at >= RENEWED_AFTER || is_too_far_ahead(self.updated_at, at);
        !self.is_as_sent || self.digest != digest(finding) || is_renewed
    }
}

/// A number that two findings share if they have the same values in all fields but their times.
fn digest(finding: &Finding) -> u64 {
    let Finding {
        id,
        title,
        description,
        severity,
        compliance,
        remediation,
        role_arn,
        product_fields,
        created_at: _,
        updated_at: _,
        archived,
    } = finding;
    let mut hasher = DefaultHasher::new();
    (id, title, description, remediation, role_arn, product_fields).hash(&mut hasher);
    (*severity as u8, compliance.as_str(), archived).hash(&mut hasher);
    hasher.finish()
}

/// The active findings of the source by id: all of them, or those with these ids. `kept` has the ids of the roles whose
/// findings are not archived.
async fn held(
    store: &impl FindingStore,
    source: &FindingSource,
    ids: Option<&[String]>,
    kept: Option<&BTreeSet<String>>,
    give_up_early: bool,
) -> Result<BTreeMap<String, Held>, PortError> {
    let (mut all, mut marker) = (BTreeMap::new(), None);
    loop {
        let page = store.active_findings(source, ids, marker.as_deref(), give_up_early).await?;
        let held = |held: HeldFinding| (held.finding.id.clone(), Held::new(held, source, kept));
        all.extend(page.items.into_iter().map(held));
        marker = page.next;
        if marker.is_none() {
            return Ok(all);
        }
    }
}

/// The `UpdatedAt` of the next update of a finding: the time of the evaluation. Security Hub ignores an update that is not
/// newer than the finding. So a time that is too far ahead to come from another evaluation is exceeded by 1 ms.
fn next_update(updated_at: OffsetDateTime, at: OffsetDateTime) -> OffsetDateTime {
    if is_too_far_ahead(updated_at, at) { updated_at.saturating_add(Duration::milliseconds(1)) } else { at }
}

/// Whether the time is too far ahead of this evaluation to come from another one.
fn is_too_far_ahead(updated_at: OffsetDateTime, at: OffsetDateTime) -> bool {
    updated_at > at + MAX_AHEAD
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
