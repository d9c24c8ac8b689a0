//! The options of `check`, as clap reads them from the command line.

use std::path::PathBuf;

use clap::Args;
use ecr_read_only::access::{AllowedAccess, Criteria};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::output::Format;

/// The command line of `check`.
#[derive(Args)]
pub(crate) struct Options {
    /// The output of `aws iam get-account-authorization-details`, of one account or several; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) account_details: PathBuf,
    /// Check this role even if the file does not show that it is a node role; repeat for more roles
    #[arg(long = "role", value_name = "NAME")]
    pub(crate) roles: Vec<String>,
    /// Check every role, node role or not
    #[arg(long)]
    pub(crate) all_roles: bool,
    /// The actions that a node role may have: `read-only`, `pull-only` or `cis`
    #[arg(long, value_name = "SET", default_value = "read-only")]
    pub(crate) allowed_access: AllowedAccess,
    /// Further actions that a node role may have, separated by commas, such as `ecr:PutImage,ecr:TagResource`
    #[arg(long, value_name = "ACTIONS", value_parser = Criteria::parse_actions, default_value = "", hide_default_value = true)]
    pub(crate) additional_allowed_actions: Actions,
    /// Also list the actions that a role cannot perform, and why: no Allow, the permissions boundary, or a Deny
    #[arg(long)]
    pub(crate) refused: bool,
    /// Report a role that cannot pull images as NON_COMPLIANT
    #[arg(long)]
    pub(crate) require_pull_access: bool,
    /// Evaluate time conditions as of this moment and later, such as 2026-11-23T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) at: Option<OffsetDateTime>,
    /// The format of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

impl Options {
    /// The criteria that the options set.
    pub(crate) fn criteria(&self) -> Criteria {
        Criteria {
            allowed_access: self.allowed_access,
            additional_allowed_actions: self.additional_allowed_actions.clone(),
            require_pull_access: self.require_pull_access,
        }
    }
}

/// The list in one option's value. The alias keeps clap from reading the option as one that may be repeated.
type Actions = Vec<String>;

/// A time, in UTC.
fn moment(text: &str) -> Result<OffsetDateTime, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|error| format!("expected an RFC 3339 time such as 2026-11-23T00:00:00Z: {error}"))?;
    let in_utc = moment.checked_to_offset(UtcOffset::UTC).filter(|moment| (0..10_000).contains(&moment.year()));
    in_utc.ok_or_else(|| "expected a time in the years 0000 to 9999, UTC".to_owned())
}
