//! Trust policies: who may assume a role.
//!
//! The answers are an upper bound. An Allow counts although its conditions may not hold. A Deny does not count.
//!
//! Source: IAM User Guide, "AWS JSON policy elements: Principal"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).

use super::arn::Arn;
use super::document::{Effect, decode, for_each_statement, read_effect, read_patterns};
use super::json::{DocumentError, Json, Path, members, parse_json, string};
use super::pattern::ActionPattern;
use super::reading::Reading;

/// A role's trust policy (`AssumeRolePolicyDocument`): who may assume the role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustPolicy {
    /// Services, by the first label of their principal: `ec2` for `ec2.amazonaws.com`, in any partition.
    services: Vec<String>,
    /// A statement with `*` or `NotPrincipal`.
    anybody: bool,
    /// An account, a user or a role.
    aws_principal: bool,
    /// An account or a user.
    account_or_user: bool,
    /// Federated principals as written: the ARN of a provider, or a name such as `cognito-identity.amazonaws.com`.
    federated: Vec<String>,
    /// Somebody may pass session tags.
    session_tags: bool,
    /// Somebody who is not a service may set a source identity.
    source_identity: bool,
}

/// The services that run EKS nodes: EC2, Fargate, SageMaker HyperPod, and for hybrid nodes Systems Manager and IAM
/// Roles Anywhere.
const NODE_SERVICES: [&str; 5] = ["ec2", "eks-fargate-pods", "sagemaker", "ssm", "rolesanywhere"];

