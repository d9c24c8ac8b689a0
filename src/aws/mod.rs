//! Adapters: the questions of [`crate::rule::ports`], asked of AWS.
//!
//! The only room that knows the AWS SDK. Knows how AWS pages, throttles, says "gone" and leaves things out;
//! must not know what the answers are for. Where AWS is (region, endpoints, credentials) comes from the
//! environment alone, so the same code runs in Lambda and against a local AWS.

mod config;
mod eks;
mod iam;

use std::error::Error;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::operation::RequestId;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

pub use self::config::ConfigService;
pub use self::eks::RegionalEks;
pub use self::iam::IamService;
use crate::rule::ports::PortError;

/// The clients of the account and region that the environment names. They share one connection pool: make
/// them once per process.
#[derive(Debug)]
pub struct Clients {
    /// IAM.
    pub iam: IamService,
    /// EKS of the region.
    pub eks: RegionalEks,
    /// AWS Config of the region.
    pub config: ConfigService,
}

/// The environment does not say in which region to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither `AWS_REGION` nor `AWS_DEFAULT_REGION` is set")]
pub struct NoRegion;

impl Clients {
    /// Makes the clients. Opens no connection.
    ///
    /// # Errors
    /// [`NoRegion`], which cannot happen in Lambda.
    pub async fn from_environment() -> Result<Self, NoRegion> {
        let sdk = sdk_config().await;
        let region = sdk.region().ok_or(NoRegion)?.to_string();
        Ok(Self {
            iam: IamService::new(aws_sdk_iam::Client::new(&sdk)),
            eks: RegionalEks::new(aws_sdk_eks::Client::new(&sdk), region),
            config: ConfigService::new(aws_sdk_config::Client::new(&sdk)),
        })
    }
}

async fn sdk_config() -> SdkConfig {
    // TLS by ring: aws-lc-rs, the SDK's own choice, burns 50 to 65 ms of CPU on its first use.
    let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // A call that hangs must leave an invocation time to fail by itself: the SDK sets no bound but on connecting.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(40))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        // The variables alone: the default chain would go on to ask an instance metadata service for it.
        .region(EnvironmentVariableRegionProvider::new())
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .load()
        .await
}

/// A call that failed: AWS's code, message and request id, or whatever kept AWS from answering.
fn failed<E>(operation: &'static str, resource: &str, error: &SdkError<E>) -> PortError
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
    PortError::new(operation, resource, cause)
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
fn told<'a>(
    operation: &'static str,
    resource: &str,
    field: &'static str,
    value: Option<&'a str>,
) -> Result<&'a str, PortError> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| untold(operation, resource, field))
}

/// An answer that lacks something: it is no answer, since reading it as "none" could turn into a verdict.
fn untold(operation: &'static str, resource: &str, field: &'static str) -> PortError {
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
    fn what_an_answer_leaves_out_is_an_error_also_when_the_sdk_made_it_empty() {
        assert_eq!(told("iam:GetRole", "role `a`", "Arn", Some("x")), Ok("x"));
        for value in [None, Some("")] {
            let error = told("iam:GetRole", "role `a`", "Arn", value).unwrap_err();
            assert_eq!(error.to_string(), "iam:GetRole of role `a` failed: the answer lacks `Arn`");
        }
    }
}
