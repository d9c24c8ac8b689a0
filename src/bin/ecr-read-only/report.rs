//! The report: plain data that every output format writes.

use std::io;

use ecr_read_only::access::catalogue::{CATALOGUE_DATE, Level, OPERATIONS_SOURCE};
use ecr_read_only::access::{Access, AllowedAccess, Compliance, Criteria, Refusal, Remark};
use ecr_read_only::policy::arn::Arn;
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
    /// The moment from which on time conditions are evaluated; RFC 3339, UTC.
    at: String,
    criteria: CriteriaReport<'r>,
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
    pub(crate) fn new(criteria: &'r Criteria, at: OffsetDateTime) -> io::Result<Self> {
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
            at: at.format(&Rfc3339).map_err(io::Error::other)?,
            criteria,
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
}

/// An action that the role cannot perform, and why.
#[derive(Serialize)]
pub(crate) struct RefusedAction {
    pub(crate) action: &'static str,
    pub(crate) access_level: Level,
    #[serde(flatten)]
    pub(crate) refusal: Refusal,
}

/// The exit status, from best to worst: the worst of all roles is that of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ExitStatus {
    /// 0: no role is NON_COMPLIANT.
    NoFindings,
    /// 1: a role is NON_COMPLIANT.
    Findings,
    /// 2: a role has an error, or there is no report.
    Errors,
}

impl<'r> RoleReport<'r> {
    /// A report without verdict and without error.
    pub(crate) fn new(role_name: &'r str, role_arn: &'r str, role_id: &'r str) -> Self {
        Self {
            account: account_of(role_arn),
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
        }
    }

    /// The exit status if this were the only role.
    pub(crate) fn exit_status(&self) -> ExitStatus {
        match (&self.error, self.verdict) {
            (Some(_), _) => ExitStatus::Errors,
            (None, Some(Compliance::NonCompliant)) => ExitStatus::Findings,
            (None, _) => ExitStatus::NoFindings,
        }
    }
}

/// The account of a role, from its ARN.
fn account_of(arn: &str) -> Option<&str> {
    let account = Arn::parse(arn)?.account;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
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
