//! The context of a role's requests: which condition keys they have, and which values these can have.
//!
//! Knows the role's ARN, tags and trust policy, and the global condition keys. Knows nothing of statements.
//!
//! Sources: IAM User Guide, "AWS global condition context keys"; Service Authorization Reference of Amazon ECR.

use super::catalogue::{self, ResourceType, Service};
use super::examples::{self, Home};
use super::solver::slot::{Kind, Slot};
use super::solver::universe::Universe;
use crate::policy::TrustPolicy;
use crate::policy::arn::Arn;
use crate::policy::tag::Tag;

/// The properties of a request that depend on its action. Actions with the same target have the same requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) service: Service,
    pub(super) resource: ResourceType,
    /// The condition keys that the catalogue lists for the action; `None` if the catalogue does not know the action.
    pub(super) keys: Option<&'static [&'static str]>,
    /// Whether a request for the action can also name `…:repository/*`, which stands for all repositories.
    pub(super) all_repositories: bool,
    /// Whether the request creates its resource, so that the tags of the request are the tags of the resource.
    pub(super) creates: bool,
    /// Who owns the resource.
    pub(super) owner: Owner,
    /// Whether `ecr:ResourceTag/…` is a key of requests to ECR Public. Its user guide uses the key, and the Service Authorization
    /// Reference does not list it.
    pub(super) ecr_tags: bool,
}

/// Who owns a request's resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Any account.
    Any,
    /// The role's account.
    Own,
    /// Another account.
    Other,
}

impl Target {
    pub(super) fn has_resource(&self) -> bool {
        self.resource != ResourceType::None
    }

    /// Whether a request for the action can have this key.
    fn may_have(&self, key: &str) -> bool {
        self.keys.is_none_or(|keys| keys.contains(&key))
    }
}

/// A part of a request whose value is not known before the search.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unknown {
    /// The region in the resource's ARN.
    Region,
    /// The account in the resource's ARN.
    Account,
    /// The part after the account in the resource's ARN.
    Resource,
    /// The time of the request.
    Now,
    /// A condition key in lower case. `aws:resourcetag/…` also stands for `ecr:resourcetag/…`.
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

/// Values that unknowns have during a search, because variables stand for them. For a key that may have several values,
/// a value means that the request has the key.
pub(super) type FixedValues = Vec<UnknownValue>;

/// What is known about a condition key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// The request does not have the key.
    Absent,
    /// The key has this value.
    Value(String),
    /// The key has the value of this unknown.
    Unknown(Unknown),
}

/// Whether a request may have several values for the key, which is given in lower case.
pub(super) fn is_multivalued(key: &str) -> bool {
    // Users choose the keys of tags, so these say nothing about the values.
    !key.contains("tag/")
        && (key == "aws:tagkeys" || key == "aws:calledvia" || key.ends_with(":amr") || key.ends_with("orgpaths"))
}

/// Whether only requests for certain actions have the key, which is given in lower case: those that the catalogue lists.
fn is_of_single_actions(key: &str) -> bool {
    catalogue::actions().iter().any(|action| action.keys.contains(&key))
}

/// The facts about a role that decide what is in the context of its requests.
#[derive(Debug, Clone)]
pub(super) struct RoleContext<'r> {
    pub(super) arn: &'r str,
    pub(super) id: &'r str,
    pub(super) tags: &'r [Tag],
    pub(super) trust: &'r TrustPolicy,
    /// No request is made before this time, in seconds since 1970.
    pub(super) at: f64,
}

