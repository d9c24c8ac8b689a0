//! What to do about a failed call to AWS: the end of an error's text.

use crate::rule::ports::error::{PortError, PortErrorKind};

/// What to do if Security Hub is not enabled.
pub(in crate::rule) const NOT_ENABLED: &str =
    "; enable Security Hub in this account and region, or set the rule parameter `SecurityHubFindings` to `false`";

/// What to do about the failed call, with `; ` before it. Empty if the error says enough.
pub(in crate::rule) fn advice(error: &PortError) -> &'static str {
    let service = error.operation().split_once(':').map_or("", |(service, _)| service);
    match (service, error.kind()) {
        (_, PortErrorKind::Throttled) => {
            "; AWS throttled the call: wait, Lambda repeats the invocation, and the next schedule evaluates every role"
        }
        (_, PortErrorKind::NotEnabled) => NOT_ENABLED,
        ("securityhub", PortErrorKind::Denied) => {
            "; the role that the function uses may not call Security Hub: set the parameter `SecurityHubFindings` of its \
             stack to `true` (in another account that is the stack of the member role), or set the rule parameter \
             `SecurityHubFindings` to `false`"
        }
        ("securityhub", PortErrorKind::ExplicitlyDenied) => {
            "; an explicit deny, often in a service control policy, blocks the call: change that policy, or set the rule \
             parameter `SecurityHubFindings` to `false`"
        }
        (_, PortErrorKind::NoSuchRule) => "; the rule was deleted or renamed, so nothing is left to do",
        (_, PortErrorKind::InvalidResultToken) => {
            "; the result token is not one of AWS Config, or no longer valid: an event that you write needs the result \
             token `TESTMODE`"
        }
        ("sts", PortErrorKind::Denied) => {
            "; check that the role exists in that account and that its trust policy names the function's role"
        }
        (_, PortErrorKind::Denied) => {
            "; the role that the function uses lacks this permission: update its stack to the current template"
        }
        (_, PortErrorKind::ExplicitlyDenied) => {
            "; an explicit deny, often in a service control policy, blocks the call: change that policy"
        }
        _ => "",
    }
}

/// What to do where node roles cannot be listed: the first advice that one of the failures has.
pub(in crate::rule) fn cluster_advice(errors: &[PortError]) -> &'static str {
    errors.iter().map(call_advice).find(|advice| !advice.is_empty()).unwrap_or_default()
}

fn call_advice(error: &PortError) -> &'static str {
    match (error.operation().split_once(':'), error.kind()) {
        (_, PortErrorKind::Throttled) => advice(error),
        (Some(("account", _)), _) => "; or set the rule parameter `ClusterRegions` to the regions to search",
        (Some(("eks", "ListClusters")), PortErrorKind::RegionClosed) => {
            "; the region does not accept the credentials: they are invalid, or no region in the rule parameter \
             `ClusterRegions` is enabled in the account"
        }
        (_, PortErrorKind::DeniedByServiceControlPolicy) => {
            "; a service control policy closes the region: set the rule parameter `DeniedRegions` to `skip`, or \
             `ClusterRegions` to the other regions"
        }
        (Some(("eks", _)), PortErrorKind::ExplicitlyDenied) | (Some(("eks", "ListClusters")), _) => {
            "; if a service control policy closes the region, or it has no EKS, set the rule parameter `ClusterRegions` \
             to the other regions"
        }
        _ => advice(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_from_service_and_kind() {
        for (operation, kind, expected) in [
            ("securityhub:GetFindings", PortErrorKind::NotEnabled, "enable Security Hub"),
            ("securityhub:BatchImportFindings", PortErrorKind::Denied, "stack of the member role"),
            ("securityhub:GetFindings", PortErrorKind::ExplicitlyDenied, "service control policy"),
            ("securityhub:GetFindings", PortErrorKind::Throttled, "Lambda repeats the invocation"),
            ("config:PutEvaluations", PortErrorKind::NoSuchRule, "nothing is left to do"),
            ("config:GetComplianceDetailsByConfigRule", PortErrorKind::NoSuchRule, "nothing is left to do"),
            ("config:PutEvaluations", PortErrorKind::InvalidResultToken, "`TESTMODE`"),
            ("config:PutEvaluations", PortErrorKind::Throttled, "Lambda repeats the invocation"),
            ("sts:AssumeRole", PortErrorKind::Denied, "trust policy"),
            ("iam:GetRole", PortErrorKind::Denied, "update its stack"),
            ("iam:GetRole", PortErrorKind::ExplicitlyDenied, "service control policy"),
            ("iam:GetRole", PortErrorKind::Throttled, "Lambda repeats the invocation"),
            ("iam:GetRole", PortErrorKind::Failed, ""),
        ] {
            let text = advice(&PortError::new(operation, "x", "cause").of_kind(kind));
            assert!(text.contains(expected) && text.is_empty() == expected.is_empty(), "{operation} {kind:?}: {text}");
        }
    }
}
