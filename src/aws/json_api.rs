//! Calls a JSON API of AWS without its SDK crate. Calls are signed, retried, timed out and counted as the SDK's are.
//!
//! For Security Hub. Its SDK crate has a type for every resource of AWS, as a part of a finding: with it the zip has 5.2
//! MB instead of 3.7 MB, and a debug build overflows its stack. Errors are read as the protocol defines them
//! (<https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>). Dual-stack host names are not supported.

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

use super::call_counter::CallCounter;
use super::pace::Pace;

/// A JSON API of AWS.
#[derive(Debug, Clone, Copy)]
pub(super) struct JsonApi {
    /// The id in the SDK's environment variables and in the counts of calls, such as `SecurityHub`.
    pub(super) service_id: &'static str,
    /// The name in signatures, and the first part of host names, such as `securityhub`.
    pub(super) signing_name: &'static str,
}

/// A request: a JSON document that is posted to a path.
#[derive(Debug)]
pub(super) struct JsonRequest {
    /// The operation's name, such as `GetFindings`.
    pub(super) operation: &'static str,
    /// The path, such as `/findings`.
    pub(super) path: &'static str,
    /// The document.
    pub(super) body: Value,
}

/// The code and message of an error response.
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

impl JsonApi {
    /// Sends the request and returns the JSON document of the response. `pace` bounds the retries of errors that are not
    /// throttling. `partition` selects the host name.
    pub(super) async fn call(
        self,
        sdk: &SdkConfig,
        counter: &CallCounter,
        pace: &Pace,
        partition: &str,
        request: JsonRequest,
    ) -> Result<Value, SdkError<ServiceError, HttpResponse>> {
        let JsonRequest { operation, path, body } = request;
        let mut config = Layer::new("signing");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(pace.retries());
        config.store_put(SigV4OperationSigningConfig {
            region: sdk.region().cloned().map(SigningRegion::from),
            name: Some(SigningName::from_static(self.signing_name)),
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
            .service_name(self.service_id)
            .operation_name(operation)
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.endpoint(sdk, partition))
            .runtime_plugin(StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(components))
            .interceptor(counter.clone())
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
        let serialize = move |body: Value| to_http(path, &body);
        builder.serializer(serialize).deserializer(from_http).build().invoke(body).await
    }

    /// The URL of the API: from the SDK's environment variables, the service's own before the general one
    /// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>), else the host name of the region
    /// (<https://docs.aws.amazon.com/general/latest/gr/rande.html>).
    fn endpoint(self, sdk: &SdkConfig, partition: &str) -> String {
        let key = ServiceConfigKey::builder().service_id(self.service_id).env("AWS_ENDPOINT_URL");
        let key = key.profile("endpoint_url").build().ok();
        let of_service = key.zip(sdk.service_config()).and_then(|(key, config)| config.load_config(key));
        if let Some(url) = of_service.or_else(|| sdk.endpoint_url().map(str::to_owned)) {
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
        format!("https://{}{fips}.{region}.{suffix}", self.signing_name)
    }
}

fn to_http(path: &str, body: &Value) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(serde_json::to_vec(body)?));
    request.set_method("POST")?;
    request.set_uri(path)?;
    request.headers_mut().insert("content-type", "application/json");
    request.headers_mut().insert("user-agent", concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));
    Ok(request)
}

