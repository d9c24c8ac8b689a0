//! What is known of the requests that a node role's sessions make: the keys of their context and the values
//! these can have.
//!
//! Knows the role's facts and the global condition keys. Knows nothing of statements.
//!
//! Sources: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference of Amazon ECR.

use super::catalogue::{ResourceType, Service};
use super::solver::slot::{Kind, Slot};
use super::solver::universe::Universe;
use crate::policy::TrustPolicy;
use crate::policy::arn::Arn;
use crate::policy::tag::Tag;

/// What all actions have in common that are requested in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) service: Service,
    pub(super) resource: ResourceType,
    /// The condition keys of the action alone, as the catalogue has them; `None` where the catalogue does not know
    /// the action.
    pub(super) keys: Option<&'static [&'static str]>,
    /// Whether the action is also requested on the string `…:repository/*`.
    pub(super) all_repositories: bool,
}

impl Target {
    fn lists(&self, key: &str) -> bool {
        self.keys.is_none_or(|keys| keys.contains(&key))
    }
}

/// An unknown of the request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unknown {
    /// The region in the resource's ARN.
    Region,
    /// The account in the resource's ARN.
    Account,
    /// What follows the account in the resource's ARN.
    Resource,
    /// The instant of the request.
    Now,
    /// A context key, in lower case; `aws:resourcetag/…` stands for the service's own form of it too.
    Key(String),
}

impl Unknown {
    /// Whether a request may have several values for it.
    pub(super) fn is_multivalued(&self) -> bool {
        matches!(self, Self::Key(key) if is_multivalued(key))
    }

    /// Whether its values are instants, in seconds since 1970.
    pub(super) fn is_instant(&self) -> bool {
        *self == Self::Now || *self == Self::Key("aws:tokenissuetime".to_owned())
    }
}

/// An unknown and the value that a request has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnknownValue {
    pub(super) unknown: Unknown,
    /// `None` where the request does not have the key.
    pub(super) value: Option<String>,
}

/// Values that unknowns have during a search, because variables stand for them.
pub(super) type FixedValues = Vec<UnknownValue>;

/// What is known of a context key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// The request has not the key.
    Absent,
    /// The key has this value.
    Value(String),
    /// The key is, or is tied to, an unknown.
    Unknown(Unknown),
}

/// Whether a key, given in lower case, may have several values.
pub(super) fn is_multivalued(key: &str) -> bool {
    // Names of tags are the user's: nothing is made of them.
    !key.contains("tag/")
        && (key == "aws:tagkeys" || key == "aws:calledvia" || key.ends_with(":amr") || key.ends_with("orgpaths"))
}

/// The facts of a role that its requests carry.
#[derive(Debug, Clone)]
pub(super) struct RoleContext<'r> {
    pub(super) arn: &'r str,
    pub(super) id: &'r str,
    pub(super) tags: &'r [Tag],
    pub(super) trust: &'r TrustPolicy,
    /// Seconds since 1970 before which no request is made.
    pub(super) at: f64,
}

