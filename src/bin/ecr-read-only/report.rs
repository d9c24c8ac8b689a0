//! The report: plain data that every output format writes.

use std::io;

use ecr_read_only::access::catalogue::{CATALOGUE_DATE, Level, OPERATIONS_DATE, OPERATIONS_SOURCE};
use ecr_read_only::access::{Access, AllowedAccess, Compliance, Criteria, Refusal, Remark};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The version of the JSON report. `docs/reference/report.schema.json` describes it.
const SCHEMA: &str = "1.0";

/// What holds for all roles of a report. The JSON report holds these members.
#[derive(Serialize)]
pub(crate) struct ReportHead<'r> {
    schema: &'static str,
    tool_version: &'static str,
    /// The date of the Service Authorization Reference from which the actions come.
    catalogue_date: &'static str,
    /// The SDK model from which the API operations come.
    operations_source: &'static str,
    /// The date of that model.
    operations_date: &'static str,
    /// The moment from which on time conditions are evaluated; RFC 3339, UTC.
    at: String,
    criteria: CriteriaReport<'r>,
    accounts: Vec<Account>,
}

/// An account of the file.
#[derive(Debug, Serialize)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// Why its roles get no verdict.
    pub(crate) error: Option<String>,
}

/// The options that set which actions are allowed.
#[derive(Serialize)]
struct CriteriaReport<'r> {
    allowed_access: AllowedAccess,
    additional_allowed_actions: &'r [String],
    require_pull_access: bool,
}

impl<'r> ReportHead<'r> {
    /// The head of a report. `at` is in UTC.
    ///
    /// # Errors
    /// RFC 3339 cannot express `at`.
    pub(crate) fn new(criteria: &'r Criteria, at: OffsetDateTime, accounts: Vec<Account>) -> io::Result<Self> {
        let criteria = CriteriaReport {
            allowed_access: criteria.allowed_access,
            additional_allowed_actions: &criteria.additional_allowed_actions,
            require_pull_access: criteria.require_pull_access,
        };
        Ok(Self {
            schema: SCHEMA,
            tool_version: env!("CARGO_PKG_VERSION"),
            catalogue_date: CATALOGUE_DATE,
            operations_source: OPERATIONS_SOURCE,
            operations_date: OPERATIONS_DATE,
            at: at.format(&Rfc3339).map_err(io::Error::other)?,
            criteria,
            accounts,
        })
    }
}

/// The verdict on one role, or the error that prevented it. The JSON report holds these members.
#[derive(Serialize)]
pub(crate) struct RoleReport<'r> {
    /// `None` if the ARN is malformed.
    pub(crate) account: Option<&'r str>,
    pub(crate) role_name: &'r str,
    pub(crate) role_arn: &'r str,
    pub(crate) role_id: &'r str,
    /// The marks that make the role a node role.
    pub(crate) node_of: Vec<String>,
    /// `None` if there is an error.
    pub(crate) verdict: Option<Compliance>,
    /// Actions that the budget did not suffice to decide.
    pub(crate) undecided: Vec<String>,
    /// The result in one sentence or two, as AWS Config shows it.
    pub(crate) annotation: Option<String>,
    /// Actions that the role can perform although it may not have them.
    pub(crate) excess: Vec<Access>,
    /// All actions that the role can perform.
    pub(crate) permitted: Vec<Access>,
    /// Actions that the role needs to pull images and cannot perform.
    pub(crate) missing: Vec<&'static str>,
    /// Statements that name ECR actions and match no request.
    pub(crate) remarks: Vec<Remark>,
    /// Actions that the role cannot perform; `None` without `--refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Vec<RefusedAction>>,
    /// Why there is no verdict.
    pub(crate) error: Option<String>,
    /// Whether the file has several accounts, so that a role's name does not show which role it is.
    #[serde(skip)]
    pub(crate) several_accounts: bool,
}

/// An action that the role cannot perform, and why.
#[derive(Serialize)]
pub(crate) struct RefusedAction {
    pub(crate) action: &'static str,
    pub(crate) access_level: Level,
    #[serde(flatten)]
    pub(crate) refusal: Refusal,
}

/// The exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// 0: no role is NON_COMPLIANT.
    NoFindings,
    /// 1: a role is NON_COMPLIANT.
    Findings,
    /// 2: a role has an error, no role was judged, or there is no report.
    Errors,
}

impl<'r> RoleReport<'r> {
    /// A report without verdict and without error.
    pub(crate) fn new(account: Option<&'r str>, role_name: &'r str, role_arn: &'r str, role_id: &'r str) -> Self {
        Self {
            account,
            role_name,
            role_arn,
            role_id,
            node_of: Vec::new(),
            verdict: None,
            undecided: Vec::new(),
            annotation: None,
            excess: Vec::new(),
            permitted: Vec::new(),
            missing: Vec::new(),
            remarks: Vec::new(),
            refused: None,
            error: None,
            several_accounts: false,
        }
    }
}

/// How many roles have which result.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    compliant: usize,
    non_compliant: usize,
    not_applicable: usize,
    errors: usize,
}

impl Tally {
    /// Counts a role.
    pub(crate) fn count(&mut self, report: &RoleReport<'_>) {
        let counter = match (&report.error, report.verdict) {
            (None, Some(Compliance::Compliant)) => &mut self.compliant,
            (None, Some(Compliance::NonCompliant)) => &mut self.non_compliant,
            (None, Some(Compliance::NotApplicable)) => &mut self.not_applicable,
            (Some(_), _) | (None, None) => &mut self.errors,
        };
        *counter += 1;
    }

    /// Adds other roles.
    pub(crate) fn add(&mut self, other: Self) {
        self.compliant += other.compliant;
        self.non_compliant += other.non_compliant;
        self.not_applicable += other.not_applicable;
        self.errors += other.errors;
    }

    /// Why no role was judged, and what to do; `None` if one was.
    pub(crate) fn nothing_judged(&self) -> Option<String> {
        if self.compliant + self.non_compliant > 0 {
            return None;
        }
        let roles = |count: usize| if count == 1 { "1 role".to_owned() } else { format!("{count} roles") };
        let options = "name node roles with `--role NAME`, or check all roles with `--all-roles`";
        Some(match (self.not_applicable, self.errors) {
            (0, 0) => "the file has 0 roles, so `--role` and `--all-roles` find none; save it again without `--filter`, or with \
                 `--filter Role LocalManagedPolicy AWSManagedPolicy`"
                .to_owned(),
            (0, 1) => "the file has 1 role, and it has an error".to_owned(),
            (0, errors) => format!("the file has {}, and each has an error", roles(errors)),
            (1, 0) => format!("the file has 1 role, and does not show that EKS nodes use it; {options}"),
            (others, 0) => format!("the file has {}, and shows for none that EKS nodes use it; {options}", roles(others)),
            (others, errors) => format!(
                "the file has {}: {errors} with an error, and {others} without a sign that EKS nodes use it; {options}",
                roles(others + errors)
            ),
        })
    }

    /// The exit status of the command.
    pub(crate) fn exit_status(&self) -> ExitStatus {
        if self.errors > 0 || self.nothing_judged().is_some() {
            ExitStatus::Errors
        } else if self.non_compliant > 0 {
            ExitStatus::Findings
        } else {
            ExitStatus::NoFindings
        }
    }
}

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::NoFindings => Self::from(0),
            ExitStatus::Findings => Self::from(1),
            ExitStatus::Errors => Self::from(2),
        }
    }
}