/// Reads the response: the document, or the error's code and message.
fn from_http(response: &HttpResponse) -> Result<Value, OrchestratorError<ServiceError>> {
    let body = serde_json::from_slice::<Value>(response.body().bytes().unwrap_or_default());
    if response.status().is_success() {
        return body.map_err(|cause| OrchestratorError::response(cause.into()));
    }
    let body = body.unwrap_or_default();
    let text = |names: &[&str]| names.iter().find_map(|name| body.get(name).and_then(Value::as_str));
    // The code may have a namespace and a URL:
    // `aws.protocoltests#InvalidAccessException:http://internal.amazon.com/coral/`.
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

    use aws_smithy_types::body::SdkBody;
    use serde_json::json;

    use super::super::call::Call;
    use super::super::call_counter::CallCount;
    use super::super::replay::{Replay, response};
    use super::*;
    use crate::rule::ports::{PortError, PortErrorKind};

    const API: JsonApi = JsonApi { service_id: "SecurityHub", signing_name: "securityhub" };

    /// Calls an API that gives these responses: status, error type, body. Returns the requests too.
    async fn call(responses: &[(u16, &'static str, &str)]) -> (Result<Value, PortError>, CallCount, Vec<HttpRequest>) {
        let replay = Replay::new(responses.iter().map(|(status, error_type, body)| {
            let mut response = response(*status, body);
            response.headers_mut().insert("x-amzn-errortype", *error_type);
            response.headers_mut().insert("x-amzn-requestid", "r-1");
            response
        }));
        let counter = CallCounter::default();
        let config = replay.sdk_config().await;
        let (pace, call) = (Pace::new(&config, &counter), Call::new("securityhub:GetFindings", "x"));
        let request = || {
            let request = JsonRequest { operation: "GetFindings", path: "/findings", body: json!({ "a": 1 }) };
            API.call(&config, &counter, &pace, "aws-us-gov", request)
        };
        let result = call.send(&pace, request).await.map_err(|error| call.failed(&error));
        let counts = BTreeMap::from_iter(counter.take());
        assert_eq!(counts.keys().collect::<Vec<_>>(), ["SecurityHub GetFindings"]);
        (result, counts["SecurityHub GetFindings"], replay.requests())
    }

    #[tokio::test]
    async fn call_is_signed_for_the_service_and_retried() {
        let throttled = (429, "TooManyRequestsException", "{}");
        let (result, count, requests) = call(&[throttled, (500, "", ""), (200, "", r#"{"b":2}"#)]).await;
        assert_eq!((result, count), (Ok(json!({ "b": 2 })), CallCount { calls: 1, retries: 2 }));
        assert_eq!(requests.len(), 3);
        for request in requests {
            assert_eq!(request.method(), "POST");
            assert_eq!(request.uri(), "https://securityhub.us-gov-east-1.amazonaws.com/findings");
            assert_eq!(request.body().bytes(), SdkBody::from(r#"{"a":1}"#).bytes());
            assert_eq!(request.headers().get("content-type"), Some("application/json"));
            let authorization = request.headers().get("authorization").unwrap();
            assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=key/"), "{authorization}");
            assert!(authorization.contains("/us-gov-east-1/securityhub/aws4_request"), "{authorization}");
        }
    }

    #[tokio::test]
    async fn refused_call_names_code_message_and_request() {
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
            let (result, count, _) = call(&[(status, error_type, body)]).await;
            let error = result.unwrap_err();
            assert!(error.to_string().contains(expected), "{status} {body}: {error}");
            assert_eq!((error.kind(), count), (kind, CallCount { calls: 1, retries: 0 }), "{error}");
        }
    }

    #[tokio::test]
    async fn incomplete_response_is_retried_and_an_error() {
        let (result, count, _) = call(&[(200, "", r#"{"b":"#); 3]).await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains("EOF while parsing"), "{error}");
        assert_eq!(count, CallCount { calls: 1, retries: 2 });
    }

    #[tokio::test]
    async fn endpoint_follows_from_region_and_partition() {
        let config = Replay::new([]).sdk_config().await;
        for (partition, fips, url, expected) in [
            ("aws-us-gov", false, None, "https://securityhub.us-gov-east-1.amazonaws.com"),
            ("aws-us-gov", true, None, "https://securityhub-fips.us-gov-east-1.amazonaws.com"),
            ("aws-cn", false, None, "https://securityhub.us-gov-east-1.amazonaws.com.cn"),
            ("aws-iso-b", false, None, "https://securityhub.us-gov-east-1.sc2s.sgov.gov"),
            ("aws", false, Some("http://localhost:1"), "http://localhost:1"),
        ] {
            let mut config = config.to_builder().use_fips(fips);
            config.set_endpoint_url(url.map(str::to_owned));
            assert_eq!(API.endpoint(&config.build(), partition), expected);
        }
    }
}
