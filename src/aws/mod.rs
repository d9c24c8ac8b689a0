//! The traits of [`crate::rule::ports`], implemented with the AWS SDK.
//!
//! Only this folder uses the SDK. It deals with pages, throttling, resources that are gone, and fields that AWS omits.
//! Region, endpoints and credentials come from the environment alone. So the same code runs in Lambda and against the
//! local stand-in for AWS.

mod call;
mod call_counter;
mod complete_xml;
mod config;
mod eks;
mod iam;
mod json_api;
mod pace;
mod pages;
#[cfg(test)]
mod replay;
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

use self::call::Call;
pub use self::call_counter::{CallCount, CallCounter};
use self::complete_xml::CompleteXml;
pub use self::config::ConfigService;
pub use self::eks::EksService;
pub use self::iam::IamService;
use self::pace::Pace;
pub use self::security_hub::SecurityHubService;
use crate::rule::Credentials;
use crate::rule::ports::PortError;

/// The name of the function's sessions in other accounts, as their CloudTrail shows it.
const SESSION: &str = "eks-node-role-ecr-read-only";

/// The longest invocation that Lambda allows. Credentials of another account that expire sooner are replaced.
const LONGEST_INVOCATION: Duration = Duration::from_secs(900);

/// The most accounts whose clients are kept. When they are full, all are dropped and made again when needed.
const MAX_ACCOUNTS: usize = 64;

/// Attempts per call that fails, the first one included. Throttled attempts do not count, see `pace.rs`.
const ATTEMPTS: u32 = 8;

/// AWS, reached with the environment's region and credentials. Make it once per process.
#[derive(Debug)]
pub struct Aws {
    sdk: SdkConfig,
    counter: CallCounter,
    /// The pace of `sts:AssumeRole`.
    pace: Pace,
    accounts: Mutex<HashMap<Credentials, Account>>,
}

/// The clients of one account. The clients of all accounts share one connection pool.
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

/// The environment does not name a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither `AWS_REGION` nor `AWS_DEFAULT_REGION` is set; set one of them to the rule's region")]
pub struct NoRegion;

impl Aws {
    /// Reads the environment. Opens no connection.
    ///
    /// # Errors
    /// [`NoRegion`]. Lambda always sets the region.
    pub async fn from_environment() -> Result<Self, NoRegion> {
        let sdk = sdk_config().await;
        sdk.region().ok_or(NoRegion)?;
        let counter = CallCounter::default();
        let pace = Pace::new(&sdk, &counter);
        Ok(Self { sdk, counter, pace, accounts: Mutex::default() })
    }

    /// Counts the calls of all clients.
    pub fn counter(&self) -> &CallCounter {
        &self.counter
    }

