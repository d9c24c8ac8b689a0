//! The keys of a request's context: which are always present, which may be, which go together, and with which values.
//!
//! Sources: IAM User Guide, "AWS global condition context keys" and "Pass session tags in AWS STS"; Service
//! Authorization Reference for Amazon ECR and Amazon ECR Public; Amazon ECR Public User Guide, "Using tag-based access
//! control".

use super::pattern::{Part, parts};
use super::resource::action as action_covers;
use super::{Outcome, Request, RoleDocs, Tri};
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The type of a key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// Only `false`.
    False,
    /// A whole number of seconds.
    Age,
    /// A date as AWS writes it.
    Date,
    /// Whole seconds since 1970.
    Seconds,
    /// An IP address.
    Ip,
    /// An IPv4 address of a private network.
    PrivateIpv4,
    /// An ARN.
    Arn,
    /// The ARN of a VPC.
    VpcArn,
    /// `1.0` or `2.0`: the version of the instance metadata service.
    RoleDelivery,
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
    /// Present with these values.
    Known(Vec<String>),
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
    /// An account or a user.
    people: bool,
    roles: bool,
    federated: bool,
    /// Someone can pass session tags.
    pub session_tags: bool,
    /// Someone who is no service can set a source identity.
    pub source_identity: bool,
}

