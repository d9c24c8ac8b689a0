//! The report on one role: plain data that every output format writes.

use ecr_read_only::access::catalogue::Level;
use ecr_read_only::access::{Access, Compliance, Refusal, Remark};
use serde::Serialize;

/// The verdict on one role, or the error that prevented it. The JSON report holds these members.
#[derive(Serialize)]
pub(crate) struct RoleReport<'r> {
    pub(crate) role_name: &'r str,
    pub(crate) role_arn: &'r str,
    pub(crate) role_id: &'r str,
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
            role_name,
            role_arn,
            role_id,
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

impl From<ExitStatus> for std::process::ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::NoFindings => Self::from(0),
            ExitStatus::Findings => Self::from(1),
            ExitStatus::Errors => Self::from(2),
        }
    }
}
