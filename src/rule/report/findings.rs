//! Tells AWS Security Hub of the roles that were answered: imports findings, and archives those that hold no more.
//!
//! Knows which findings are told, and the limits of Security Hub's operations; not what a finding says. Must not be asked
//! before AWS Config has stored the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::{Duration, OffsetDateTime};

use crate::rule::error::EvaluationError;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::configuration_item::{OutOfScope, ROLE, Trigger};
use crate::rule::ports::error::{PortError, PortErrorKind};
use crate::rule::ports::security_hub::{FailedFinding, Finding, FindingSource, FindingStore};
use crate::rule::report::outcome::{FindingCounts, Ground, Outcome};

/// The most findings that one call takes
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
const BATCH: usize = 100;

/// The most ids that are asked for by themselves: GetFindings takes 20 values for a filter
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html>). For more, all are asked
/// for: GetFindings is called three times a second at most, and a page has a hundred.
const IDS: usize = 20;

/// How many times findings that Security Hub did not take are sent again.
const RESENDS: usize = 3;

/// How far a finding's `UpdatedAt` may be ahead of us and still be another evaluation's: as long as one takes at most.
const AHEAD: Duration = Duration::minutes(15);

/// How many findings an error names.
const NAMED: usize = 10;

/// Security Hub did not take all findings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// Which findings there are already could not be found out, so that none was sent.
    #[error("no findings were imported: {cause}{}", advice(.cause.kind() == PortErrorKind::NotEnabled))]
    Unknown {
        /// What failed.
        cause: PortError,
    },
    /// A call failed.
    #[error("{left} of {total} findings were not imported: {cause}{}", advice(.cause.kind() == PortErrorKind::NotEnabled))]
    Call {
        /// What failed.
        cause: PortError,
        /// How many findings were not imported.
        left: usize,
        /// How many there were.
        total: usize,
    },
    /// The calls succeeded, but Security Hub kept refusing some findings.
    #[error("{} of {total} findings were not imported: {}{}", .failed.len(), List(.failed), 
        advice(.failed.iter().any(|one| one.code == NO_ACCESS)))]
    Refused {
        /// Which, and why.
        failed: Vec<FailedFinding>,
        /// How many there were.
        total: usize,
    },
    /// Time ran out.
    #[error("not done with findings {} ms before Lambda would have ended the invocation", margin.as_millis())]
    OutOfTime {
        /// How long before the end it was given up.
        margin: std::time::Duration,
    },
}

/// The code of findings that are refused where Security Hub is not enabled
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
const NO_ACCESS: &str = "InvalidAccess";

/// The codes of findings that would be refused again.
const FOR_GOOD: [&str; 2] = [NO_ACCESS, "InvalidInput"];

fn advice(not_enabled: bool) -> &'static str {
    if not_enabled {
        "; where Security Hub is not enabled in this account and region, enable it, or set the rule's parameter \
         `SecurityHubFindings` to `false`"
    } else {
        ""
    }
}

struct List<'a>(&'a [FailedFinding]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, FailedFinding { id, code, message }) in self.0.iter().take(NAMED).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}`{id}` ({code}: {message})")?;
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// Tells Security Hub what came of an evaluation, if it is to be told and AWS Config has stored the answers, and counts what
/// it took in the outcome. `at` is the evaluation's.
///
/// A judged role's finding is imported, whatever the verdict. One of a role that has none is archived: on an event that of
/// the role that was answered so, on a schedule also those of roles that nothing was said of. What could not be read keeps
/// its finding, and so does on an event a role that its trust policy rules out: there are many, and hardly any has one.
///
/// # Errors
/// That some were not imported. While it is at it, and if it is never done, none counts as imported.
pub async fn send_findings(
    store: &impl FindingStore,
    invocation: &Invocation,
    result: &mut Result<Outcome, EvaluationError>,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let Some(source) = invocation.finding_source.as_ref().filter(|_| !invocation.result_token.asks_for_test_mode())
    else {
        return Ok(());
    };
    match result {
        Ok(outcome) => tell(store, source, invocation, outcome, at).await,
        Err(EvaluationError::RolesUnreadable(outcome) | EvaluationError::ReportedRolesUnknown { outcome, .. }) => {
            tell(store, source, invocation, outcome, at).await
        }
        Err(_) => Ok(()),
    }
}