impl RoleContext<'_> {
    pub(super) fn partition(&self) -> &str {
        Arn::parse(self.arn).map_or("", |arn| arn.partition)
    }

    pub(super) fn account(&self) -> &str {
        Arn::parse(self.arn).map_or("", |arn| arn.account)
    }

    /// What is known about a key, which is given in lower case.
    pub(super) fn knowledge(&self, target: &Target, key: &str) -> Knowledge {
        let free = || Knowledge::Unknown(Unknown::Key(key.to_owned()));
        let free_if = |possible: bool| if possible { free() } else { Knowledge::Absent };
        let value = |text: &str| Knowledge::Value(text.to_owned());
        let (service, name) = key.split_once(':').unwrap_or(("", key));
        // Not the name of a key: `${AWS::Region}` is a variable of CloudFormation that was not replaced.
        if name.starts_with(':') {
            return Knowledge::Absent;
        }
        if let Some(tag) = name.strip_prefix("resourcetag/")
            && (service == "aws" || service == target.service.prefix() || service == "ecr" && target.ecr_tags)
        {
            let kind = if target.creates { "requesttag" } else { "resourcetag" };
            return match target.resource {
                ResourceType::Repository | ResourceType::Other => {
                    Knowledge::Unknown(Unknown::Key(format!("aws:{kind}/{tag}")))
                }
                ResourceType::None | ResourceType::Registry => Knowledge::Absent,
            };
        }
        if service == target.service.prefix() {
            return free_if(!is_of_single_actions(key) || target.may_have(key));
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
            // An account owns its resources together with its organization's membership.
            "aws:resourceorgid" | "aws:resourceorgpaths"
                if target.owner == Owner::Own || target.resource == ResourceType::None =>
            {
                Knowledge::Unknown(Unknown::Key(key.replace("resource", "principal")))
            }
            "aws:multifactorauthage" => free_if(self.trust.admits_account_or_user()),
            "aws:sourceidentity" => free_if(self.trust.admits_source_identity()),
            "aws:chatbotsourcearn" => free_if(self.trust.admits_service("chatbot")),
            "aws:signinsessionarn" => free_if(self.trust.admits_account_or_user() || self.trust.admits_federated()),
            // The key reference lists the services whose requests have these keys.
            "aws:sourcevpcarn" | "aws:vpceaccount" | "aws:vpceorgid" | "aws:vpceorgpaths" => {
                free_if(target.service == Service::Ecr)
            }
            "aws:tagkeys" => free_if(target.may_have(key)),
            "ec2:sourceinstancearn"
            | "ec2:roledelivery"
            | "aws:ec2instancesourcevpc"
            | "aws:ec2instancesourceprivateipv4" => free_if(self.trust.admits_service("ec2")),
            "ssm:sourceinstancearn" => free_if(self.trust.admits_service("ssm")),
            "lambda:sourcefunctionarn" => free_if(self.trust.admits_service("lambda")),
            "codebuild:buildarn" | "codebuild:projectarn" => free_if(self.trust.admits_service("codebuild")),
            "glue:roleassumedby" | "glue:credentialissuingservice" => free_if(self.trust.admits_service("glue")),
            "identitystore:userid" => free_if(self.trust.admits_service("identitystore")),
            "aws:username" | "aws:sourcearn" | "aws:sourceaccount" | "aws:assumedroot" => Knowledge::Absent,
            "aws:federatedprovider" => free_if(self.trust.admits_federated()),
            _ if name.starts_with("sourceorg") || name.starts_with("principalservicename") => Knowledge::Absent,
            _ if key.starts_with("aws:requesttag/") => free_if(target.may_have("aws:requesttag/")),
            _ if key.starts_with("aws:principaltag/") => {
                if self.trust.admits_session_tags() {
                    return free();
                }
                let tag = name.strip_prefix("principaltag/").unwrap_or_default();
                let own = self.tags.iter().find(|own| own.key.to_lowercase() == tag);
                own.map_or(Knowledge::Absent, |own| value(&own.value))
            }
            _ if service == "aws" => free(),
            // The keys of SAML and of OIDC providers. The prefix of the latter is the provider's host and path.
            _ if service == "saml" || service.contains('.') => free_if(self.trust.admits_federated()),
            _ => Knowledge::Absent,
        }
    }

    /// A pattern that every value of the unknown matches; `None` if there is no useful one.
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

    /// The slot of the unknown; `now` is the number of the slot of [`Unknown::Now`].
    pub(super) fn slot(&self, target: &Target, unknown: &Unknown, now: usize) -> Slot {
        let example_names = || texts(&["repository/app", "repository/base"]);
        match unknown {
            Unknown::Region => always(Kind::Text(Universe::region(self.partition())), texts(self.example_regions())),
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
            Unknown::Now => always(Kind::InstantFrom(self.at.ceil()), self.earliest()),
            Unknown::Key(key) => self.key_slot(target, key, unknown.is_multivalued(), now),
        }
    }

    /// The slot of a condition key, which is given in lower case.
    fn key_slot(&self, target: &Target, key: &str, multivalued: bool, now: usize) -> Slot {
        let optional = |kind: Kind| Slot { optional: true, ..always(kind, Vec::new()) };
        let words = || match key {
            "aws:useragent" => texts(&["docker/28.5.1", "aws-cli/2.31.18"]),
            "aws:sourceidentity" => texts(&["alice", "bob"]),
            "glue:roleassumedby" | "glue:credentialissuingservice" => texts(&["glue.amazonaws.com"]),
            _ if key.ends_with("arn") && !key.contains("tag/") => vec![self.ec2_arn("instance/i-0a1b2c3d4e5f67890")],
            _ => texts(&["app", "base"]),
        };
        let member = multivalued || key.starts_with("aws:calledvia");
        let universe = if member { Universe::Member } else { Universe::Text };
        let text = |kind: Universe| {
            let (examples, usual) = examples::of_key(key, &self.home());
            let preferred = if examples.is_empty() { words() } else { examples };
            Slot { multivalued, preferred, usual, ..optional(Kind::Text(kind)) }
        };
        match key {
            "aws:userid" => {
                let instance = self.trust.admits_only_ec2();
                let prefix = format!("{}:", self.id);
                let preferred = vec![format!("{prefix}i-0a1b2c3d4e5f67890")];
                always(Kind::Text(Universe::UserId { prefix, instance }), preferred)
            }
            "aws:requestedregion" if target.service == Service::EcrPublic => {
                always(Kind::Choice(&["us-east-1", "us-west-2"]), Vec::new())
            }
            "aws:requestedregion" => {
                always(Kind::Text(Universe::region(self.partition())), texts(self.example_regions()))
            }
            "aws:tokenissuetime" => always(Kind::InstantUntil(now), self.earliest()),
            "aws:viaawsservice" => always(Kind::Choice(&["false", "true"]), Vec::new()),
            "aws:useragent" => always(Kind::Text(Universe::Text), words()),
            "aws:multifactorauthpresent" if self.trust.admits_account_or_user() => {
                optional(Kind::Choice(&["false", "true"]))
            }
            "aws:multifactorauthpresent" => optional(Kind::Choice(&["false"])),
            "aws:multifactorauthage" => Slot { preferred: texts(&["300"]), ..optional(Kind::Number) },
            "ec2:roledelivery" => Slot { preferred: texts(&["2.0"]), ..optional(Kind::Choice(&["2.0", "1.0"])) },
            "aws:sourceip" => Slot {
                preferred: texts(&["203.0.113.10", "198.51.100.10", "192.0.2.10", "2001:db8::10"]),
                ..optional(Kind::Address)
            },
            "aws:vpcsourceip" => Slot { preferred: texts(&PRIVATE_ADDRESSES), ..optional(Kind::Address) },
            "aws:ec2instancesourceprivateipv4" => {
                Slot { preferred: texts(&PRIVATE_ADDRESSES), ..optional(Kind::PrivateAddress) }
            }
            // Before the keys that are recognized by their name, because users choose the keys of tags.
            _ if key.contains("tag/") => text(universe),
            "aws:viaawsmcpservice" | "aws:ismcpserviceaction" => optional(Kind::Choice(&["false", "true"])),
            _ if key.ends_with("arn") => text(Universe::Arn),
            _ => text(universe),
        }
    }

    /// The ARN of a resource of EC2 in the role's account.
    pub(super) fn ec2_arn(&self, resource: &str) -> String {
        let Home { partition, region, account } = self.home();
        format!("arn:{partition}:ec2:{region}:{account}:{resource}")
    }

    fn home(&self) -> Home<'_> {
        let region = self.example_regions().first().copied().unwrap_or_default();
        Home { partition: self.partition(), region, account: self.account() }
    }

    /// The earliest time of a request: the preferred value of a slot for an instant.
    fn earliest(&self) -> Vec<String> {
        vec![format!("{:.0}", self.at.ceil())]
    }

    fn example_regions(&self) -> &'static [&'static str] {
        match self.partition() {
            "aws" => &[
                "us-east-1",
                "us-west-2",
                "eu-west-1",
                "eu-central-1",
                "ap-southeast-1",
                "ap-northeast-1",
                "ca-central-1",
                "sa-east-1",
                "af-south-1",
                "me-south-1",
                "il-central-1",
                "mx-central-1",
            ],
            "aws-us-gov" => &["us-gov-west-1", "us-gov-east-1"],
            "aws-cn" => &["cn-north-1", "cn-northwest-1"],
            _ => &[],
        }
    }
}

/// Addresses of VPCs.
const PRIVATE_ADDRESSES: [&str; 4] = ["10.0.1.25", "172.31.16.25", "192.168.1.25", "100.64.1.25"];

/// A slot that is present in every request and has one value.
fn always(kind: Kind, preferred: Vec<String>) -> Slot {
    Slot { kind, optional: false, multivalued: false, preferred, usual: Vec::new() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
