//! Holds the pages of a list to leading on to others.
//!
//! The SDK ends a list without a word at a page that leads back to itself, and what comes after would be lost. Knows
//! tokens, whatever a service calls them, and nothing of what is on the pages.

use crate::rule::ports::PortError;

/// Takes note of a page's token. `asked_with` is the one that led to the page, none to the first; it becomes the page's own.
/// An error is a token that leads back to the same page.
pub(super) fn leads_on(
    operation: &'static str,
    resource: &str,
    field: &'static str,
    token: Option<&str>,
    asked_with: &mut Option<String>,
) -> Result<(), PortError> {
    let token = token.filter(|token| !token.is_empty());
    if token.is_some() && token == asked_with.as_deref() {
        let cause = format!("the answer's `{field}` leads back to the same page");
        return Err(PortError::new(operation, resource, cause));
    }
    *asked_with = token.map(str::to_owned);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};

    use super::super::{Calls, Clients};
    use crate::rule::ports::{ComplianceStore, Eks, FindingStore, Iam, PartKind, PortError};
    use crate::rule::{ClusterId, FindingSource};

    /// Answers any list by one page, which leads to itself, until a connection brings no request.
    fn serve(listener: &TcpListener) {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut buffer) = (String::new(), [0; 4096]);
            // A body, if any, comes with what is left to read after the head says how long it is.
            loop {
                let read = stream.read(&mut buffer).unwrap();
                request.push_str(std::str::from_utf8(buffer.get(..read).unwrap()).unwrap());
                let Some((head, body)) = request.split_once("\r\n\r\n") else {
                    if read == 0 {
                        return;
                    }
                    continue;
                };
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    break;
                }
            }
            let operation = request.split_once("Action=").and_then(|(_, rest)| rest.split('&').next());
            let answer = match operation {
                Some(operation) => format!(
                    "<{operation}Response><{operation}Result><IsTruncated>true</IsTruncated><Marker>t</Marker>\
                     </{operation}Result></{operation}Response>"
                ),
                None => {
                    r#"{"nextToken":"t","NextToken":"t","clusters":["a"],"Regions":[{"RegionName":"r"}],"Findings":[]}"#
                        .to_owned()
                }
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
            stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
    }

    fn clients(address: SocketAddr) -> Clients {
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
            .endpoint_url(format!("http://{address}"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Clients::new(&sdk, &Calls::default())
    }

    #[tokio::test]
    async fn a_list_that_leads_back_to_the_same_page_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || serve(&listener));
        let Clients { iam, eks, config, security_hub } = clients(address);
        let check = |operation: &str, field: &str, error: Option<PortError>| {
            let error = error.map(|error| error.to_string()).unwrap_or_default();
            let cause = format!("failed: the answer's `{field}` leads back to the same page");
            assert!(error.starts_with(operation) && error.ends_with(&cause), "{operation}: `{error}`");
        };
        let marker = |operation, error| check(operation, "Marker", error);
        marker("iam:ListRolePolicies", iam.inline_policies("r").await.err());
        marker("iam:ListAttachedRolePolicies", iam.attached_policies("r").await.err());
        marker("iam:ListInstanceProfilesForRole", iam.instance_profiles("r").await.err());
        marker("iam:ListEntitiesForPolicy", iam.attached_roles("arn:aws:iam::111122223333:policy/p").await.err());
        marker("iam:ListRoles", iam.roles().await.err());
        marker("iam:ListInstanceProfiles", iam.roles_in_instance_profiles().await.err());
        marker("iam:GetAccountAuthorizationDetails", iam.role_details(Some("t")).await.err());
        marker("iam:GetAccountAuthorizationDetails", iam.policy_details(Some("t")).await.err());
        check("account:ListRegions", "NextToken", eks.regions().await.err());
        check("config:GetComplianceDetailsByConfigRule", "NextToken", config.reported("rule").await.err());
        let rule = "arn:aws:config:us-east-1:111122223333:config-rule/config-rule-abcdef";
        let source = FindingSource::new("111122223333", "rule", rule).unwrap();
        check("securityhub:GetFindings", "NextToken", security_hub.active_findings(&source, None).await.err());
        check("eks:ListClusters", "nextToken", eks.clusters("us-east-1").await.err());
        let cluster = ClusterId { region: "us-east-1".to_owned(), name: "prod".to_owned() };
        for (kind, operation) in [
            (PartKind::NodeGroups, "eks:ListNodegroups"),
            (PartKind::FargateProfiles, "eks:ListFargateProfiles"),
            (PartKind::AccessEntries, "eks:ListAccessEntries"),
            (PartKind::PodIdentityAssociations, "eks:ListPodIdentityAssociations"),
            (PartKind::Addons, "eks:ListAddons"),
        ] {
            check(operation, "nextToken", eks.parts(&cluster, kind).await.err());
        }
        drop(TcpStream::connect(address).unwrap());
        server.join().unwrap();
    }
}
