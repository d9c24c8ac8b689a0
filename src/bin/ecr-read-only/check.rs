//! `check`: a verdict on each role of an account.
//!
//! Knows the options and the two forms of the report.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use ecr_read_only::access::catalogue::{Action, CATALOGUE_DATE, Level};
use ecr_read_only::access::{Access, AllowedAccess, Assumption, Compliance, Criteria, Grant, Refusal, judge, refusals};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::input::account_details::{AccountDetails, DetailsError, RoleEntry};

#[derive(Args)]
pub(crate) struct Options {
    /// What `aws iam get-account-authorization-details` printed, all pages one after the other; `-` for standard input
    #[arg(long, value_name = "FILE")]
    account_details: PathBuf,
    /// Judge this role whether or not the file shows it to be a node's; may be given several times
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    /// Judge every role whether or not the file shows it to be a node's
    #[arg(long)]
    all_roles: bool,
    /// Which actions a node role may have: `read-only`, `pull-only` or `cis`
    #[arg(long, value_name = "SET", default_value = "read-only")]
    allowed_access: AllowedAccess,
    /// Further actions allowed, separated by commas
    #[arg(long, value_name = "ACTIONS", value_parser = Criteria::parse_actions, default_value = "", hide_default_value = true)]
    additional_allowed_actions: Actions,
    /// Say of each refused action what blocks it: no Allow, the permissions boundary, or which Deny statements
    #[arg(long)]
    refused: bool,
    /// Report a role that cannot pull as NON_COMPLIANT
    #[arg(long)]
    require_pull_access: bool,
    /// The instant before which no request is made, such as 2026-11-23T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<OffsetDateTime>,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// A list that is one value of one option.
type Actions = Vec<String>;

fn instant(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|error| format!("not an RFC 3339 instant: {error}"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How many roles a thread takes at a time.
const ROLES_PER_BATCH: usize = 256;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    #[error("{path}: {error}")]
    Input { path: String, error: io::Error },
    #[error("{path}: {error}")]
    Details { path: String, error: DetailsError },
    #[error("the file has no role `{0}`")]
    UnknownRole(String),
    #[error(transparent)]
    Output(#[from] io::Error),
    #[error("a role could not be judged: this is a defect of the program")]
    Panicked,
    #[error("the report cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// The verdict on one role, or why there is none.
#[derive(Serialize)]
struct Report<'r> {
    role_name: &'r str,
    role_arn: &'r str,
    role_id: &'r str,
    verdict: Option<Compliance>,
    undecided: Vec<String>,
    annotation: Option<String>,
    excess: Vec<Access>,
    permitted: Vec<Access>,
    missing: Vec<&'static str>,
    /// Only where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<Vec<Refused>>,
    error: Option<String>,
}

/// An action that no request may perform, and what blocks it.
#[derive(Serialize)]
struct Refused {
    action: &'static str,
    access_level: Level,
    #[serde(flatten)]
    refusal: Refusal,
}

/// Writes the report and returns the exit status.
pub(crate) fn run(options: &Options, out: &mut impl Write) -> Result<u8, CheckError> {
    let path = options.account_details.display().to_string();
    let text = read(options).map_err(|error| CheckError::Input { path: path.clone(), error })?;
    let account = AccountDetails::parse(&text).map_err(|error| CheckError::Details { path, error })?;
    let mut unknown = options.roles.clone();
    if !unknown.is_empty() {
        account.roles(0, account.len()).for_each(|entry| unknown.retain(|wanted| wanted != entry.name()));
    }
    if let Some(wanted) = unknown.first() {
        return Err(CheckError::UnknownRole(wanted.clone()));
    }
    let criteria = Criteria {
        allowed_access: options.allowed_access,
        additional_allowed_actions: options.additional_allowed_actions.clone(),
        require_pull_access: options.require_pull_access,
    };
    for unknown in criteria.unknown_actions() {
        writeln!(io::stderr(), "ecr-read-only: the catalogue of {CATALOGUE_DATE} does not know `{unknown}`")?;
    }
    let at = options.at.unwrap_or_else(|| OffsetDateTime::from(SystemTime::now()));
    let json = options.format == Format::Json;
    if json {
        write!(out, "{{\"catalogue_date\":\"{CATALOGUE_DATE}\",\"roles\":[")?;
    }
    let (mut exit, mut first) = (0, true);
    // Roles are independent of each other: a batch for each processor at a time, written in the file's order.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let batch = |start: usize| -> Result<(Vec<u8>, u8), CheckError> {
        let (mut text, mut exit) = (Vec::new(), 0);
        for entry in account.roles(start, ROLES_PER_BATCH) {
            let report = Report::new(&entry, options, &criteria, at);
            exit = exit.max(report.exit_status());
            if json {
                text.extend_from_slice(b",\n");
                serde_json::to_writer(&mut text, &report)?;
            } else {
                report.write_text(&mut text)?;
            }
        }
        Ok((text, exit))
    };
    for start in (0..account.len()).step_by(threads * ROLES_PER_BATCH) {
        let starts = (0..threads).map(|i| start + i * ROLES_PER_BATCH);
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = starts.map(|start| scope.spawn(move || batch(start))).collect();
            running.into_iter().map(|thread| thread.join().unwrap_or(Err(CheckError::Panicked))).collect()
        });
        for result in results {
            let (text, worst) = result?;
            exit = exit.max(worst);
            // The first role has no comma before it.
            out.write_all(text.get(usize::from(json && first)..).unwrap_or_default())?;
            first = false;
        }
    }
    if json {
        out.write_all(b"\n]}\n")?;
    }
    Ok(exit)
}

