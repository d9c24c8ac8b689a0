//! The report for people: a line for each role, and below it the requests that prove the verdict.
//!
//! ```text
//! NON_COMPLIANT   worker can call ecr:PutImage (push, statement Push). Policy AmazonEKSWorkerNodePolicy.
//!     ecr:PutImage (Write) on arn:aws:ecr:us-east-1:123456789012:repository/app
//!         allowed by policy push, statement Push
//! ```

use std::collections::BTreeMap;
use std::io::{self, Write};

use ecr_read_only::access::{Access, Assumption, Refusal};

use crate::report::{RefusedAction, RoleReport};

pub(super) fn role(report: &RoleReport<'_>, out: &mut impl Write) -> io::Result<()> {
    let verdict = match (&report.error, report.verdict) {
        (None, Some(verdict)) => verdict.as_str(),
        _ => "ERROR",
    };
    match (&report.error, &report.annotation) {
        // An annotation starts with the role name.
        (None, Some(annotation)) => writeln!(out, "{verdict:<14}  {annotation}")?,
        (error, _) => {
            // A role without a name has an error.
            let names = [report.role_name, report.role_arn, report.role_id, "a role without `RoleName` and `Arn`"];
            let name = names.iter().find(|name| !name.is_empty()).copied().unwrap_or_default();
            writeln!(out, "{verdict:<14}  {name}: {}", error.as_deref().unwrap_or_default())?;
        }
    }
    if report.several_accounts
        && let Some(account) = report.account
    {
        writeln!(out, "    account {account}")?;
    }
    for access in &report.excess {
        request(access, out)?;
    }
    for remark in &report.remarks {
        writeln!(out, "    remark: {remark}")?;
    }
    refused(report.refused.as_deref().unwrap_or_default(), out)
}

/// One action that the role should not have, with the request that proves it.
fn request(Access { action, access_level, witness }: &Access, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "    {action} ({}) on {}", access_level.as_str(), witness.resource)?;
    for (key, values) in &witness.context {
        writeln!(out, "        with {key} = {}", values.join(", "))?;
    }
    for grant in &witness.grants {
        writeln!(out, "        allowed by {grant}")?;
    }
    if let Some(account) = &witness.other_account {
        writeln!(out, "        only if a policy of account {account} allows it too")?;
    }
    for assumption in &witness.assumed {
        match assumption {
            Assumption::Statement { .. } => {
                writeln!(out, "        assuming that {assumption}; AWS does not document whether it does")?;
            }
            Assumption::Context { .. } => writeln!(out, "        assuming {assumption}")?,
        }
    }
    Ok(())
}

/// The actions that the role cannot perform, grouped by the reason.
fn refused(refused: &[RefusedAction], out: &mut impl Write) -> io::Result<()> {
    let mut by_reason: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut without_allow = 0;
    for RefusedAction { action, refusal, .. } in refused {
        let reason = match refusal {
            Refusal::NoAllow => {
                without_allow += 1;
                continue;
            }
            Refusal::Boundary => "not allowed by the permissions boundary".to_owned(),
            Refusal::Session => "not allowed by the session policy".to_owned(),
            Refusal::Denied(statements) => {
                format!("denied by {}", statements.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))
            }
        };
        by_reason.entry(reason).or_default().push(action);
    }
    for (reason, actions) in by_reason {
        writeln!(out, "    cannot call, {reason}: {}", actions.join(", "))?;
    }
    if without_allow > 0 {
        writeln!(out, "    cannot call, no Allow matches: {without_allow} actions")?;
    }
    Ok(())
}