impl Trust {
    /// Who can start the sessions of a role. Only EKS Pod Identity starts one with a session policy, without session tags.
    ///
    /// # Errors
    /// The trust policy is malformed.
    pub fn of_sessions(role: &RoleDocs) -> Result<Trust, String> {
        if role.session.is_none() {
            return Trust::of(&role.trust);
        }
        Ok(Trust { services: vec!["pods.eks.amazonaws.com".to_owned()], ..Trust::default() })
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
            let mut here = Trust::default();
            here.admit(statement);
            if allows(statement, "sts:TagSession") {
                trust.session_tags = true;
            }
            if allows(statement, "sts:SetSourceIdentity") {
                trust.source_identity |= here.everybody || here.people || here.roles || here.federated;
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
                let of_role = name.starts_with("AROA") || name.contains(":role/") || name.contains(":assumed-role/");
                match kind.as_str() {
                    _ if name == "*" => self.everybody = true,
                    "Service" => self.services.push(name.to_owned()),
                    "Federated" => self.federated = true,
                    _ if of_role => self.roles = true,
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
        let others = self.everybody || self.people || self.roles || self.federated;
        let ec2 = |name: &String| name.starts_with("ec2.amazonaws.com");
        !others && !self.services.is_empty() && self.services.iter().all(ec2)
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

/// The keys of EC2's credentials, in lower case. A request has all of them or none, unless a service calls for the caller.
pub const EC2_KEYS: [&str; 4] =
    ["ec2:sourceinstancearn", "ec2:roledelivery", "aws:ec2instancesourcevpc", "aws:ec2instancesourceprivateipv4"];

/// The keys of a request through a VPC endpoint, in lower case. A request has all that its service supports, or none.
pub const VPC_KEYS: [&str; 5] =
    ["aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:sourcevpcarn", "aws:vpceaccount"];

/// The keys that only services in the list of the key reference have. `ecr` is in the list, `ecr-public` is not.
const LISTED_VPC_KEYS: [&str; 4] = ["aws:sourcevpcarn", "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths"];

/// The organization of the VPC endpoint's owner, if it has one: both keys or none, with those of the endpoint.
pub const VPC_ORG_KEYS: [&str; 2] = ["aws:vpceorgid", "aws:vpceorgpaths"];

/// The services that a request came through: all three keys or none.
pub const CALLED_VIA: [&str; 3] = ["aws:calledvia", "aws:calledviafirst", "aws:calledvialast"];

/// The organizations of principal and resource: identifier and paths, or neither. For a resource of the role's account: all
/// four keys or none, and the same organization.
pub const ORG_KEYS: [&str; 4] =
    ["aws:principalorgid", "aws:resourceorgid", "aws:principalorgpaths", "aws:resourceorgpaths"];

/// A request together with its role.
#[derive(Clone)]
pub struct View<'a> {
    role: &'a RoleDocs,
    request: &'a Request,
    trust: &'a Trust,
    listed: Rc<BTreeMap<String, &'a Vec<String>>>,
    /// Whether actions of `ecr-public` have the key `ecr:ResourceTag`; `None` for both readings.
    foreign_tags: Option<bool>,
    /// Whether a variable of a key with several values stands for any text. Otherwise it has no value. `None` for both
    /// readings.
    several: Option<bool>,
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
        Ok(View { role, request, trust, listed: Rc::new(listed), foreign_tags: None, several: None })
    }

    /// The outcome in all readings of the keys that the texts mention. The guide of ECR Public uses `ecr:ResourceTag` for
    /// `ecr-public` actions, and the Service Authorization Reference does not list it. IAM does not document a variable of a
    /// key with several values.
    pub fn in_both_readings<'b>(
        &self,
        texts: impl IntoIterator<Item = &'b str> + Clone,
        outcome: impl Fn(&View<'a>) -> Outcome,
    ) -> Outcome {
        let tagged = |text: &str| text.to_lowercase().contains("ecr:resourcetag/");
        let foreign =
            self.foreign_tags.is_none() && self.service() == "ecr-public" && texts.clone().into_iter().any(tagged);
        let several = self.several.is_none() && texts.into_iter().any(|text| self.has_several(text));
        let both = [Some(true), Some(false)];
        let tags = if foreign { &both[..] } else { &[self.foreign_tags] };
        let variables = if several { &both[..] } else { &[self.several] };
        let readings = tags.iter().flat_map(|tags| variables.iter().map(move |several| (*tags, *several)));
        let outcomes: Vec<Tri> = readings
            .map(|(foreign_tags, several)| outcome(&View { foreign_tags, several, ..self.clone() }))
            .collect::<Result<_, _>>()?;
        let (first, rest) = outcomes.split_first().unwrap();
        Ok(if rest.iter().all(|other| other == first) { *first } else { Tri::Maybe })
    }

    /// Whether a text has a variable of a key with several values that the request has.
    fn has_several(&self, text: &str) -> bool {
        text.contains("${")
            && parts(text, true).iter().any(|part| match part {
                Part::Variable { key, .. } => multivalued(&key.to_lowercase()) && self.present(key),
                _ => false,
            })
    }

    /// Whether the variables of a text stand for any text.
    pub fn stands_for_anything(&self, parts: &[Part]) -> bool {
        let several = |part: &Part| match part {
            Part::Variable { key, .. } => multivalued(&key.to_lowercase()) && self.present(key),
            _ => false,
        };
        self.several == Some(true) && parts.iter().any(several)
    }

    /// The requested action.
    pub fn action(&self) -> &str {
        &self.request.action
    }

    fn service(&self) -> String {
        self.request.action.split(':').next().unwrap_or_default().to_lowercase()
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
        let key = key.to_lowercase();
        let hidden = self.foreign_tags == Some(false) && key.starts_with("ecr:resourcetag/");
        if hidden { None } else { self.listed.get(&key).copied() }
    }

    /// Whether the request lists one of the keys with a value.
    pub fn lists_one_of(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.listed(key).is_some_and(|values| !values.is_empty()))
    }

    /// Whether the request says that it lacks one of the keys.
    fn denies_one_of(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.listed(key).is_some_and(Vec::is_empty))
    }

