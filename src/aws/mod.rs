//! Adapters: the questions of [`crate::rule::ports`], asked of AWS.
//!
//! The only room that knows the AWS SDK. Knows how AWS pages, throttles, says "gone" and leaves things out;
//! must not know what the answers are for. Where AWS is (region, endpoints, credentials) comes from the
//! environment alone, so the same code runs in Lambda and against a local AWS.

mod call_counter;
mod complete_xml;
mod config;
mod eks;
mod error;
mod iam;
mod json_api;
mod pages;
mod security_hub;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_iam::config::{Credentials as Keys, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

pub use self::call_counter::{Calls, Count};
use self::complete_xml::WholeAnswers;
pub use self::config::ConfigService;
pub use self::eks::EksService;
use self::error::{failed, untold};
pub use self::iam::IamService;
pub use self::security_hub::SecurityHubService;
use crate::rule::Credentials;
use crate::rule::ports::PortError;

/// The name of the function's sessions in other accounts, for whoever reads their CloudTrail.
const SESSION: &str = "eks-node-role-ecr-read-only";

/// How long before they expire credentials of another account are given up: the longest that an invocation may take.
const LONGEST_INVOCATION: Duration = Duration::from_secs(900);

/// How many accounts' clients are kept. Beyond them, all are made anew.
const ACCOUNTS: usize = 32;

/// How often a call is tried. An account's IAM throttles by a bucket that others share: with as many attempts, and waits
/// that double from a second on, the callers in flight share what it gives. The SDK's adaptive mode was tried and is far
/// slower here: it took 26 s where the bucket imposes 4.6, and standard mode 5
/// (`python -m local.measure.scale schedule --node-roles 30 --other-roles 100 --clusters 5`).
const ATTEMPTS: u32 = 8;

/// AWS, as the environment and the function's role reach it. Make it once per process.
#[derive(Debug)]
pub struct Aws {
    sdk: SdkConfig,
    calls: Calls,
    accounts: Mutex<HashMap<Credentials, Account>>,
}

/// The clients of one account. They share one connection pool with all others.
#[derive(Debug)]
pub struct Clients {
    /// IAM.
    pub iam: IamService,
    /// EKS, in every region.
    pub eks: EksService,
    /// AWS Config of the function's region.
    pub config: ConfigService,
    /// Security Hub of the function's region.
    pub security_hub: SecurityHubService,
}

#[derive(Debug)]
struct Account {
    clients: Arc<Clients>,
    expires: Option<SystemTime>,
}

/// The environment does not say in which region to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither `AWS_REGION` nor `AWS_DEFAULT_REGION` is set")]
pub struct NoRegion;

impl Aws {
    /// Reads the environment. Opens no connection.
    ///
    /// # Errors
    /// [`NoRegion`], which cannot happen in Lambda.
    pub async fn from_environment() -> Result<Self, NoRegion> {
        let sdk = sdk_config().await;
        sdk.region().ok_or(NoRegion)?;
        Ok(Self { sdk, calls: Calls::default(), accounts: Mutex::default() })
    }

    /// What was called, by all clients.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The clients that use these credentials. Those of another account are asked for once, and again before they expire.
    ///
    /// # Errors
    /// That STS did not give them.
    pub async fn clients(&self, credentials: &Credentials) -> Result<Arc<Clients>, PortError> {
        let latest = SystemTime::now() + LONGEST_INVOCATION;
        {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            let known = accounts.get(credentials);
            if let Some(account) = known.filter(|account| account.expires.is_none_or(|expires| expires > latest)) {
                return Ok(Arc::clone(&account.clients));
            }
        }
        let (sdk, expires) = match credentials {
            Credentials::Own => (self.sdk.clone(), None),
            Credentials::Assume { role_arn, region } => {
                let keys = self.assume(role_arn, region.as_deref()).await?;
                let expires = keys.expiry();
                let sdk = self.sdk.to_builder().credentials_provider(SharedCredentialsProvider::new(keys));
                (sdk.identity_cache(IdentityCache::lazy().build()).build(), expires)
            }
        };
        let clients = Arc::new(Clients::new(&sdk, &self.calls));
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= ACCOUNTS {
            accounts.clear();
        }
        accounts.insert(credentials.clone(), Account { clients: Arc::clone(&clients), expires });
        Ok(clients)
    }

    async fn assume(&self, role_arn: &str, region: Option<&str>) -> Result<Keys, PortError> {
        const OPERATION: &str = "sts:AssumeRole";
        let resource = format!("role `{role_arn}`");
        let mut config =
            aws_sdk_sts::config::Builder::from(&self.sdk).interceptor(self.calls.clone()).interceptor(WholeAnswers);
        config.set_region(region.map(|region| Region::new(region.to_owned())).or_else(|| self.sdk.region().cloned()));
        let answer = aws_sdk_sts::Client::from_conf(config.build())
            .assume_role()
            .role_arn(role_arn)
            .role_session_name(SESSION)
            .send()
            .await
            .map_err(|error| failed(OPERATION, &resource, &error))?;
        let keys = answer.credentials().ok_or_else(|| untold(OPERATION, &resource, "Credentials"))?;
        let expires = SystemTime::try_from(*keys.expiration())
            .map_err(|_| PortError::new(OPERATION, &resource, "the answer's `Expiration` is no time"))?;
        Ok(Keys::new(
            keys.access_key_id(),
            keys.secret_access_key(),
            Some(keys.session_token().to_owned()),
            Some(expires),
            SESSION,
        ))
    }
}

impl Clients {
    fn new(sdk: &SdkConfig, calls: &Calls) -> Self {
        let iam = aws_sdk_iam::config::Builder::from(sdk).interceptor(calls.clone()).interceptor(WholeAnswers).build();
        let config = aws_sdk_config::config::Builder::from(sdk).interceptor(calls.clone()).build();
        Self {
            iam: IamService::new(aws_sdk_iam::Client::from_conf(iam)),
            eks: EksService::new(sdk.clone(), calls.clone()),
            config: ConfigService::new(aws_sdk_config::Client::from_conf(config)),
            security_hub: SecurityHubService::new(sdk.clone(), calls.clone()),
        }
    }
}

async fn sdk_config() -> SdkConfig {
    // TLS by ring: aws-lc-rs, the SDK's own choice, burns 50 to 65 ms of CPU on its first use.
    let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // A call that hangs must leave an invocation time to fail by itself: the SDK sets no bound but on connecting.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(90))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        // The variables alone: the default chain would go on to ask an instance metadata service for it.
        .region(EnvironmentVariableRegionProvider::new())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        .load()
        .await
}
