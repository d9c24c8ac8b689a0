//! `check`: reads the account's file, judges its roles, and writes the report.

use std::io::{self, Write};
use std::time::SystemTime;

use ecr_read_only::access::catalogue::{Action, CATALOGUE_DATE, Operation};
use ecr_read_only::access::{Annotation, Compliance, Criteria, NotApplicable, Refusal, judge, refusals};
use time::OffsetDateTime;

use crate::input::account_details::{AccountDetails, DetailsError, RoleEntry};
use crate::input::text::{self, TextError};
use crate::options::Options;
use crate::report::{Account, ExitStatus, RefusedAction, ReportHead, RoleReport, Tally};

/// How many roles a thread takes at a time.
const ROLES_PER_BATCH: usize = 256;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("{path}: {error}")]
    Text { path: String, error: TextError },
    #[error("{path}: {error}")]
    Details { path: String, error: DetailsError },
    #[error("{path}: no role `{name}`; {remedy}")]
    UnknownRole { path: String, name: String, remedy: String },
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("internal error while checking a role; please report it with the message above")]
    Panicked,
}

/// Writes the report and returns the exit status.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> Result<ExitStatus, CheckError> {
    let file = &options.account_details;
    let path = if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() };
    let text = text::read(file).map_err(|error| CheckError::Text { path: path.clone(), error })?;
    let details = AccountDetails::parse(&text).map_err(|error| CheckError::Details { path: path.clone(), error })?;
    if let Some(unknown) = unknown_role(&details, options) {
        return Err(CheckError::UnknownRole { path, name: unknown.to_owned(), remedy: remedy(&details, unknown) });
    }
    let criteria = options.criteria();
    for unknown in criteria.unknown_actions() {
        writeln!(
            io::stderr(),
            "ecr-read-only: warning: `{unknown}` is not in the catalogue of {CATALOGUE_DATE}; check its spelling"
        )?;
    }
    for Operation { full_name, checked_action } in criteria.operations_without_action() {
        writeln!(
            io::stderr(),
            "ecr-read-only: warning: `{full_name}` is an API operation, not an action; IAM checks `{checked_action}` instead"
        )?;
    }
    let at = options.at.unwrap_or_else(|| OffsetDateTime::from(SystemTime::now()));
    let format = options.format;
    let accounts: Vec<Account> = details.accounts().collect();
    let several_accounts = accounts.len() > 1;
    let account_errors: Vec<String> = accounts.iter().filter_map(|account| account.error.clone()).collect();
    format.start(&ReportHead::new(&criteria, at, accounts)?, out)?;
    let mut tally = Tally::default();
    // Roles are independent: each processor takes a batch. The report keeps the file's order.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let batch = |start: usize| -> io::Result<(Vec<u8>, Tally)> {
        let (mut text, mut tally) = (Vec::new(), Tally::default());
        for (index, entry) in (start..).zip(details.roles(start, ROLES_PER_BATCH)) {
            let report = RoleReport { several_accounts, ..report(&entry, options, &criteria, at) };
            tally.count(&report);
            format.role(&report, index, &mut text)?;
        }
        Ok((text, tally))
    };
    for start in (0..details.len()).step_by(threads * ROLES_PER_BATCH) {
        let starts = (0..threads).map(|thread| start + thread * ROLES_PER_BATCH);
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = starts.map(|start| scope.spawn(move || batch(start))).collect();
            running.into_iter().map(|thread| thread.join().map_err(|_| CheckError::Panicked)).collect()
        });
        for result in results {
            let (text, of_batch) = result??;
            tally.add(of_batch);
            out.write_all(&text)?;
        }
    }
    format.end(out)?;
    out.flush()?;
    for error in &account_errors {
        writeln!(io::stderr(), "ecr-read-only: {path}: {error}")?;
    }
    if let Some(reason) = tally.nothing_judged() {
        writeln!(io::stderr(), "ecr-read-only: {path}: no role was judged: {reason}")?;
    }
    Ok(if account_errors.is_empty() { tally.exit_status() } else { ExitStatus::Errors })
}

/// The first role that `--role` names and no account of the file has.
fn unknown_role<'o>(details: &AccountDetails<'_>, options: &'o Options) -> Option<&'o str> {
    let mut unknown: Vec<&str> = options.roles.iter().map(String::as_str).collect();
    if !unknown.is_empty() {
        details.role_names().for_each(|name| unknown.retain(|wanted| *wanted != name));
    }
    unknown.first().copied()
}

/// What to do about a name that no role has: the name of a role that differs only in letter case, path or ARN.
fn remedy(details: &AccountDetails<'_>, unknown: &str) -> String {
    let name = unknown.rsplit('/').next().unwrap_or_default();
    let similar = details.role_names().find(|other| other.eq_ignore_ascii_case(name));
    similar.map_or_else(|| "correct the value of `--role`".to_owned(), |other| format!("use `--role {other}`"))
}

fn report<'r>(entry: &'r RoleEntry<'_>, options: &Options, criteria: &Criteria, at: OffsetDateTime) -> RoleReport<'r> {
    let mut report = RoleReport::new(entry.account(), entry.name(), entry.arn(), entry.id());
    if let Err(error) = fill(&mut report, entry, options, criteria, at) {
        report.error = Some(entry.with_cause(error));
    }
    report
}

/// Puts the verdict into the report. An error leaves it without one.
fn fill(
    report: &mut RoleReport<'_>,
    entry: &RoleEntry<'_>,
    options: &Options,
    criteria: &Criteria,
    at: OffsetDateTime,
) -> Result<(), String> {
    let trust_policy = entry.trust_policy()?;
    let named = options.all_roles || options.roles.iter().any(|name| name == entry.name());
    let node_of = entry.node_marks(&trust_policy)?;
    if node_of.is_empty() && !named {
        report.verdict = Some(Compliance::NotApplicable);
        let annotation = Annotation::not_applicable(Some(entry.name()), NotApplicable::NotShown);
        report.annotation = Some(annotation.to_string());
        return Ok(());
    }
    let role = entry.role(trust_policy)?;
    let verdict = judge(&role, criteria, at);
    if options.refused {
        let refused = |(action, refusal): (&Action, Refusal)| RefusedAction {
            action: action.full_name,
            access_level: action.level,
            refusal,
        };
        report.refused = Some(refusals(&role, at).into_iter().map(refused).collect());
    }
    // One mark is enough for the annotation.
    let first_mark = node_of.get(..1).unwrap_or_default();
    report.annotation = Some(Annotation::of_verdict(&verdict, entry.name(), first_mark).to_string());
    report.node_of = node_of;
    report.verdict = Some(verdict.compliance);
    report.excess = verdict.excess;
    report.permitted = verdict.permitted;
    report.missing = verdict.missing;
    report.remarks = verdict.remarks;
    report.undecided = verdict.undecided;
    Ok(())
}