    /// The clients that use these credentials. Credentials of another account are kept and replaced before they expire.
    ///
    /// # Errors
    /// The failure of `sts:AssumeRole`.
    pub async fn clients(&self, credentials: &Credentials) -> Result<Arc<Clients>, PortError> {
        let latest = SystemTime::now() + LONGEST_INVOCATION;
        {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            let cached = accounts.get(credentials);
            if let Some(account) = cached.filter(|account| account.expires.is_none_or(|expires| expires > latest)) {
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
        let clients = Arc::new(Clients::new(&sdk, &self.counter));
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MAX_ACCOUNTS {
            accounts.clear();
        }
        accounts.insert(credentials.clone(), Account { clients: Arc::clone(&clients), expires });
        Ok(clients)
    }

    async fn assume(&self, role_arn: &str, region: Option<&str>) -> Result<Keys, PortError> {
        let call = Call::new("sts:AssumeRole", format!("role `{role_arn}`"));
        let mut config = aws_sdk_sts::config::Builder::from(&self.sdk)
            .retry_partition(self.pace.retries())
            .interceptor(self.counter.clone())
            .interceptor(CompleteXml);
        config.set_region(region.map(|region| Region::new(region.to_owned())).or_else(|| self.sdk.region().cloned()));
        let request = aws_sdk_sts::Client::from_conf(config.build()).assume_role();
        let request = request.role_arn(role_arn).role_session_name(SESSION);
        let response = call.send(&self.pace, || request.clone().send()).await.map_err(|error| call.failed(&error))?;
        let keys = response.credentials().ok_or_else(|| call.missing_field("Credentials"))?;
        let expires = SystemTime::try_from(*keys.expiration())
            .map_err(|_| call.error("the response's `Expiration` is not a time"))?;
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
    fn new(sdk: &SdkConfig, counter: &CallCounter) -> Self {
        let (iam_pace, config_pace) = (Pace::new(sdk, counter), Pace::new(sdk, counter));
        let iam = aws_sdk_iam::config::Builder::from(sdk)
            .retry_partition(iam_pace.retries())
            .interceptor(counter.clone())
            .interceptor(CompleteXml)
            .build();
        let config = aws_sdk_config::config::Builder::from(sdk)
            .retry_partition(config_pace.retries())
            .interceptor(counter.clone())
            .build();
        Self {
            iam: IamService::new(aws_sdk_iam::Client::from_conf(iam), iam_pace),
            eks: EksService::new(sdk.clone(), counter.clone()),
            config: ConfigService::new(aws_sdk_config::Client::from_conf(config), config_pace),
            security_hub: SecurityHubService::new(sdk.clone(), counter.clone()),
        }
    }
}

async fn sdk_config() -> SdkConfig {
    // TLS with ring: aws-lc-rs, the SDK's default, takes 50 to 65 ms of CPU at its first use, which is the cold start.
    let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // A call that hangs must leave the invocation time to report its failure. The SDK only limits the time to connect.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(90))
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client)
        // From environment variables only: the default chain would also ask an instance metadata service.
        .region(EnvironmentVariableRegionProvider::new())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(timeouts)
        .load()
        .await
}

#[cfg(test)]
mod tests {
    use super::replay::{Replay, response};
    use super::*;
    use crate::rule::FindingSource;
    use crate::rule::ports::{ClusterId, ComplianceStore, Eks, FindingStore, Iam, PartKind};

    /// Calls a list whose pages all lead to the same page. Checks the error, which names the field of the token.
    async fn check_repeated_page<T: std::fmt::Debug>(
        operation: &str,
        field: &str,
        list: impl AsyncFnOnce(Clients) -> Result<T, PortError>,
    ) {
        let name = operation.split_once(':').unwrap().1;
        let page = match field {
            "Marker" => format!(
                "<{name}Response><{name}Result><IsTruncated>true</IsTruncated><Marker>t</Marker></{name}Result>\
                 </{name}Response>"
            ),
            _ => format!(r#"{{"{field}":"t","Regions":[{{"RegionName":"r"}}],"Findings":[]}}"#),
        };
        let replay = Replay::new([response(200, &page), response(200, &page)]);
        let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
        let error = list(clients).await.unwrap_err().to_string();
        let cause = format!("failed: the response's `{field}` leads back to the same page");
        assert!(error.starts_with(operation) && error.ends_with(&cause), "{operation}: `{error}`");
    }

    #[tokio::test]
    async fn list_that_leads_back_to_the_same_page_is_an_error() {
        use check_repeated_page as check;
        let (role, policy) = ("r", "arn:aws:iam::111122223333:policy/p");
        check("iam:ListRolePolicies", "Marker", async |it| it.iam.inline_policies(role).await).await;
        check("iam:ListAttachedRolePolicies", "Marker", async |it| it.iam.attached_policies(role).await).await;
        check("iam:ListInstanceProfilesForRole", "Marker", async |it| it.iam.instance_profiles(role).await).await;
        check("iam:ListEntitiesForPolicy", "Marker", async |it| it.iam.attached_roles(policy).await).await;
        check("iam:ListRoles", "Marker", async |it| it.iam.roles().await).await;
        check("iam:ListInstanceProfiles", "Marker", async |it| it.iam.roles_in_instance_profiles().await).await;
        let details = "iam:GetAccountAuthorizationDetails";
        check(details, "Marker", async |it| it.iam.role_details(Some("t")).await).await;
        check(details, "Marker", async |it| it.iam.policy_details(Some("t")).await).await;
        check("account:ListRegions", "NextToken", async |it| it.eks.regions().await).await;
        let reported = "config:GetComplianceDetailsByConfigRule";
        check(reported, "NextToken", async |it| it.config.reported("rule").await).await;
        let rule = "arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abcdef";
        let source = FindingSource::new("111122223333", "rule", rule).unwrap();
        let findings = async |it: Clients| it.security_hub.active_findings(&source, None, Some("t"), false).await;
        check("securityhub:GetFindings", "NextToken", findings).await;
        check("eks:ListClusters", "nextToken", async |it| it.eks.clusters("us-east-1").await).await;
        let cluster = ClusterId { region: "us-east-1".to_owned(), name: "prod".to_owned() };
        for (kind, operation) in [
            (PartKind::NodeGroups, "eks:ListNodegroups"),
            (PartKind::FargateProfiles, "eks:ListFargateProfiles"),
            (PartKind::AccessEntries, "eks:ListAccessEntries"),
            (PartKind::PodIdentityAssociations, "eks:ListPodIdentityAssociations"),
            (PartKind::Addons, "eks:ListAddons"),
        ] {
            check(operation, "nextToken", async |it| it.eks.parts(&cluster, kind).await).await;
        }
    }

    #[tokio::test]
    async fn truncated_page_without_marker_is_an_error() {
        let page = "<ListRolesResponse><ListRolesResult><IsTruncated>true</IsTruncated></ListRolesResult>\
                    </ListRolesResponse>";
        let replay = Replay::new([response(200, page)]);
        let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
        let error = clients.iam.roles().await.unwrap_err().to_string();
        assert_eq!(error, "iam:ListRoles of the account failed: the response lacks `Marker`");
    }

    #[tokio::test]
    async fn list_of_three_pages_is_read_to_its_end() {
        let page = |name: &str, more: &str| {
            response(
                200,
                &format!(
                    "<ListRolePoliciesResponse><ListRolePoliciesResult>\
                     <PolicyNames><member>{name}</member></PolicyNames>{more}</ListRolePoliciesResult></ListRolePoliciesResponse>"
                ),
            )
        };
        let first = page("a", "<IsTruncated>true</IsTruncated><Marker>t</Marker>");
        // A marker counts although the page is not called truncated.
        let second = page("b", "<IsTruncated>false</IsTruncated><Marker>u</Marker>");
        let last = page("c", "<IsTruncated>false</IsTruncated>");
        let replay = Replay::new([first, second, last]);
        let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
        assert_eq!(clients.iam.inline_policies("r").await, Ok(Some(["a", "b", "c"].map(str::to_owned).to_vec())));
        let markers: Vec<Option<String>> = (replay.requests().iter())
            .map(|request| String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap())
            .map(|body| body.split_once("Marker=").map(|(_, marker)| marker.chars().take(1).collect()))
            .collect();
        assert_eq!(markers, [None, Some("t".to_owned()), Some("u".to_owned())]);
    }

    #[tokio::test]
    async fn list_of_a_role_that_is_gone_is_none() {
        let error = "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>gone</Message></Error>\
                     <RequestId>r-1</RequestId></ErrorResponse>";
        let replay = Replay::new([response(404, error)]);
        let clients = Clients::new(&replay.sdk_config().await, &CallCounter::default());
        assert_eq!(clients.iam.inline_policies("r").await, Ok(None));
    }
}