    /// Whether the request lists this one value for a key.
    pub fn lists(&self, key: &str, value: &str) -> bool {
        self.listed(key).is_some_and(|values| values.len() == 1 && values[0] == value)
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
            Knowledge::Known(values) => Ok(values),
            Knowledge::Free(_) | Knowledge::Absent => Ok(Vec::new()),
            Knowledge::Present(_) => {
                self.tied_instant(key).map(|value| vec![value]).ok_or(format!("the witness must list `{key}`"))
            }
        }
    }

    /// The value of a policy variable. A key with several values has none, or stands for any text.
    ///
    /// # Errors
    /// As [`View::values`].
    pub fn variable(&self, key: &str) -> Result<Option<String>, String> {
        if multivalued(&key.to_lowercase()) {
            let any_text = self.several == Some(true) && self.present(key);
            return Ok(any_text.then(|| "*".to_owned()));
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
                let instant = super::value::instant(self.listed("aws:CurrentTime")?.first()?)?;
                Some(instant.div_euclid(1_000_000_000).to_string())
            }
            _ => None,
        }
    }

    /// What the rest of the request says about a key. `well_formed` checks the keys that the catalogue lists for an action.
    pub fn knowledge(&self, key: &str) -> Knowledge {
        let key = key.to_lowercase();
        if key.starts_with("aws::") || key.starts_with("ecr::") || key.starts_with("ecr-public::") {
            return Knowledge::Absent;
        }
        let service = self.service();
        let known = |text: &str| Knowledge::Known(vec![text.to_owned()]);
        let free_if = |condition: bool, kind: Kind| if condition { Knowledge::Free(kind) } else { Knowledge::Absent };
        let trust = self.trust;
        if let Some(tag) = key.strip_prefix("aws:principaltag/") {
            if trust.session_tags {
                return Knowledge::Free(Kind::Text);
            }
            let own = self.role.tags.iter().find(|(name, _)| name.to_lowercase() == tag);
            return own.map_or(Knowledge::Absent, |(_, value)| known(value));
        }
        if let Some((of, "resourcetag", tag)) = tag_key(&key) {
            let name_exists = of == "aws"
                || of == service
                || of == "ecr" && service == "ecr-public" && self.foreign_tags != Some(false);
            if !name_exists || !self.on_repository() {
                return Knowledge::Absent;
            }
            return self.tag(&key, tag);
        }
        if let Some(("aws", "requesttag", tag)) = tag_key(&key) {
            return if self.creates_repository() { self.tag(&key, tag) } else { Knowledge::Free(Kind::Text) };
        }
        if EC2_KEYS.contains(&key.as_str()) {
            return self.ec2(&key);
        }
        if VPC_KEYS.contains(&key.as_str()) || VPC_ORG_KEYS.contains(&key.as_str()) {
            return self.vpc(&key, &service);
        }
        if CALLED_VIA.contains(&key.as_str()) {
            return self.called_via(&key);
        }
        if ORG_KEYS.contains(&key.as_str()) {
            return self.organization(&key);
        }
        let absent = ["aws:username", "aws:sourcearn", "aws:sourceaccount", "aws:assumedroot"];
        let absent_prefixes = ["aws:sourceorg", "aws:principalservicename"];
        if absent.contains(&key.as_str()) || absent_prefixes.iter().any(|prefix| key.starts_with(prefix)) {
            return Knowledge::Absent;
        }
        let of_endpoint = || self.lists_one_of(&VPC_KEYS) || self.lists_one_of(&VPC_ORG_KEYS);
        match key.as_str() {
            "aws:principalarn" => known(&self.role.arn),
            "aws:principalaccount" => known(self.own_account()),
            "aws:principaltype" => known("AssumedRole"),
            "aws:principalisawsservice" => known("false"),
            "aws:securetransport" => known("true"),
            "aws:userid" => Knowledge::Present(Kind::UserId),
            // ECR Public has VPC endpoints in one region.
            "aws:requestedregion" if service == "ecr-public" && of_endpoint() => known("us-east-1"),
            "aws:requestedregion" if service == "ecr-public" => Knowledge::Present(Kind::PublicRegion),
            "aws:requestedregion" => self.field(3).map_or(Knowledge::Present(Kind::Region), known),
            "aws:resourceaccount" => known(self.field(4).unwrap_or(self.own_account())),
            "aws:currenttime" | "aws:tokenissuetime" => Knowledge::Present(Kind::Date),
            "aws:epochtime" => Knowledge::Present(Kind::Seconds),
            "aws:viaawsservice" if self.lists_one_of(&CALLED_VIA) => known("true"),
            "aws:viaawsservice" => Knowledge::Present(Kind::Bool),
            "aws:useragent" => Knowledge::Present(Kind::Text),
            "aws:sourceip" => free_if(!of_endpoint(), Kind::Ip),
            "aws:multifactorauthpresent" if !trust.people() => Knowledge::Free(Kind::False),
            "aws:multifactorauthpresent" if self.lists_one_of(&["aws:multifactorauthage"]) => known("true"),
            "aws:multifactorauthpresent" => Knowledge::Free(Kind::Bool),
            "aws:multifactorauthage" => {
                let listed = self.listed("aws:multifactorauthpresent").is_some();
                free_if(trust.people() && (!listed || self.lists("aws:multifactorauthpresent", "true")), Kind::Age)
            }
            "aws:federatedprovider" => free_if(trust.federated(), Kind::Text),
            "aws:sourceidentity" => free_if(trust.source_identity, Kind::Text),
            "aws:chatbotsourcearn" => free_if(trust.service("chatbot"), Kind::Arn),
            "aws:signinsessionarn" => free_if(trust.people() || trust.federated(), Kind::Arn),
            "ssm:sourceinstancearn" => free_if(trust.service("ssm"), Kind::Arn),
            "lambda:sourcefunctionarn" => free_if(trust.service("lambda"), Kind::Arn),
            "codebuild:buildarn" | "codebuild:projectarn" => free_if(trust.service("codebuild"), Kind::Arn),
            "glue:roleassumedby" | "glue:credentialissuingservice" => free_if(trust.service("glue"), Kind::Text),
            "identitystore:userid" => free_if(trust.service("identitystore") || trust.service("sso"), Kind::Text),
            "aws:viaawsmcpservice" | "aws:ismcpserviceaction" => Knowledge::Free(Kind::Bool),
            _ => match key.split_once(':') {
                Some((prefix, _)) if prefix == "aws" || prefix == service => Knowledge::Free(Kind::Text),
                // The keys of SAML and of OIDC providers. The prefix of the latter is a host name.
                Some((prefix, _)) if prefix == "saml" || prefix.contains('.') => free_if(trust.federated(), Kind::Text),
                _ => Knowledge::Absent,
            },
        }
    }

    fn own_account(&self) -> &'a str {
        self.role.arn.split(':').nth(4).unwrap_or_default()
    }

    /// A field of the resource's ARN; `None` for the resource `*`.
    fn field(&self, index: usize) -> Option<&'a str> {
        self.request.resource.split(':').nth(index)
    }

    fn on_repository(&self) -> bool {
        self.field(5).is_some_and(|last| last.starts_with("repository/") && last != "repository/*")
    }

    fn creates_repository(&self) -> bool {
        self.request.action.eq_ignore_ascii_case("ecr:CreateRepository")
    }

    /// A tag of the repository, which has several names. A new repository has the tags of the request.
    fn tag(&self, key: &str, tag: &str) -> Knowledge {
        let mut names = vec![format!("aws:resourcetag/{tag}"), format!("{}:resourcetag/{tag}", self.service())];
        if self.service() == "ecr-public" {
            names.push(format!("ecr:resourcetag/{tag}"));
        }
        if self.creates_repository() {
            names.push(format!("aws:requesttag/{tag}"));
        }
        // The other name of the tag is listed even in the reading in which actions of ECR Public do not have it as a key.
        match names.iter().filter(|name| *name != key).find_map(|name| self.listed.get(name)) {
            Some(values) if values.is_empty() => Knowledge::Absent,
            Some(values) => Knowledge::Known((*values).clone()),
            None => Knowledge::Free(Kind::Text),
        }
    }

    fn ec2(&self, key: &str) -> Knowledge {
        let kind = match key {
            "ec2:sourceinstancearn" => Kind::Arn,
            "ec2:roledelivery" => Kind::RoleDelivery,
            "aws:ec2instancesourcevpc" => Kind::Text,
            _ => Kind::PrivateIpv4,
        };
        let by_service = self.lists("aws:viaawsservice", "true") || self.lists_one_of(&CALLED_VIA);
        if !self.trust.service("ec2") {
            return Knowledge::Absent;
        }
        match (by_service, self.trust.only_ec2()) {
            // "Some of the keys are not present" in a call that a service makes for the caller.
            (true, _) => Knowledge::Free(kind),
            (false, true) => Knowledge::Present(kind),
            (false, false) => self.of_group(key, &EC2_KEYS, kind),
        }
    }

    /// A key that is present exactly if the others of its group are.
    fn of_group(&self, key: &str, group: &[&str], kind: Kind) -> Knowledge {
        let others: Vec<&str> = group.iter().copied().filter(|other| *other != key).collect();
        if self.lists_one_of(&others) {
            Knowledge::Present(kind)
        } else if self.denies_one_of(&others) {
            Knowledge::Absent
        } else {
            Knowledge::Free(kind)
        }
    }

    fn vpc(&self, key: &str, service: &str) -> Knowledge {
        let kind = match key {
            "aws:vpcsourceip" => Kind::Ip,
            "aws:sourcevpcarn" => Kind::VpcArn,
            _ => Kind::Text,
        };
        if service == "ecr-public" && LISTED_VPC_KEYS.contains(&key) || self.lists_one_of(&["aws:sourceip"]) {
            return Knowledge::Absent;
        }
        if service == "ecr-public"
            && (self.listed("aws:requestedregion").is_some() && !self.lists("aws:requestedregion", "us-east-1"))
        {
            return Knowledge::Absent;
        }
        let of_endpoint = self.of_group(key, &VPC_KEYS, kind);
        if VPC_ORG_KEYS.contains(&key) {
            let together = self.of_group(key, &VPC_ORG_KEYS, kind);
            return if of_endpoint == Knowledge::Absent { Knowledge::Absent } else { together };
        }
        if key == "aws:sourcevpc"
            && let Some(arn) = self.listed("aws:sourcevpcarn").and_then(|values| values.first())
            && let Some((_, id)) = arn.split_once(":vpc/")
        {
            return Knowledge::Known(vec![id.to_owned()]);
        }
        if self.lists_one_of(&VPC_ORG_KEYS) { Knowledge::Present(kind) } else { of_endpoint }
    }

    fn called_via(&self, key: &str) -> Knowledge {
        if self.listed("aws:viaawsservice").is_some() && !self.lists("aws:viaawsservice", "true") {
            return Knowledge::Absent;
        }
        let all = self.listed("aws:calledvia");
        let end = match key {
            "aws:calledviafirst" => all.and_then(|services| services.first()),
            "aws:calledvialast" => all.and_then(|services| services.last()),
            _ => None,
        };
        end.map_or_else(|| self.of_group(key, &CALLED_VIA, Kind::Text), |end| Knowledge::Known(vec![end.clone()]))
    }

    fn organization(&self, key: &str) -> Knowledge {
        if self.field(4).is_some_and(|account| account != self.own_account()) {
            let pairs =
                [["aws:principalorgid", "aws:principalorgpaths"], ["aws:resourceorgid", "aws:resourceorgpaths"]];
            let pair = pairs.iter().find(|pair| pair.contains(&key)).unwrap();
            return self.of_group(key, pair, Kind::Text);
        }
        let other = match key {
            "aws:principalorgid" => "aws:resourceorgid",
            "aws:resourceorgid" => "aws:principalorgid",
            "aws:principalorgpaths" => "aws:resourceorgpaths",
            _ => "aws:principalorgpaths",
        };
        match self.listed(other) {
            Some(values) if !values.is_empty() => Knowledge::Known(values.clone()),
            _ => self.of_group(key, &ORG_KEYS, Kind::Text),
        }
    }
}

/// The parts of a key of a tag, in lower case: `aws`, `resourcetag` and the tag's key.
pub fn tag_key(key: &str) -> Option<(&str, &str, &str)> {
    let (name, tag) = key.split_once('/')?;
    let (service, kind) = name.split_once(':')?;
    ["aws", "ecr", "ecr-public"].contains(&service).then_some((service, kind, tag))
}
