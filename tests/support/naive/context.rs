//! The keys of a request's context: which are always present, which may be, and with which values.
//!
//! Sources: IAM User Guide, "AWS global condition context keys" and "Pass session tags in AWS STS"; Service
//! Authorization Reference for Amazon ECR.

use super::resource::action as action_covers;
use super::{Request, RoleDocs, Tri};
use serde_json::Value;
use std::collections::BTreeMap;

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// Only `false`.
    False,
    /// A number.
    Number,
    /// A date as AWS writes it.
    Date,
    /// Whole seconds since 1970.
    Seconds,
    /// An IP address.
    Ip,
    /// An ARN.
    Arn,
    /// A region of the role's partition.
    Region,
    /// One of the two regions of public registries.
    PublicRegion,
    /// The role's identifier, a colon and a session name.
    UserId,
}

/// What is known about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knowledge {
    /// Present with this value.
    Known(String),
    /// In every request, with a value of this type.
    Present(Kind),
    /// In some requests, with a value of this type.
    Free(Kind),
    /// In no request.
    Absent,
}

/// Who can assume the role. Conditions and Deny statements of the trust policy are ignored, so the result may be too wide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact about the policy")]
pub struct Trust {
    services: Vec<String>,
    everybody: bool,
    people: bool,
    federated: bool,
    /// Someone can pass session tags.
    pub session_tags: bool,
}

impl Trust {
    /// Who starts the role's sessions. One with a session policy is started by EKS Pod Identity, without session tags.
    ///
    /// # Errors
    /// The trust policy is malformed.
    pub fn of_sessions(role: &RoleDocs) -> Result<Trust, String> {
        if role.session.is_some() {
            return Ok(Trust { services: vec!["pods.eks.amazonaws.com".to_owned()], ..Trust::default() });
        }
        Trust::of(&role.trust)
    }

    /// Reads a trust policy.
    ///
    /// # Errors
    /// The document is malformed.
    pub fn of(document: &Value) -> Result<Trust, String> {
        let mut trust = Trust::default();
        let statements = document.get("Statement").ok_or("trust policy: no Statement")?;
        for statement in list(statements) {
            if statement["Effect"] != "Allow" {
                continue;
            }
            if allows(statement, "sts:TagSession") {
                trust.session_tags = true;
            }
            let assumes = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];
            if assumes.iter().any(|action| allows(statement, action)) {
                trust.admit(statement);
            }
        }
        Ok(trust)
    }

    fn admit(&mut self, statement: &Value) {
        let Some(principal) = statement.get("Principal") else {
            // NotPrincipal admits all other principals.
            self.everybody = true;
            return;
        };
        if principal == "*" {
            self.everybody = true;
        }
        for (kind, names) in principal.as_object().into_iter().flatten() {
            for name in list(names).iter().filter_map(Value::as_str) {
                match kind.as_str() {
                    _ if name == "*" => self.everybody = true,
                    "Service" => self.services.push(name.to_owned()),
                    "Federated" => self.federated = true,
                    _ => self.people = true,
                }
            }
        }
    }

    fn service(&self, name: &str) -> bool {
        let full = format!("{name}.amazonaws.com");
        self.everybody || self.services.iter().any(|one| *one == full || one.starts_with(&format!("{full}.")))
    }

    fn people(&self) -> bool {
        self.everybody || self.people
    }

    fn federated(&self) -> bool {
        self.everybody || self.federated
    }

    /// Whether only EC2 starts sessions of this role. Then session names are instance ids.
    pub fn only_ec2(&self) -> bool {
        let others = self.everybody || self.people || self.federated;
        !others && self.services.iter().all(|name| name.starts_with("ec2.amazonaws.com"))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

fn allows(statement: &Value, action: &str) -> bool {
    let covered = |entries: &Value| {
        list(entries).iter().filter_map(Value::as_str).any(|entry| action_covers(entry, action) > Tri::No)
    };
    match (statement.get("Action"), statement.get("NotAction")) {
        (Some(entries), _) => covered(entries),
        (None, Some(entries)) => !covered(entries),
        (None, None) => false,
    }
}

/// Whether a key (in lower case) may have several values.
pub fn multivalued(key: &str) -> bool {
    let sets = [
        "aws:tagkeys",
        "aws:calledvia",
        "aws:principalorgpaths",
        "aws:resourceorgpaths",
        "aws:sourceorgpaths",
        "aws:vpceorgpaths",
        "aws:principalservicenameslist",
    ];
    sets.contains(&key) || key.ends_with(":amr")
}

/// Whether a key (in lower case) is set by the VPC endpoint that a request passes through.
pub fn of_vpc_endpoint(key: &str) -> bool {
    matches!(key, "aws:sourcevpc" | "aws:sourcevpce" | "aws:vpcsourceip" | "aws:sourcevpcarn")
        || key.starts_with("aws:vpce")
}

/// A request together with its role.
pub struct View<'a> {
    role: &'a RoleDocs,
    request: &'a Request,
    trust: &'a Trust,
    listed: BTreeMap<String, &'a Vec<String>>,
}

