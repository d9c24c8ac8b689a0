//! What a failed call, or an answer that lacks a field, is to the ports.

use std::error::Error;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;

use crate::rule::ports::{PortError, PortErrorKind};

/// A call that failed: AWS's code, message and request id, or whatever kept AWS from answering.
pub(super) fn failed<E>(operation: &'static str, resource: &str, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let mut cause = match error.code() {
        Some(code) => format!("{code}: {}", error.message().unwrap_or("no message")),
        None => chain(error),
    };
    if let Some(response) = error.raw_response() {
        cause.push_str(&format!(" (HTTP {}", response.status().as_u16()));
        if let Some(request_id) = error.request_id() {
            cause.push_str(&format!(", request {request_id}"));
        }
        cause.push(')');
    }
    PortError::new(operation, resource, cause).of_kind(kind(error.code(), error.message()))
}

/// What AWS's error codes and messages mean. A region that is not enabled in the account does not know its credentials
/// (<https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>); services say so by different
/// codes. An explicit deny is told by the message alone
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
fn kind(code: Option<&str>, message: Option<&str>) -> PortErrorKind {
    match code {
        Some("UnrecognizedClientException" | "InvalidClientTokenId" | "OptInRequired") => PortErrorKind::RegionClosed,
        Some("InvalidParameterValueException") => PortErrorKind::NotAccepted,
        // Security Hub's (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>).
        Some("InvalidAccessException") => PortErrorKind::NotEnabled,
        Some(code) if THROTTLING_ERRORS.contains(&code) => PortErrorKind::Throttled,
        _ if message.is_some_and(|message| message.contains("explicit deny")) => PortErrorKind::ExplicitlyDenied,
        _ => PortErrorKind::Failed,
    }
}

/// An error and its causes. Not their `Debug`, which would print whole responses.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// What an answer must tell. The SDK puts an empty text where AWS left a required field out.
pub(super) fn told<'a>(
    operation: &'static str,
    resource: &str,
    field: &'static str,
    value: Option<&'a str>,
) -> Result<&'a str, PortError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| untold(operation, resource, field))
}

/// An answer that lacks something: it is no answer, since reading it as "none" could turn into a verdict.
pub(super) fn untold(operation: &'static str, resource: &str, field: &'static str) -> PortError {
    PortError::new(operation, resource, format!("the answer lacks `{field}`"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::http::HttpResponse;
    use aws_sdk_iam::error::ErrorMetadata;
    use aws_sdk_iam::operation::get_role::GetRoleError;

    use super::*;

    #[test]
    fn an_error_names_operation_resource_code_message_and_request() {
        let refused = |metadata: ErrorMetadata| {
            let mut response = HttpResponse::new(403.try_into().unwrap(), "secret body".into());
            response.headers_mut().insert("x-amzn-requestid", "r-1");
            let error = SdkError::service_error(GetRoleError::generic(metadata), response);
            failed("iam:GetRole", "role `a`", &error).to_string()
        };
        assert_eq!(
            refused(ErrorMetadata::builder().code("AccessDenied").message("no").build()),
            "iam:GetRole of role `a` failed: AccessDenied: no (HTTP 403, request r-1)"
        );
        assert_eq!(
            refused(ErrorMetadata::builder().build()),
            "iam:GetRole of role `a` failed: service error: unhandled error: Error (HTTP 403, request r-1)"
        );
        let hung: SdkError<GetRoleError> = SdkError::timeout_error("slow");
        assert_eq!(
            failed("iam:GetRole", "role `a`", &hung).to_string(),
            "iam:GetRole of role `a` failed: request has timed out: slow"
        );
    }

    #[test]
    fn what_codes_and_messages_mean() {
        let denied = "User: x is not authorized to perform: eks:ListClusters on resource: y with an explicit deny in a \
                      service control policy";
        for (code, message, expected) in [
            (Some("UnrecognizedClientException"), "The security token is invalid.", PortErrorKind::RegionClosed),
            (Some("InvalidParameterValueException"), "", PortErrorKind::NotAccepted),
            (Some("InvalidAccessException"), "not subscribed", PortErrorKind::NotEnabled),
            (Some("TooManyRequestsException"), "", PortErrorKind::Throttled),
            (Some("LimitExceededException"), "", PortErrorKind::Throttled),
            (Some("Throttling"), "Rate exceeded", PortErrorKind::Throttled),
            (Some("AccessDeniedException"), denied, PortErrorKind::ExplicitlyDenied),
            (Some("AccessDeniedException"), "because no identity-based policy allows", PortErrorKind::Failed),
            (None, "", PortErrorKind::Failed),
        ] {
            assert_eq!(kind(code, Some(message)), expected, "{code:?} {message}");
        }
    }

    #[test]
    fn what_an_answer_leaves_out_is_an_error_also_when_the_sdk_made_it_empty() {
        assert_eq!(told("iam:GetRole", "role `a`", "Arn", Some("x")), Ok("x"));
        for value in [None, Some("")] {
            let error = told("iam:GetRole", "role `a`", "Arn", value).unwrap_err();
            assert_eq!(error.to_string(), "iam:GetRole of role `a` failed: the answer lacks `Arn`");
        }
    }
}
