//! Which credentials read the event's account: the function's own, or those of a role in that account.
//!
//! Knows AWS Config's conventions for rules that serve several accounts. Does not assume the role itself.

use crate::rule::invocation::Invocation;
use crate::rule::invocation::parameters::SERVICE_LINKED;

/// The credentials that read the event's account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credentials {
    /// The function's own.
    Own,
    /// Those of a role in the event's account.
    Assume {
        /// The role's ARN.
        role_arn: String,
        /// The region of the STS endpoint; `None` means the function's region.
        region: Option<String>,
    },
}

/// The event's account is not the function's, and nothing names a role to read it with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read account `{event}` from account `{own}`: {why}; set the rule parameter `ExecutionRoleName` to a role in \
     account `{event}` that this function may assume"
)]
pub struct OtherAccountError {
    /// The event's account.
    pub event: String,
    /// The function's account.
    pub own: String,
    /// Why no role can be assumed.
    pub why: &'static str,
}

impl Credentials {
    /// The credentials for one invocation.
    ///
    /// `function_arn` is the ARN in Lambda's context. Its account is the function's account. Emulators of Lambda put no
    /// account there. Then the function's own credentials are used, unless the parameters name a role.
    ///
    /// # Errors
    /// The event's account is another one, and neither the parameters nor the event name a role that can be assumed.
    pub fn for_invocation(invocation: &Invocation, function_arn: &str) -> Result<Self, OtherAccountError> {
        // By position and not as an ARN: an account in a text that is no whole ARN still shows which account this is.
        let mut parts = function_arn.split(':');
        let partition = parts.nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws");
        let is_account = |text: &&str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        let own = parts.nth(2).filter(is_account);
        let account = &invocation.account_id;
        if own == Some(account) {
            return Ok(Self::Own);
        }
        let role = &invocation.parameters.execution_role;
        let assume = |role_arn| Ok(Self::Assume { role_arn, region: role.region.clone() });
        if let Some(name) = &role.name {
            return assume(format!("arn:{partition}:iam::{account}:role/{name}"));
        }
        let why = match (&invocation.execution_role_arn, role.assume_the_events) {
            (_, false) if own.is_none() => return Ok(Self::Own),
            (Some(arn), _) if arn.contains(&format!(":role/{SERVICE_LINKED}")) => {
                "the event names AWS Config's service-linked role, which no function can assume"
            }
            (_, false) => "no parameter names a role",
            (Some(arn), true) if arn.starts_with(&format!("arn:{partition}:iam::{account}:role/")) => {
                return assume(arn.clone());
            }
            (Some(_), true) => "the role that the event names is in a third account",
            (None, true) => "`AssumeRoleMode` is `true`, but the event names no role",
        };
        Err(OtherAccountError { event: account.clone(), own: own.unwrap_or("unknown").to_owned(), why })
    }
}
