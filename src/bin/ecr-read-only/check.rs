//! `check`: reads the account's file, judges its roles, and writes the report.

use std::io::{self, Read, Write};
use std::time::SystemTime;

use ecr_read_only::access::catalogue::{Action, CATALOGUE_DATE, Operation};
use ecr_read_only::access::{Annotation, Compliance, Criteria, NotApplicable, Refusal, judge, refusals};
use time::OffsetDateTime;

use crate::input::account_details::{AccountDetails, DetailsError, RoleEntry};
use crate::options::Options;
use crate::report::{ExitStatus, RefusedAction, ReportHead, RoleReport};

/// How many roles a thread takes at a time.
const ROLES_PER_BATCH: usize = 256;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("cannot read {path}: {error}")]
    Input { path: String, error: io::Error },
    #[error("{path}: {error}")]
    Details { path: String, error: DetailsError },
    #[error("{path}: no role `{name}`; correct the value of `--role`")]
    UnknownRole { path: String, name: String },
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("internal error while checking a role; please report it with the message above")]
    Panicked,
}

/// Writes the report and returns the exit status.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> Result<ExitStatus, CheckError> {
    let path = if is_standard_input(options) {
        "standard input".to_owned()
    } else {
        options.account_details.display().to_string()
    };
    let text = read(options).map_err(|error| CheckError::Input { path: path.clone(), error })?;
    let account = AccountDetails::parse(&text).map_err(|error| CheckError::Details { path: path.clone(), error })?;
    if let Some(unknown) = unknown_role(&account, options) {
        return Err(CheckError::UnknownRole { path, name: unknown.to_owned() });
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
    format.start(&ReportHead::new(&criteria, at)?, out)?;
    let mut exit = ExitStatus::NoFindings;
    // Roles are independent: each processor takes a batch. The report keeps the file's order.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let batch = |start: usize| -> io::Result<(Vec<u8>, ExitStatus)> {
        let (mut text, mut exit) = (Vec::new(), ExitStatus::NoFindings);
        for (index, entry) in (start..).zip(account.roles(start, ROLES_PER_BATCH)) {
            let report = report(&entry, options, &criteria, at);
            exit = exit.max(report.exit_status());
            format.role(&report, index, &mut text)?;
        }
        Ok((text, exit))
    };
    for start in (0..account.len()).step_by(threads * ROLES_PER_BATCH) {
        let starts = (0..threads).map(|thread| start + thread * ROLES_PER_BATCH);
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = starts.map(|start| scope.spawn(move || batch(start))).collect();
            running.into_iter().map(|thread| thread.join().map_err(|_| CheckError::Panicked)).collect()
        });
        for result in results {
            let (text, worst) = result??;
            exit = exit.max(worst);
            out.write_all(&text)?;
        }
    }
    format.end(out)?;
    Ok(exit)
}

fn is_standard_input(options: &Options) -> bool {
    options.account_details.as_os_str() == "-"
}

fn read(options: &Options) -> io::Result<String> {
    if is_standard_input(options) {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        Ok(text)
    } else {
        std::fs::read_to_string(&options.account_details)
    }
}

/// The first role that `--role` names and the file does not have.
fn unknown_role<'o>(account: &AccountDetails<'_>, options: &'o Options) -> Option<&'o str> {
    let mut unknown: Vec<&str> = options.roles.iter().map(String::as_str).collect();
    if !unknown.is_empty() {
        account.roles(0, account.len()).for_each(|entry| unknown.retain(|wanted| *wanted != entry.name()));
    }
    unknown.first().copied()
}

fn report<'r>(entry: &'r RoleEntry<'_>, options: &Options, criteria: &Criteria, at: OffsetDateTime) -> RoleReport<'r> {
    let mut report = RoleReport::new(entry.name(), entry.arn(), entry.id());
    if let Err(error) = fill(&mut report, entry, options, criteria, at) {
        report.error = Some(error);
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
    let node_of = entry.node_marks(&trust_policy);
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
