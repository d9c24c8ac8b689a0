//! Calls of a JSON API of AWS: signed, retried, timed out and counted as those of the SDK's clients are. Dual-stack host
//! names are not known here.
//!
//! For a service whose SDK crate costs more than it is worth: that of Security Hub knows every resource of AWS as a part of
//! a finding, which makes the zip larger than it may be, and a debug build overflow its stack. Knows the SDK's runtime, and
//! how AWS spells errors in JSON (<https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>); nothing of what is
//! asked.

use std::fmt;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_runtime::service_clock_skew::{ServiceClockSkewClassifier, ServiceClockSkewInterceptor};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde_json::Value;

use super::call_counter::Calls;

/// A service, as its calls are named, signed and sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    /// Its id in the SDK's variables, and what its calls are counted by.
    pub(super) name: &'static str,
    /// What requests are signed for, and the first part of its host names.
    pub(super) signing_name: &'static str,
}

/// An error that the service answered with.
#[derive(Debug)]
pub(super) struct ServiceError(ErrorMetadata);

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for ServiceError {}

impl ProvideErrorMetadata for ServiceError {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// Posts a JSON document to `path`, and returns the one that is the answer.
pub(super) async fn call(
    sdk: &SdkConfig,
    calls: &Calls,
    service: Service,
    operation: &'static str,
    partition: &str,
    path: &'static str,
    body: Value,
) -> Result<Value, SdkError<ServiceError, HttpResponse>> {
    let mut config = Layer::new("signing");
    config.store_put(AuthSchemeOptionResolverParams::new(()));
    config.store_put(SigV4OperationSigningConfig {
        region: sdk.region().cloned().map(SigningRegion::from),
        name: Some(SigningName::from_static(service.signing_name)),
        ..SigV4OperationSigningConfig::default()
    });
    let mut components = RuntimeComponentsBuilder::new("signing")
        .with_auth_scheme(SigV4AuthScheme::new())
        .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
        .with_http_client(sdk.http_client())
        .with_identity_cache(sdk.identity_cache())
        .with_sleep_impl(sdk.sleep_impl())
        .with_time_source(sdk.time_source());
    if let Some(credentials) = sdk.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, credentials);
    }
    let mut builder = Operation::builder()
        .service_name(service.name)
        .operation_name(operation)
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(&endpoint(sdk, service, partition))
        .runtime_plugin(StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(components))
        .interceptor(calls.clone())
        .retry_classifier(TransientErrorClassifier::<ServiceError>::new())
        .retry_classifier(AwsErrorCodeClassifier::<ServiceError>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .retry_classifier(ServiceClockSkewClassifier::<ServiceError>::new())
        .interceptor(ServiceClockSkewInterceptor::new())
        .with_connection_poisoning();
    if let Some(retry_config) = sdk.retry_config() {
        builder = builder.standard_retry(retry_config);
    }
    if let Some(timeouts) = sdk.timeout_config() {
        builder = builder.timeout_config(timeouts.clone());
    }
    let operation = builder.serializer(move |body: Value| request(path, &body)).deserializer(answer).build();
    operation.invoke(body).await
}

/// Where the service is: where the SDK's variables say, of this service before those of all
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>), or at its name in the region
/// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
fn endpoint(sdk: &SdkConfig, service: Service, partition: &str) -> String {
    let key =
        ServiceConfigKey::builder().service_id(service.name).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let own = key.ok().zip(sdk.service_config()).and_then(|(key, config)| config.load_config(key));
    if let Some(url) = own.or_else(|| sdk.endpoint_url().map(str::to_owned)) {
        return url;
    }
    // As in `partitions.json` of every SDK.
    let suffix = match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    };
    let fips = if sdk.use_fips() == Some(true) { "-fips" } else { "" };
    let region = sdk.region().map(AsRef::as_ref).unwrap_or_default();
    format!("https://{}{fips}.{region}.{suffix}", service.signing_name)
}

