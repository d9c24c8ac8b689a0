//! An HTTP client for the tests: it returns prepared responses in order and records the requests.
//!
//! The SDK has such a client, `StaticReplayClient`. It would be a dev-dependency, which Cargo also builds for the tests
//! without the SDK: 148 crates instead of 33.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::{AsyncSleep, Credentials, SharedCredentialsProvider, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Responses to return and requests received. Clones share both.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    responses: Arc<Mutex<VecDeque<HttpResponse>>>,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

/// A response with a status and a body.
pub(super) fn response(status: u16, body: &str) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), body.to_owned().into())
}

impl Replay {
    pub(super) fn new(responses: impl IntoIterator<Item = HttpResponse>) -> Self {
        Self { responses: Arc::new(Mutex::new(responses.into_iter().collect())), requests: Arc::default() }
    }

    /// The requests since the last call of this.
    pub(super) fn requests(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// The configuration of clients that use this one, in `us-gov-east-1`, with 3 attempts for a call and no waits.
    pub(super) async fn sdk_config(&self) -> SdkConfig {
        let retries = RetryConfig::standard().with_max_attempts(3);
        aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("us-gov-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .http_client(self.clone())
            .sleep_impl(NoWait)
            .retry_config(retries)
            .load()
            .await
    }
}

/// A sleep that ends at once.
#[derive(Debug)]
struct NoWait;

impl AsyncSleep for NoWait {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::ready(()))
    }
}

impl HttpClient for Replay {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(request);
        let response = self.responses.lock().unwrap().pop_front();
        HttpConnectorFuture::ready(response.ok_or_else(|| ConnectorError::user("no response is left".into())))
    }
}
