//! Whose credentials an invocation uses: the function's own, or those of a role in the event's account.
//!
//! Knows AWS Config's conventions for rules that serve several accounts; must not know how a role is assumed.

use crate::policy::arn::Arn;
use crate::rule::error::EvaluationError;
use crate::rule::invocation::Invocation;
use crate::rule::invocation::parameters::SERVICE_LINKED;

/// How the event's account is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// By the function's own credentials.
    Own,
    /// By those of a role in that account.
    Assume {
        /// The role's ARN.
        role_arn: String,
        /// The region of the STS that is asked; `None` means the function's own.
        region: Option<String>,
    },
}

impl Invocation {
    /// Whose credentials are to be used. `function_arn` is the ARN that the function was invoked by, whose account is the
    /// function's own. Emulators of Lambda have none there: then the function's own credentials are taken to be those of
    /// the event's account, unless the parameters say otherwise.
    ///
    /// # Errors
    /// [`EvaluationError::OtherAccount`] where the event's account is another, and nothing says how to read it.
    pub fn credentials(&self, function_arn: &str) -> Result<Credentials, EvaluationError> {
        let function = Arn::parse(function_arn);
        let partition = function.map(|arn| arn.partition).filter(|partition| !partition.is_empty()).unwrap_or("aws");
        let is_account = |text: &&str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        let own = function.map(|arn| arn.account).filter(is_account);
        if own == Some(&self.account_id) {
            return Ok(Credentials::Own);
        }
        let role = &self.parameters.execution_role;
        let assume = |role_arn| Ok(Credentials::Assume { role_arn, region: role.region.clone() });
        if let Some(name) = &role.name {
            return assume(format!("arn:{partition}:iam::{}:role/{name}", self.account_id));
        }
        let why = match (&self.execution_role_arn, role.assume_the_events) {
            (_, false) if own.is_none() => return Ok(Credentials::Own),
            (Some(arn), _) if arn.contains(&format!(":role/{SERVICE_LINKED}")) => {
                "the role that the event names is AWS Config's service-linked role, which no function can assume"
            }
            (_, false) => "nothing says which role to assume there",
            (Some(arn), true) if arn.starts_with(&format!("arn:{partition}:iam::{}:role/", self.account_id)) => {
                return assume(arn.clone());
            }
            (Some(_), true) => "the role that the event names lies in a third account",
            (None, true) => "the event names no role, though `AssumeRoleMode` is `true`",
        };
        Err(EvaluationError::OtherAccount {
            event: self.account_id.clone(),
            own: own.unwrap_or("unknown").to_owned(),
            why,
        })
    }
}