impl<'a> View<'a> {
    /// Combines a request with a role.
    ///
    /// # Errors
    /// The request lists a key twice.
    pub fn new(role: &'a RoleDocs, trust: &'a Trust, request: &'a Request) -> Result<View<'a>, String> {
        let mut listed = BTreeMap::new();
        for (key, values) in &request.context {
            if listed.insert(key.to_lowercase(), values).is_some() {
                return Err(format!("the witness lists `{key}` twice"));
            }
        }
        Ok(View { role, request, trust, listed })
    }

    /// The requested action.
    pub fn action(&self) -> &str {
        &self.request.action
    }

    /// The requested resource.
    pub fn resource(&self) -> &str {
        &self.request.resource
    }

    /// The role's trust policy.
    pub fn trust(&self) -> &Trust {
        self.trust
    }

    /// The role.
    pub fn role(&self) -> &RoleDocs {
        self.role
    }

    /// The values that the request lists for a key.
    pub fn listed(&self, key: &str) -> Option<&'a Vec<String>> {
        self.listed.get(&key.to_lowercase()).copied()
    }

    /// Whether the request has the key. A key with no values is absent.
    pub fn present(&self, key: &str) -> bool {
        match self.listed(key) {
            Some(values) => !values.is_empty(),
            None => matches!(self.knowledge(key), Knowledge::Known(_) | Knowledge::Present(_)),
        }
    }

    /// The values of a key; `None` if it is absent.
    ///
    /// # Errors
    /// Every request has the key, its value is unknown, and the request does not list it.
    pub fn values(&self, key: &str) -> Result<Vec<String>, String> {
        if let Some(values) = self.listed(key) {
            return Ok(values.clone());
        }
        match self.knowledge(key) {
            Knowledge::Known(value) => Ok(vec![value]),
            Knowledge::Free(_) | Knowledge::Absent => Ok(Vec::new()),
            Knowledge::Present(_) => {
                self.tied_instant(key).map(|value| vec![value]).ok_or(format!("the witness must list `{key}`"))
            }
        }
    }

    /// The value of a policy variable. Keys with several values have none.
    ///
    /// # Errors
    /// As [`View::values`].
    pub fn variable(&self, key: &str) -> Result<Option<String>, String> {
        if multivalued(&key.to_lowercase()) {
            return Ok(None);
        }
        let mut values = self.values(key)?;
        Ok(if values.len() == 1 { values.pop() } else { None })
    }

    /// `aws:CurrentTime` and `aws:EpochTime` are the same instant, so one gives the other.
    fn tied_instant(&self, key: &str) -> Option<String> {
        match key.to_lowercase().as_str() {
            "aws:currenttime" => {
                let seconds = self.listed("aws:EpochTime")?.first()?.parse().ok()?;
                Some(super::value::show_instant(seconds))
            }
            "aws:epochtime" => {
                let instant = super::value::dates(self.listed("aws:CurrentTime")?.first()?)[0]?;
                Some(instant.div_euclid(1_000_000_000).to_string())
            }
            _ => None,
        }
    }