/// The actions that start a session of a role.
const ASSUME_ACTIONS: [&str; 4] = ["AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "AssumeRoot"];

impl TrustPolicy {
    /// Parses a trust policy: JSON text, plain or percent-encoded (RFC 3986).
    ///
    /// # Errors
    /// The document is one that IAM does not store.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let text = decode(text)?;
        Self::from_json(&parse_json(&text)?)
    }

    /// A trust policy that admits one service and no session tags; `service` is the first label of its principal.
    pub fn of_service(service: &str) -> Self {
        Self { services: vec![service.to_owned()], ..Self::default() }
    }

    /// Reads a trust policy from a JSON tree.
    ///
    /// # Errors
    /// As [`TrustPolicy::parse`].
    pub fn from_json(json: &Json<'_>) -> Result<Self, DocumentError> {
        let mut policy = Self::default();
        for_each_statement(json, |path, statement, _| policy.read_statement(path, statement))?;
        Ok(policy)
    }

    fn read_statement(&mut self, path: &Path<'_>, json: &Json<'_>) -> Result<(), DocumentError> {
        let (mut effect, mut actions, mut principal) = (None, None, None);
        for (name, value) in members(path, json)? {
            let here = Path::Member(path, name);
            match name {
                "Sid" => {
                    string(&here, value)?;
                }
                "Effect" => effect = Some(read_effect(&here, value)?),
                "Action" | "NotAction" => {
                    let patterns = read_patterns(&here, value, ActionPattern::new)?;
                    if actions.replace((name == "NotAction", patterns)).is_some() {
                        return Err(path.error("the statement has both `Action` and `NotAction`"));
                    }
                }
                "Principal" | "NotPrincipal" => {
                    if principal.replace((name == "NotPrincipal", value)).is_some() {
                        return Err(path.error("the statement has both `Principal` and `NotPrincipal`"));
                    }
                }
                "Condition" => {
                    let _conditions = members(&here, value)?;
                }
                // IAM refuses a `Resource` in a trust policy. It changes nothing here.
                "Resource" | "NotResource" => {}
                other => return Err(path.error(format!("`{other}` is not an element of a statement"))),
            }
        }
        let effect = effect.ok_or_else(|| path.error("the statement has no `Effect`"))?;
        let (not_actions, actions) =
            actions.ok_or_else(|| path.error("the statement has no `Action` or `NotAction`"))?;
        let (not_principal, principal) = principal.ok_or_else(|| path.error("the statement has no `Principal`"))?;
        let mut admitted = Self::default();
        admitted.read_principal(&Path::Member(path, "Principal"), principal)?;
        if effect == Effect::Deny {
            return Ok(());
        }
        let matches = |name: &str| {
            let reading = if not_actions { Reading::Narrow } else { Reading::Wide };
            actions.iter().any(|pattern| pattern.matches("sts", name, reading)) != not_actions
        };
        self.session_tags |= matches("TagSession");
        let only_services =
            !not_principal && !admitted.anybody && !admitted.aws_principal && admitted.federated.is_empty();
        self.source_identity |= matches("SetSourceIdentity") && !only_services;
        if ASSUME_ACTIONS.iter().any(|name| matches(name)) {
            self.anybody |= not_principal || admitted.anybody;
            self.aws_principal |= admitted.aws_principal;
            self.account_or_user |= admitted.account_or_user;
            self.federated.append(&mut admitted.federated);
            self.services.append(&mut admitted.services);
        }
        Ok(())
    }

    fn read_principal(&mut self, path: &Path<'_>, json: &Json<'_>) -> Result<(), DocumentError> {
        if let Json::String(text) = json {
            return if text == "*" {
                self.anybody = true;
                Ok(())
            } else {
                Err(path.error(format!("unknown principal `{text}`, expected `*` or an object")))
            };
        }
        for (kind, value) in members(path, json)? {
            let here = Path::Member(path, kind);
            for name in read_patterns(&here, value, str::to_owned)? {
                match kind {
                    _ if name.contains('*') && kind != "Federated" => self.anybody = true,
                    "Service" => {
                        self.services.push(name.split('.').next().unwrap_or_default().to_ascii_lowercase());
                    }
                    "AWS" | "CanonicalUser" => {
                        self.aws_principal = true;
                        self.account_or_user |= !is_role(&name);
                    }
                    "Federated" => self.federated.push(name),
                    other => {
                        let known = "`AWS`, `CanonicalUser`, `Federated` or `Service`";
                        return Err(here.error(format!("unknown kind of principal `{other}`, expected {known}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the trust policy alone shows that no node uses the role: it admits no service that runs nodes, and no
    /// account, user or role, which could pass its session on to a node. OIDC providers and `pods.eks.amazonaws.com`
    /// give credentials to pods, not to nodes.
    pub fn rules_out_nodes(&self) -> bool {
        !self.anybody && !self.aws_principal && !NODE_SERVICES.iter().any(|service| self.admits_service(service))
    }

    /// Whether the trust policy alone shows that no pod of EKS uses the role: it admits neither EKS Pod Identity nor a
    /// federated principal, and no account, user or role, which could be another pod's role.
    pub fn rules_out_pods(&self) -> bool {
        !self.anybody && !self.aws_principal && self.federated.is_empty() && !self.admits_service("pods")
    }

    /// Whether tokens of the OIDC provider with this issuer URL may start a session of the role. A cluster's URL starts
    /// with `https://`, a principal's ARN does not contain it.
    pub fn admits_oidc_issuer(&self, issuer: &str) -> bool {
        let issuer = issuer.strip_prefix("https://").unwrap_or(issuer).trim_end_matches('/');
        let url = |arn| Arn::parse(arn)?.resource.strip_prefix("oidc-provider/");
        self.federated.iter().any(|arn| url(arn) == Some(issuer))
    }

    /// Whether the service may assume the role; `service` is the first label of its principal.
    pub fn admits_service(&self, service: &str) -> bool {
        self.anybody || self.names_service(service)
    }

    /// Whether the trust policy names the service. A principal `*` names none.
    pub fn names_service(&self, service: &str) -> bool {
        self.services.iter().any(|own| own == service)
    }

    /// Whether only EC2 may assume the role. Then every session belongs to an instance.
    pub fn admits_only_ec2(&self) -> bool {
        !self.anybody
            && !self.aws_principal
            && self.federated.is_empty()
            && self.services.iter().all(|own| own == "ec2")
    }

    /// Whether an account or a user may assume the role. A session of another role is neither.
    pub fn admits_account_or_user(&self) -> bool {
        self.anybody || self.account_or_user
    }

    /// Whether somebody who is not a service may set a source identity (`sts:SetSourceIdentity`).
    pub fn admits_source_identity(&self) -> bool {
        self.source_identity
    }

    /// Whether a federated principal (SAML, OIDC) may assume the role.
    pub fn admits_federated(&self) -> bool {
        self.anybody || !self.federated.is_empty()
    }

    /// Whether somebody may pass session tags (`sts:TagSession`).
    pub fn admits_session_tags(&self) -> bool {
        self.session_tags
    }
}

/// Whether a principal is a role or a session of one: `arn:…:role/…`, `arn:…:assumed-role/…`, or the id `AROA…` that
/// replaces the ARN of a deleted role.
fn is_role(principal: &str) -> bool {
    let of_role = |arn: Arn<'_>| arn.resource.starts_with("role/") || arn.resource.starts_with("assumed-role/");
    Arn::parse(principal).is_some_and(of_role) || principal.starts_with("AROA")
}
