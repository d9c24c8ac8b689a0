//! Tells AWS Security Hub of the roles that were answered: imports findings, and archives those that hold no more.
//!
//! Knows which findings are told, and the limits of Security Hub's operations; not what a finding says. Must not be asked
//! before AWS Config has stored the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use time::OffsetDateTime;

use super::event::{Invocation, Trigger};
use super::finding::{FailedFinding, Finding, FindingSource};
use super::item::{OutOfScope, ROLE};
use super::outcome::Outcome;
use super::ports::{FindingStore, PortError, PortErrorKind};

/// The most findings that one call takes
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>).
const BATCH: usize = 100;

/// The most ids that are asked for by themselves: GetFindings takes 20 values for a filter
/// (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html>). For more, all are asked
/// for: GetFindings is called three times a second at most, and a page has a hundred.
const IDS: usize = 20;

/// How many times findings that Security Hub did not take are sent again.
const RESENDS: usize = 3;

/// How many findings an error names.
const NAMED: usize = 10;

/// How many findings Security Hub took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindingCounts {
    /// Those of judged roles.
    pub imported: usize,
    /// Those that hold no more.
    pub archived: usize,
    /// How many it did not take.
    pub not_imported: usize,
}

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
    #[error("{} of {total} findings were not imported, sent {} times: {}{}",
        .failed.len(), RESENDS + 1, List(.failed), advice(.failed.iter().any(|one| one.code == NO_ACCESS)))]
    Refused {
        /// Which, and why.
        failed: Vec<FailedFinding>,
        /// How many there were.
        total: usize,
    },
}

/// The code of findings that are refused where Security Hub is not enabled
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>).
const NO_ACCESS: &str = "InvalidAccess";

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

/// Tells Security Hub what was answered, and counts what it took in the outcome.
///
/// A judged role's finding is imported, whatever the verdict. One of a role that has none is archived: on an event that of
/// the role that was answered so, on a schedule also those of roles that nothing was said of. What could not be read keeps
/// its finding.
pub(super) async fn tell(
    store: &impl FindingStore,
    source: &FindingSource,
    invocation: &Invocation,
    outcome: &mut Outcome,
    at: OffsetDateTime,
) -> Result<(), NotImported> {
    let mut counts = FindingCounts::default();
    let told_at = told_at(invocation, at);
    let (mut findings, mut without_verdict) = (Vec::new(), BTreeMap::new());
    for answer in outcome.answers.iter().filter(|answer| answer.evaluation.resource.resource_type == ROLE) {
        let role_id = &answer.evaluation.resource.id;
        match &answer.judged {
            Some(judged) => findings.push(Finding::of(source, role_id, judged, at)),
            None => {
                let as_of = answer.clusters_at.map_or(told_at, |clusters_at| told_at.min(clusters_at));
                without_verdict.insert(source.finding_id(role_id), as_of);
            }
        }
    }
    counts.imported = findings.len();
    let scheduled = matches!(invocation.trigger, Trigger::AllRoles { .. });
    let known = if scheduled {
        store.active_findings(source, None).await
    } else {
        let mut ids: Vec<String> = findings.iter().map(|finding| finding.id.clone()).collect();
        // GetFindings is throttled, and when AWS Config begins to record, every role of the account is discovered.
        if !matches!(&invocation.trigger, Trigger::RoleChanged(role) if role.discovered) {
            ids.extend(without_verdict.keys().cloned());
        }
        match ids.len() {
            0 => Ok(Vec::new()),
            _ => store.active_findings(source, Some(&ids).filter(|ids| ids.len() <= IDS).map(Vec::as_slice)).await,
        }
    };
    let known = match known {
        Ok(known) => known,
        Err(cause) => {
            outcome.findings = Some(FindingCounts { not_imported: findings.len(), ..FindingCounts::default() });
            return Err(NotImported::Unknown { cause });
        }
    };
    let mut known: BTreeMap<String, Finding> = known.into_iter().map(|finding| (finding.id.clone(), finding)).collect();
    for finding in &mut findings {
        if let Some(known) = known.remove(&finding.id) {
            finding.created_at = known.created_at;
        }
    }
    let unreadable = &outcome.unreadable;
    // Where not even the id of a role could be read, any finding may be that role's.
    let of_others = scheduled && unreadable.iter().all(|role| role.id.is_some());
    let unreadable: BTreeSet<String> =
        unreadable.iter().filter_map(|role| role.id.as_deref()).map(|id| source.finding_id(id)).collect();
    let holds_no_more = |finding: &Finding| match without_verdict.get(&finding.id) {
        Some(as_of) => finding.updated_at <= *as_of,
        None => of_others && !unreadable.contains(&finding.id) && finding.updated_at <= at,
    };
    let archived = known.into_values().filter(holds_no_more);
    findings.extend(archived.map(|finding| Finding { archived: true, updated_at: at, ..finding }));
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

/// The time that answers without a verdict stand on: a finding of later is of one who knew more, and stays. An event may
/// come late, or again. A deleted role never comes back, and a schedule asks anew.
fn told_at(invocation: &Invocation, at: OffsetDateTime) -> OffsetDateTime {
    match invocation.trigger {
        Trigger::AllRoles { .. } | Trigger::OutOfScope { reason: OutOfScope::Deleted, .. } => at,
        _ => invocation.told_at,
    }
}

/// Sends the findings, those that failed again after the others. With the error come the findings that were not taken.
async fn send(
    store: &impl FindingStore,
    source: &FindingSource,
    mut pending: Vec<Finding>,
) -> Result<(), (NotImported, Vec<Finding>)> {
    let total = pending.len();
    let mut failed = Vec::new();
    for _ in 0..=RESENDS {
        failed = Vec::new();
        let mut again = Vec::new();
        for (index, batch) in pending.chunks(BATCH).enumerate() {
            match store.import_findings(source, batch).await {
                Ok(refused) => {
                    let is_refused = |finding: &&Finding| refused.iter().any(|refused| refused.id == finding.id);
                    again.extend(batch.iter().filter(is_refused).cloned());
                    failed.extend(refused);
                }
                Err(cause) => {
                    again.extend(pending.iter().skip(index * BATCH).cloned());
                    return Err((NotImported::Call { cause, left: again.len(), total }, again));
                }
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        pending = again;
    }
    Err((NotImported::Refused { failed, total }, pending))
}