fn read(options: &Options) -> io::Result<String> {
    if options.account_details.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text)?;
        Ok(text)
    } else {
        std::fs::read_to_string(&options.account_details)
    }
}

const NOT_A_NODE: &str = "Not an EKS node role as far as the file shows";

impl<'r> Report<'r> {
    fn new(entry: &'r RoleEntry<'_>, options: &Options, criteria: &Criteria, at: OffsetDateTime) -> Self {
        let mut report = Self {
            role_name: entry.name(),
            role_arn: entry.arn(),
            role_id: entry.id(),
            verdict: None,
            undecided: Vec::new(),
            annotation: None,
            excess: Vec::new(),
            permitted: Vec::new(),
            missing: Vec::new(),
            refused: None,
            error: None,
        };
        if let Err(error) = report.judge(entry, options, criteria, at) {
            report.error = Some(error);
        }
        report
    }

    fn judge(
        &mut self,
        entry: &RoleEntry<'_>,
        options: &Options,
        criteria: &Criteria,
        at: OffsetDateTime,
    ) -> Result<(), String> {
        let trust_policy = entry.trust_policy()?;
        let regardless = options.all_roles || options.roles.iter().any(|name| name == entry.name());
        let node_fact = if trust_policy.rules_out_nodes() { None } else { entry.node_fact() };
        if node_fact.is_none() && !regardless {
            self.verdict = Some(Compliance::NotApplicable);
            self.annotation = Some(NOT_A_NODE.to_owned());
            return Ok(());
        }
        let role = entry.role(trust_policy)?;
        let verdict = judge(&role, criteria, at);
        if options.refused {
            let refused = |(action, refusal): (&Action, Refusal)| Refused {
                action: action.full_name,
                access_level: action.level,
                refusal,
            };
            self.refused = Some(refusals(&role, at).into_iter().map(refused).collect());
        }
        let node_of: Vec<String> = node_fact.into_iter().collect();
        self.annotation = Some(verdict.annotation(&node_of));
        self.verdict = Some(verdict.compliance);
        self.excess = verdict.excess;
        self.permitted = verdict.permitted;
        self.missing = verdict.missing;
        self.undecided = verdict.undecided;
        Ok(())
    }

    fn exit_status(&self) -> u8 {
        match (&self.error, self.verdict) {
            (Some(_), _) => 2,
            (None, Some(Compliance::NonCompliant)) => 1,
            _ => 0,
        }
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let verdict = match (&self.error, self.verdict) {
            (None, Some(verdict)) => verdict.as_str(),
            _ => "ERROR",
        };
        let remark = self.error.as_ref().or(self.annotation.as_ref()).map_or("", String::as_str);
        writeln!(out, "{verdict:<14}  {}  {remark}", self.role_name)?;
        for access in &self.excess {
            let witness = &access.witness;
            writeln!(out, "    {} ({}) on {}", access.action, access.access_level.as_str(), witness.resource)?;
            if let Some(account) = &witness.other_account {
                writeln!(out, "        if a policy of account {account} agrees")?;
            }
            for (key, values) in &witness.context {
                writeln!(out, "        with {key} = {}", values.join(", "))?;
            }
            for grant in &witness.grants {
                writeln!(out, "        by {}", place(grant))?;
            }
            for Assumption { statement, matches } in &witness.assumed {
                let matches = if *matches { "matches" } else { "does not match" };
                writeln!(out, "        assuming that it {matches}, which AWS does not document: {}", place(statement))?;
            }
        }
        let mut blocked: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        let mut without_allow = 0;
        for Refused { action, refusal, .. } in self.refused.iter().flatten() {
            let what = match refusal {
                Refusal::NoAllow => {
                    without_allow += 1;
                    continue;
                }
                Refusal::Boundary => "the permissions boundary does not allow".to_owned(),
                Refusal::Denied(statements) => {
                    format!("denied by {}", statements.iter().map(place).collect::<Vec<_>>().join(" and "))
                }
            };
            blocked.entry(what).or_default().push(action);
        }
        for (what, actions) in blocked {
            writeln!(out, "    refused, {what}: {}", actions.join(", "))?;
        }
        if without_allow > 0 {
            writeln!(out, "    refused, no Allow matches: {without_allow} actions")?;
        }
        Ok(())
    }
}

fn place(Grant { policy, kind, sid, statement }: &Grant) -> String {
    let sid = sid.as_deref().map(|sid| format!(" ({sid})")).unwrap_or_default();
    format!("{} {policy} statement {statement}{sid}", kind.as_str())
}
