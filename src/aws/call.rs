//! One call to AWS: its failure, and a response that lacks something, as errors of the ports.

use std::error::Error;

use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;

use super::call_counter::counted;
use super::pace::Pace;
use crate::rule::ports::{PortError, PortErrorKind};

/// The HTTP status "Too Many Requests". A proxy may send it without an error code of AWS.
const TOO_MANY_REQUESTS: u16 = 429;

/// A call, as errors name it.
#[derive(Debug)]
pub(super) struct Call {
    operation: &'static str,
    resource: String,
    /// How many attempts there are at most if AWS throttles; `None`: until the invocation's time limit.
    attempts: Option<usize>,
}

impl Call {
    /// `operation` as IAM policies spell it (`iam:GetRole`), and the resource that it is about.
    pub(super) fn new(operation: &'static str, resource: impl Into<String>) -> Self {
        Self { operation, resource: resource.into(), attempts: None }
    }

    /// The same call, which is given up after this many throttled attempts. For calls that the invocation can do without.
    pub(super) fn with_attempts(self, attempts: usize) -> Self {
        Self { attempts: Some(attempts), ..self }
    }

    /// Makes the call at its pace, and repeats it as long as AWS throttles it. `request` sends the request once.
    ///
    /// # Errors
    /// Any failure that is not throttling. Throttling only if the number of attempts is limited.
    pub(super) async fn send<R, E, F>(&self, pace: &Pace, request: impl Fn() -> F) -> Result<R, SdkError<E>>
    where
        F: Future<Output = Result<R, SdkError<E>>>,
        E: ProvideErrorMetadata,
    {
        let mut permit = pace.permit(self.operation).await;
        let mut attempt = 1;
        loop {
            match counted(attempt > 1, request()).await {
                Err(error) if is_throttled(&error) && self.attempts.is_none_or(|most| attempt < most) => {
                    permit.throttled().await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
                Ok(response) => {
                    permit.succeeded();
                    return Ok(response);
                }
            }
        }
    }

    /// An error with this cause.
    pub(super) fn error(&self, cause: impl Into<String>) -> PortError {
        PortError::new(self.operation, &self.resource, cause)
    }

    /// The failure of the call: AWS's code, message and request id, or the reason why there is no response.
    pub(super) fn failed<E>(&self, error: &SdkError<E>) -> PortError
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
        let kind = if is_throttled(error) { PortErrorKind::Throttled } else { kind(error.code(), error.message()) };
        self.error(cause).of_kind(kind)
    }

    /// The response, or `None` if the error is one that `gone` recognizes: the resource does not exist.
    ///
    /// # Errors
    /// Any other failure.
    pub(super) fn if_exists<R, E>(
        &self,
        result: Result<R, SdkError<E>>,
        gone: impl Fn(&SdkError<E>) -> bool,
    ) -> Result<Option<R>, PortError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match result {
            Ok(response) => Ok(Some(response)),
            Err(error) if gone(&error) => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A required field of the response. The SDK returns an empty string where AWS omitted it; that is an error here.
    pub(super) fn required(&self, field: &str, value: Option<&str>) -> Result<String, PortError> {
        let value = value.filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| self.missing_field(field))
    }

    /// The response lacks a required field. It is not read as "none", because that could change a verdict.
    pub(super) fn missing_field(&self, field: &str) -> PortError {
        self.error(format!("the response lacks `{field}`"))
    }
}

/// Whether AWS throttled the call.
fn is_throttled<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code().is_some_and(|code| THROTTLING_ERRORS.contains(&code))
        || error.raw_response().is_some_and(|response| response.status().as_u16() == TOO_MANY_REQUESTS)
}

/// The meaning of AWS's error codes and messages, throttling excepted.
///
/// A region that is not enabled in the account rejects the account's credentials; services use different codes for that
/// (<https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>). Only the message shows an
/// explicit deny (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
fn kind(code: Option<&str>, message: Option<&str>) -> PortErrorKind {
    match code {
        Some("UnrecognizedClientException" | "InvalidClientTokenId" | "OptInRequired") => PortErrorKind::RegionClosed,
        Some("InvalidParameterValueException") => PortErrorKind::NotAccepted,
        // AWS Config's (<https://docs.aws.amazon.com/config/latest/APIReference/API_PutEvaluations.html>).
        Some("NoSuchConfigRuleException") => PortErrorKind::NoSuchRule,
        Some("InvalidResultTokenException") => PortErrorKind::InvalidResultToken,
        // Security Hub's (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>).
        Some("InvalidAccessException") => PortErrorKind::NotEnabled,
        _ if message.is_some_and(|message| message.contains("explicit deny")) => PortErrorKind::ExplicitlyDenied,
        Some("AccessDenied" | "AccessDeniedException") => PortErrorKind::Denied,
        _ => PortErrorKind::Failed,
    }
}

/// An error and its causes. Their `Debug` would print whole responses.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::http::HttpResponse;
    use aws_sdk_iam::error::ErrorMetadata;
    use aws_sdk_iam::operation::get_role::GetRoleError;

    use super::*;

    fn call() -> Call {
        Call::new("iam:GetRole", "role `a`")
    }

    #[test]
    fn error_names_operation_resource_code_and_request() {
        let refused = |metadata: ErrorMetadata| {
            let mut response = HttpResponse::new(403.try_into().unwrap(), "secret body".into());
            response.headers_mut().insert("x-amzn-requestid", "r-1");
            let error = SdkError::service_error(GetRoleError::generic(metadata), response);
            call().failed(&error).to_string()
        };
        assert_eq!(
            refused(ErrorMetadata::builder().code("AccessDenied").message("no").build()),
            "iam:GetRole of role `a` failed: AccessDenied: no (HTTP 403, request r-1)"
        );
        assert_eq!(
            refused(ErrorMetadata::builder().build()),
            "iam:GetRole of role `a` failed: service error: unhandled error: Error (HTTP 403, request r-1)"
        );
        let timeout: SdkError<GetRoleError> = SdkError::timeout_error("slow");
        assert_eq!(call().failed(&timeout).to_string(), "iam:GetRole of role `a` failed: request has timed out: slow");
    }

    #[test]
    fn error_kind_follows_from_code_and_message() {
        let denied = "User: x is not authorized to perform: eks:ListClusters on resource: y with an explicit deny in a \
                      service control policy";
        for (code, message, expected) in [
            (Some("UnrecognizedClientException"), "The security token is invalid.", PortErrorKind::RegionClosed),
            (Some("InvalidParameterValueException"), "", PortErrorKind::NotAccepted),
            (Some("InvalidAccessException"), "not subscribed", PortErrorKind::NotEnabled),
            (Some("AccessDeniedException"), denied, PortErrorKind::ExplicitlyDenied),
            (Some("AccessDeniedException"), "because no identity-based policy allows", PortErrorKind::Denied),
            (Some("AccessDenied"), "not authorized", PortErrorKind::Denied),
            (Some("NoSuchConfigRuleException"), "", PortErrorKind::NoSuchRule),
            (Some("InvalidResultTokenException"), "", PortErrorKind::InvalidResultToken),
            (None, "", PortErrorKind::Failed),
        ] {
            assert_eq!(kind(code, Some(message)), expected, "{code:?} {message}");
        }
    }

    #[test]
    fn missing_or_empty_required_field_is_an_error() {
        assert_eq!(call().required("Arn", Some("x")), Ok("x".to_owned()));
        for value in [None, Some("")] {
            let error = call().required("Arn", value).unwrap_err();
            assert_eq!(error.to_string(), "iam:GetRole of role `a` failed: the response lacks `Arn`");
        }
    }
}