async fn tell(
    store: &impl FindingStore,
    source: &FindingSource,
    invocation: &Invocation,
    outcome: &mut Outcome,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let scheduled = invocation.trigger.is_all_roles();
    let notified_at = notified_at(invocation, at);
    let (mut findings, mut without_verdict) = (Vec::new(), BTreeMap::new());
    for answer in &outcome.answers {
        let resource = &answer.evaluation.resource;
        if resource.resource_type != ROLE || outcome.left_to_schedule.contains(resource) {
            continue;
        }
        match (&answer.judged, answer.ground) {
            (Some(judged), _) => {
                findings.push(Finding::of(source, &resource.id, judged, &invocation.parameters.criteria, at));
            }
            (None, Ground::TrustPolicy) if !scheduled => {}
            (None, Ground::Clusters(clusters_at)) => {
                without_verdict.insert(source.finding_id(&resource.id), notified_at.min(clusters_at));
            }
            (None, Ground::TrustPolicy | Ground::Other) => {
                without_verdict.insert(source.finding_id(&resource.id), notified_at);
            }
        }
    }
    let mut counts = FindingCounts::default();
    let ids: Vec<String> =
        findings.iter().map(|finding| finding.id.clone()).chain(without_verdict.keys().cloned()).collect();
    if !scheduled && ids.is_empty() {
        outcome.findings = Some(counts);
        return Ok(());
    }
    outcome.findings = Some(FindingCounts { not_imported: ids.len().max(1), ..counts });
    let asked_for = Some(ids.as_slice()).filter(|ids| !scheduled && ids.len() <= IDS);
    let known = match store.active_findings(source, asked_for).await {
        Ok(known) => known,
        // Then every event asks at once, as where the rule is new. What is judged is told all the same.
        Err(cause) if !scheduled && cause.kind() == PortErrorKind::Throttled => {
            counts.left_to_schedule = without_verdict.len();
            Vec::new()
        }
        Err(cause) => return Err(NotImported::Unknown { cause }),
    };
    counts.imported = findings.len();
    let mut known: BTreeMap<String, Finding> = known.into_iter().map(|finding| (finding.id.clone(), finding)).collect();
    for finding in &mut findings {
        if let Some(known) = known.remove(&finding.id) {
            finding.created_at = known.created_at;
            finding.updated_at = later_than(&known, at);
        }
    }
    let unreadable = &outcome.unreadable;
    // Where not even the id of a role could be read, any finding may be that role's.
    let of_others = scheduled && unreadable.iter().all(|role| role.id.is_some());
    let unreadable: BTreeSet<String> =
        unreadable.iter().filter_map(|role| role.id.as_deref()).map(|id| source.finding_id(id)).collect();
    let holds_no_more = |finding: &Finding| {
        let as_of = match without_verdict.get(&finding.id) {
            Some(as_of) => *as_of,
            None if of_others && !unreadable.contains(&finding.id) => at,
            None => return false,
        };
        finding.updated_at <= as_of || later_than(finding, at) > at
    };
    let archived = known.into_values().filter(holds_no_more);
    findings.extend(archived.map(|finding| Finding {
        archived: true,
        updated_at: later_than(&finding, at),
        ..finding
    }));
    counts.archived = findings.len() - counts.imported;
    let result = send(store, source, findings).await;
    if let Err((_, left)) = &result {
        let archived = left.iter().filter(|finding| finding.archived).count();
        counts.archived -= archived;
        counts.imported -= left.len() - archived;
        counts.not_imported = left.len();
    }
    outcome.findings = Some(counts);
    result.map_err(|(problem, _)| problem)
}

/// The time of an update of the finding: the evaluation's. But one that lies so far ahead that no evaluation can have said
/// it is outbid, for else Security Hub would take nothing of us until then.
fn later_than(known: &Finding, at: OffsetDateTime) -> OffsetDateTime {
    if known.updated_at > at + AHEAD { known.updated_at + Duration::milliseconds(1) } else { at }
}

/// The time that answers without a verdict stand on: a finding of later is of one who knew more, and stays. An event may
/// come late, or again. A deleted role never comes back, and a schedule asks anew.
fn notified_at(invocation: &Invocation, at: OffsetDateTime) -> OffsetDateTime {
    match invocation.trigger {
        Trigger::AllRoles { .. } | Trigger::OutOfScope { reason: OutOfScope::Deleted, .. } => at,
        _ => invocation.notified_at,
    }
}

/// Sends the findings; those that failed again after the others, where that can help. With the error come the findings that
/// were not taken.
async fn send(
    store: &impl FindingStore,
    source: &FindingSource,
    mut pending: Vec<Finding>,
) -> Result<(), (NotImported, Vec<Finding>)> {
    let total = pending.len();
    let (mut refused, mut lost) = (Vec::new(), Vec::new());
    for attempt in 0..=RESENDS {
        let mut again = Vec::new();
        for (index, batch) in pending.chunks(BATCH).enumerate() {
            match store.import_findings(source, batch).await {
                Ok(failed) => {
                    for failed in failed {
                        let finding = batch.iter().find(|finding| finding.id == failed.id).cloned();
                        if attempt == RESENDS || FOR_GOOD.contains(&failed.code.as_str()) {
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