    /// What is known about a key in all requests for this action and resource. `well_formed` checks the keys that the
    /// catalogue lists for an action.
    pub fn knowledge(&self, key: &str) -> Knowledge {
        let key = key.to_lowercase();
        if key.starts_with("aws::") || key.starts_with("ecr::") || key.starts_with("ecr-public::") {
            return Knowledge::Absent;
        }
        let fields: Vec<&str> = self.request.resource.split(':').collect();
        let on_arn = fields.len() == 6;
        let service = self.request.action.split(':').next().unwrap_or_default().to_lowercase();
        let account = self.role.arn.split(':').nth(4).unwrap_or_default();
        let known = |text: &str| Knowledge::Known(text.to_owned());
        let free_if = |condition: bool, kind: Kind| if condition { Knowledge::Free(kind) } else { Knowledge::Absent };
        if let Some(tag) = key.strip_prefix("aws:principaltag/") {
            if self.trust.session_tags {
                return Knowledge::Free(Kind::Text);
            }
            let own = self.role.tags.iter().find(|(name, _)| name.to_lowercase() == tag);
            return own.map_or(Knowledge::Absent, |(_, value)| known(value));
        }
        if key.starts_with("aws:resourcetag/") || key.starts_with(&format!("{service}:resourcetag/")) {
            let on_repository = on_arn && fields[5].starts_with("repository/") && fields[5] != "repository/*";
            return free_if(on_repository, Kind::Text);
        }
        if of_vpc_endpoint(&key) {
            return Knowledge::Free(match key.as_str() {
                "aws:vpcsourceip" => Kind::Ip,
                "aws:sourcevpcarn" => Kind::Arn,
                _ => Kind::Text,
            });
        }
        let absent = ["aws:username", "aws:sourcearn", "aws:sourceaccount"];
        let absent_prefixes = ["aws:sourceorg", "aws:principalservicename"];
        if absent.contains(&key.as_str()) || absent_prefixes.iter().any(|prefix| key.starts_with(prefix)) {
            return Knowledge::Absent;
        }
        match key.as_str() {
            "aws:principalarn" => known(&self.role.arn),
            "aws:principalaccount" => known(account),
            "aws:principaltype" => known("AssumedRole"),
            "aws:principalisawsservice" => known("false"),
            "aws:securetransport" => known("true"),
            "aws:userid" => Knowledge::Present(Kind::UserId),
            "aws:requestedregion" if service == "ecr-public" => Knowledge::Present(Kind::PublicRegion),
            "aws:requestedregion" if on_arn => known(fields[3]),
            "aws:requestedregion" => Knowledge::Present(Kind::Region),
            "aws:resourceaccount" => known(if on_arn { fields[4] } else { account }),
            "aws:currenttime" | "aws:tokenissuetime" => Knowledge::Present(Kind::Date),
            "aws:epochtime" => Knowledge::Present(Kind::Seconds),
            "aws:viaawsservice" => Knowledge::Present(Kind::Bool),
            "aws:useragent" => Knowledge::Present(Kind::Text),
            "aws:sourceip" => Knowledge::Free(Kind::Ip),
            "aws:multifactorauthpresent" if self.trust.people() => Knowledge::Free(Kind::Bool),
            "aws:multifactorauthpresent" => Knowledge::Free(Kind::False),
            "aws:multifactorauthage" => free_if(self.trust.people(), Kind::Number),
            "aws:federatedprovider" => free_if(self.trust.federated(), Kind::Text),
            "ec2:sourceinstancearn" => free_if(self.trust.service("ec2"), Kind::Arn),
            "ec2:roledelivery" => free_if(self.trust.service("ec2"), Kind::Number),
            "aws:ec2instancesourcevpc" => free_if(self.trust.service("ec2"), Kind::Text),
            "aws:ec2instancesourceprivateipv4" => free_if(self.trust.service("ec2"), Kind::Ip),
            "ssm:sourceinstancearn" => free_if(self.trust.service("ssm"), Kind::Arn),
            "lambda:sourcefunctionarn" => free_if(self.trust.service("lambda"), Kind::Arn),
            "codebuild:buildarn" | "codebuild:projectarn" => free_if(self.trust.service("codebuild"), Kind::Arn),
            "glue:roleassumedby" | "glue:credentialissuingservice" => free_if(self.trust.service("glue"), Kind::Text),
            "identitystore:userid" => {
                free_if(self.trust.service("identitystore") || self.trust.service("sso"), Kind::Text)
            }
            "aws:assumedroot" | "aws:viaawsmcpservice" | "aws:ismcpserviceaction" => Knowledge::Free(Kind::Bool),
            "aws:chatbotsourcearn" | "aws:signinsessionarn" => Knowledge::Free(Kind::Arn),
            _ => match key.split_once(':') {
                Some((prefix, _)) if prefix == "aws" || prefix == service => Knowledge::Free(Kind::Text),
                // The keys of SAML and of OIDC providers. The prefix of the latter is a host name.
                Some((prefix, _)) if prefix == "saml" || prefix.contains('.') => {
                    free_if(self.trust.federated(), Kind::Text)
                }
                _ => Knowledge::Absent,
            },
        }
    }
}