fn request(path: &str, body: &Value) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(serde_json::to_vec(body)?));
    request.set_method("POST")?;
    request.set_uri(path)?;
    request.headers_mut().insert("content-type", "application/json");
    request.headers_mut().insert("user-agent", concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Value, OrchestratorError<ServiceError>> {
    let body = serde_json::from_slice::<Value>(response.body().bytes().unwrap_or_default());
    if response.status().is_success() {
        return body.map_err(|cause| OrchestratorError::response(cause.into()));
    }
    let body = body.unwrap_or_default();
    let text = |names: &[&str]| names.iter().find_map(|name| body.get(name).and_then(Value::as_str));
    // `aws.protocoltests#InvalidAccessException:http://internal.amazon.com/coral/`
    let code = response
        .headers()
        .get("x-amzn-errortype")
        .filter(|code| !code.is_empty())
        .or_else(|| text(&["__type", "code", "Code"]));
    let code = code.and_then(|code| code.split(':').next()).and_then(|code| code.rsplit('#').next());
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code {
        metadata = metadata.code(code);
    }
    if let Some(message) = text(&["message", "Message", "errorMessage"]) {
        metadata = metadata.message(message);
    }
    Err(OrchestratorError::operation(ServiceError(metadata.build())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Duration;

    use aws_config::Region;
    use aws_config::retry::RetryConfig;
    use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
    use serde_json::json;

    use super::super::call_counter::Count;
    use super::super::error::failed;
    use super::*;
    use crate::rule::ports::PortErrorKind;

    const SERVICE: Service = Service { name: "SecurityHub", signing_name: "securityhub" };

    fn sdk() -> aws_config::ConfigLoader {
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-gov-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1)))
    }

    /// Calls a service that answers so, one answer to a connection; returns the requests' heads too.
    async fn ask(answers: &[(u16, &str, &str)]) -> (Result<Value, String>, PortErrorKind, Count, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sdk = sdk().endpoint_url(format!("http://{}", listener.local_addr().unwrap())).load().await;
        let answers: Vec<String> = (answers.iter())
            .map(|(status, error_type, body)| {
                let length = body.len();
                format!(
                    "HTTP/1.1 {status} x\r\nx-amzn-errortype: {error_type}\r\nx-amzn-requestid: r-1\r\n\
                     connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                )
            })
            .collect();
        let server = thread::spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let (mut request, mut buffer) = (String::new(), [0; 4096]);
                while !request.ends_with("{\"a\":1}") {
                    let read = stream.read(&mut buffer).unwrap();
                    request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
                }
                stream.write_all(answer.as_bytes()).unwrap();
                request.to_lowercase()
            };
            answers.into_iter().map(answer).collect::<Vec<_>>()
        });
        let calls = Calls::default();
        let result = call(&sdk, &calls, SERVICE, "GetFindings", "aws-us-gov", "/findings", json!({ "a": 1 })).await;
        let error = result.map_err(|error| failed("securityhub:GetFindings", "x", &error));
        let kind = error.as_ref().err().map(crate::rule::ports::PortError::kind).unwrap_or_default();
        let counts = BTreeMap::from_iter(calls.take());
        assert_eq!(counts.keys().collect::<Vec<_>>(), ["SecurityHub GetFindings"]);
        let result = error.map_err(|error| error.to_string());
        (result, kind, counts["SecurityHub GetFindings"], server.join().unwrap())
    }

    #[tokio::test]
    async fn a_call_is_signed_for_the_service_and_tried_again_as_those_of_the_sdk_are() {
        let throttled = (429, "TooManyRequestsException", "{}");
        let (result, _, count, requests) = ask(&[throttled, (500, "", ""), (200, "", r#"{"b":2}"#)]).await;
        assert_eq!((result, count), (Ok(json!({ "b": 2 })), Count { calls: 1, retries: 2 }));
        for request in requests {
            assert!(request.starts_with("post /findings http/1.1\r\n"), "{request}");
            assert!(request.contains("authorization: aws4-hmac-sha256 credential=key/"), "{request}");
            assert!(request.contains("/us-gov-east-1/securityhub/aws4_request"), "{request}");
            assert!(request.contains("content-type: application/json\r\n"), "{request}");
        }
    }

    #[tokio::test]
    async fn what_the_service_refuses_is_told_by_code_message_and_request() {
        let message = r#"{"Message":"not subscribed"}"#;
        for (status, error_type, body, expected, kind) in [
            (
                401,
                "InvalidAccessException:http://internal.amazon.com/coral/",
                message,
                "InvalidAccessException: not subscribed (HTTP 401, request r-1)",
                PortErrorKind::NotEnabled,
            ),
            (
                403,
                "",
                r#"{"__type":"x#AccessDeniedException","message":"with an explicit deny"}"#,
                "AccessDeniedException: with an explicit deny (HTTP 403, request r-1)",
                PortErrorKind::ExplicitlyDenied,
            ),
            (400, "", r#"{"Code":"Odd"}"#, "Odd: no message (HTTP 400, request r-1)", PortErrorKind::Failed),
            (400, "", "<html>", "service error: Error (HTTP 400, request r-1)", PortErrorKind::Failed),
        ] {
            let (result, told, count, _) = ask(&[(status, error_type, body)]).await;
            let error = result.unwrap_err();
            assert!(error.contains(expected), "{status} {body}: {error}");
            assert_eq!((told, count), (kind, Count { calls: 1, retries: 0 }), "{error}");
        }
        let (result, _, count, _) = ask(&[(200, "", r#"{"b":"#); 3]).await;
        let error = result.unwrap_err();
        assert!(error.contains("EOF while parsing"), "an answer that is cut short is none: {error}");
        assert_eq!(count, Count { calls: 1, retries: 2 });
    }

    #[tokio::test]
    async fn the_service_is_found_by_region_and_partition() {
        for (partition, fips, url, expected) in [
            ("aws-us-gov", false, None, "https://securityhub.us-gov-east-1.amazonaws.com"),
            ("aws-us-gov", true, None, "https://securityhub-fips.us-gov-east-1.amazonaws.com"),
            ("aws-cn", false, None, "https://securityhub.us-gov-east-1.amazonaws.com.cn"),
            ("aws-iso-b", false, None, "https://securityhub.us-gov-east-1.sc2s.sgov.gov"),
            ("aws", false, Some("http://localhost:1"), "http://localhost:1"),
        ] {
            let sdk = sdk().use_fips(fips);
            let sdk = match url {
                Some(url) => sdk.endpoint_url(url),
                None => sdk,
            };
            assert_eq!(endpoint(&sdk.load().await, SERVICE, partition), expected);
        }
    }
}