impl RoleContext<'_> {
    pub(super) fn partition(&self) -> &str {
        Arn::parse(self.arn).map_or("", |arn| arn.partition)
    }

    pub(super) fn account(&self) -> &str {
        Arn::parse(self.arn).map_or("", |arn| arn.account)
    }

    /// What is known of a key, given in lower case.
    pub(super) fn knowledge(&self, target: &Target, key: &str) -> Knowledge {
        let free = || Knowledge::Unknown(Unknown::Key(key.to_owned()));
        let free_if = |possible: bool| if possible { free() } else { Knowledge::Absent };
        let value = |text: &str| Knowledge::Value(text.to_owned());
        let (service, name) = key.split_once(':').unwrap_or(("", key));
        if let Some(tag) = name.strip_prefix("resourcetag/")
            && (service == "aws" || service == target.service.prefix())
        {
            return match target.resource {
                ResourceType::Repository | ResourceType::Other => {
                    Knowledge::Unknown(Unknown::Key(format!("aws:resourcetag/{tag}")))
                }
                ResourceType::None | ResourceType::Registry => Knowledge::Absent,
            };
        }
        if service == target.service.prefix() {
            let known_elsewhere = name == "accountsetting";
            return free_if(!known_elsewhere || target.lists(key));
        }
        match key {
            "aws:principalarn" => value(self.arn),
            "aws:principalaccount" => value(self.account()),
            "aws:principaltype" => value("AssumedRole"),
            "aws:principalisawsservice" => value("false"),
            "aws:securetransport" => value("true"),
            "aws:requestedregion" if target.service == Service::Ecr && target.resource != ResourceType::None => {
                Knowledge::Unknown(Unknown::Region)
            }
            "aws:resourceaccount" => match target.resource {
                ResourceType::None => value(self.account()),
                _ => Knowledge::Unknown(Unknown::Account),
            },
            "aws:currenttime" | "aws:epochtime" => Knowledge::Unknown(Unknown::Now),
            "aws:multifactorauthage" => free_if(self.trust.admits_aws_principal()),
            "aws:tagkeys" => free_if(target.lists(key)),
            "ec2:sourceinstancearn"
            | "ec2:roledelivery"
            | "aws:ec2instancesourcevpc"
            | "aws:ec2instancesourceprivateipv4" => free_if(self.trust.admits_service("ec2")),
            "ssm:sourceinstancearn" => free_if(self.trust.admits_service("ssm")),
            "lambda:sourcefunctionarn" => free_if(self.trust.admits_service("lambda")),
            "codebuild:buildarn" | "codebuild:projectarn" => free_if(self.trust.admits_service("codebuild")),
            "glue:roleassumedby" | "glue:credentialissuingservice" => free_if(self.trust.admits_service("glue")),
            "identitystore:userid" => free_if(self.trust.admits_service("identitystore")),
            "aws:username" | "aws:sourcearn" | "aws:sourceaccount" => Knowledge::Absent,
            "aws:federatedprovider" => free_if(self.trust.admits_federated()),
            _ if name.starts_with("sourceorg") || name.starts_with("principalservicename") => Knowledge::Absent,
            _ if key.starts_with("aws:requesttag/") => free_if(target.lists("aws:requesttag/")),
            _ if key.starts_with("aws:principaltag/") => {
                if self.trust.admits_session_tags() {
                    return free();
                }
                let tag = name.strip_prefix("principaltag/").unwrap_or_default();
                let own = self.tags.iter().find(|own| own.key.to_lowercase() == tag);
                own.map_or(Knowledge::Absent, |own| value(&own.value))
            }
            _ if service == "aws" => free(),
            // The keys of SAML and of OIDC providers, whose prefix is the provider's host and path.
            _ if service == "saml" || service.contains('.') => free_if(self.trust.admits_federated()),
            _ => Knowledge::Absent,
        }
    }

    /// What every value of the unknown looks like, with `*` and `?`; `None` where nothing is known.
    pub(super) fn form(&self, unknown: &Unknown) -> Option<String> {
        let text = |form: &str| Some(form.to_owned());
        match unknown {
            Unknown::Region => text("*-*-*"),
            Unknown::Account => text("????????????"),
            Unknown::Resource | Unknown::Now => None,
            Unknown::Key(key) if key.contains("tag/") => None,
            Unknown::Key(key) => match key.as_str() {
                "aws:userid" => Some(format!("{}:*", self.id)),
                "aws:requestedregion" => text("*-*-*"),
                _ if key.ends_with("arn") => text("arn:*:*:*:*:*"),
                _ => None,
            },
        }
    }

    /// The unknown as the search sees it; `now` is the slot of [`Unknown::Now`].
    pub(super) fn slot(&self, target: &Target, unknown: &Unknown, now: usize) -> Slot {
        let always = |kind: Kind, preferred: Vec<String>| Slot { kind, optional: false, multivalued: false, preferred };
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let example_regions = || {
            texts(match self.partition() {
                "aws" => &["us-east-1", "us-west-2", "eu-west-1"],
                "aws-us-gov" => &["us-gov-west-1", "us-gov-east-1"],
                "aws-cn" => &["cn-north-1", "cn-northwest-1"],
                _ => &[],
            })
        };
        let example_names = || texts(&["repository/app", "repository/base"]);
        let at = || vec![format!("{:.0}", self.at.ceil())];
        match unknown {
            Unknown::Region => always(Kind::Text(Universe::region(self.partition())), example_regions()),
            Unknown::Account => always(Kind::Text(Universe::Account), texts(&[self.account(), "210987654321"])),
            Unknown::Resource => match (target.resource, target.service) {
                (ResourceType::Other, _) => always(Kind::Text(Universe::Other), texts(&["other/app"])),
                (ResourceType::Registry, _) => {
                    always(Kind::Text(Universe::Registry), vec![format!("registry/{}", self.account())])
                }
                (_, Service::EcrPublic) => always(Kind::Text(Universe::PublicRepository), example_names()),
                (_, Service::Ecr) => {
                    let mut preferred = example_names();
                    if target.all_repositories {
                        preferred.push("repository/*".to_owned());
                    }
                    always(Kind::Text(Universe::Repository), preferred)
                }
            },
            Unknown::Now => always(Kind::InstantFrom(self.at.ceil()), at()),
            Unknown::Key(key) => {
                let free = |kind: Kind| Slot { kind, optional: true, multivalued: false, preferred: Vec::new() };
                let word = || texts(&["app", "base"]);
                let multivalued = unknown.is_multivalued();
                let universe = || if multivalued { Universe::Member } else { Universe::Text };
                let text = || Slot { kind: Kind::Text(universe()), optional: true, multivalued, preferred: word() };
                match key.as_str() {
                    "aws:userid" => {
                        let instance = self.trust.admits_only_ec2();
                        let prefix = format!("{}:", self.id);
                        let preferred = vec![format!("{prefix}i-0123456789abcdef0")];
                        always(Kind::Text(Universe::UserId { prefix, instance }), preferred)
                    }
                    "aws:requestedregion" if target.service == Service::EcrPublic => {
                        always(Kind::Choice(&["us-east-1", "us-west-2"]), Vec::new())
                    }
                    "aws:requestedregion" => always(Kind::Text(Universe::region(self.partition())), example_regions()),
                    "aws:tokenissuetime" => always(Kind::InstantUntil(now), at()),
                    "aws:viaawsservice" => always(Kind::Choice(&["false", "true"]), Vec::new()),
                    "aws:useragent" => always(Kind::Text(Universe::Text), word()),
                    "aws:multifactorauthpresent" if self.trust.admits_aws_principal() => {
                        free(Kind::Choice(&["false", "true"]))
                    }
                    "aws:multifactorauthpresent" => free(Kind::Choice(&["false"])),
                    "aws:multifactorauthage" | "ec2:roledelivery" => free(Kind::Number),
                    "aws:sourceip" | "aws:vpcsourceip" | "aws:ec2instancesourceprivateipv4" => {
                        Slot { preferred: vec!["203.0.113.10".to_owned()], ..free(Kind::Address) }
                    }
                    // Before anything is made of a key's name: names of tags are the user's.
                    _ if key.contains("tag/") => text(),
                    "aws:assumedroot" | "aws:viaawsmcpservice" | "aws:ismcpserviceaction" => {
                        free(Kind::Choice(&["false", "true"]))
                    }
                    _ if key.ends_with("arn") => {
                        let example = format!("arn:{}:ec2:us-east-1:{}:app", self.partition(), self.account());
                        Slot { preferred: vec![example], ..free(Kind::Text(Universe::Arn)) }
                    }
                    _ => text(),
                }
            }
        }
    }
}
