//! Which keys of a request belong together: some come all or none, some exclude each other, some need another one.
//!
//! [`clauses`] has these rules for the search. [`complete`] adds to a witness the keys that come with those it lists.
//!
//! Source: IAM User Guide, "AWS global condition context keys", the paragraphs "Availability"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>).

use super::catalogue::Service;
use super::context::{Knowledge, Unknown};
use super::decision::Context;
use super::request::{Request, absent, equals, matches_one};
use super::solver::slot::SlotValue;
use super::solver::{Clause, Literal, Values, holds};
use crate::policy::glob::Glob;
use crate::policy::operator::Quantifier;
use crate::policy::reading::Reading;
use crate::policy::variable::{Variables, Wildcards, resolve, tokens};

/// A service calls ECR for the role. The second and third are the ends of the first, a list.
const CALLED_VIA: [&str; 3] = ["aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"];

/// The request arrives through a VPC endpoint.
const ENDPOINT: [&str; 5] =
    ["aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp", "aws:SourceVpcArn", "aws:VpceAccount"];

/// The account of the VPC endpoint is in an organization.
const ENDPOINT_ORGANIZATION: [&str; 2] = ["aws:VpceOrgID", "aws:VpceOrgPaths"];

/// The role's account is in an organization.
const PRINCIPAL_ORGANIZATION: [&str; 2] = ["aws:PrincipalOrgID", "aws:PrincipalOrgPaths"];

/// The account of the resource is in an organization.
const RESOURCE_ORGANIZATION: [&str; 2] = ["aws:ResourceOrgID", "aws:ResourceOrgPaths"];

/// The keys that a request has all together or not at all.
const GROUPS: [&[&str]; 5] =
    [&CALLED_VIA, &ENDPOINT, &ENDPOINT_ORGANIZATION, &PRINCIPAL_ORGANIZATION, &RESOURCE_ORGANIZATION];

/// The keys of a session that EC2 started.
const INSTANCE: [&str; 4] =
    ["ec2:SourceInstanceArn", "ec2:RoleDelivery", "aws:Ec2InstanceSourceVpc", "aws:Ec2InstanceSourcePrivateIPv4"];

const VIA_SERVICE: &str = "aws:ViaAWSService";
const MFA: &str = "aws:MultiFactorAuthPresent";
const MFA_AGE: &str = "aws:MultiFactorAuthAge";

/// The condition keys of a request that have slots, in lower case, each with its slot.
struct Keys(Vec<(String, usize)>);

impl Keys {
    fn slot(&self, name: &str) -> Option<usize> {
        self.of(&[name]).next()
    }

    /// The slots of those of the keys that have one.
    fn of(&self, names: &[&str]) -> impl Iterator<Item = usize> {
        let named = |key: &str| names.iter().any(|name| name.eq_ignore_ascii_case(key));
        self.0.iter().filter(move |(key, _)| named(key)).map(|(_, slot)| *slot)
    }
}

/// The clauses that hold in every request. They concern the keys that have slots.
pub(super) fn clauses(request: &mut Request<'_>) -> Vec<Clause> {
    let keys = Keys(request.keys());
    let mut ties = Ties(Vec::new());
    if keys.0.is_empty() {
        return ties.0;
    }
    for group in GROUPS {
        for (one, other) in neighbours(keys.of(group)) {
            ties.either(absent(one), present(other));
        }
    }
    tie_network(&mut ties, &keys, request);
    tie_session(&mut ties, &keys, request);
    for (key, slot) in &keys.0 {
        // `repository/*` stands for all repositories. It is not a repository and has no tags.
        if request.target.all_repositories && key.starts_with("aws:resourcetag/") {
            let resource = request.slot_of(&Unknown::Resource);
            ties.either(absent(*slot), equals(resource, "repository/*", Quantifier::Value).negated());
        }
        // `aws:TagKeys` holds the key of every `aws:RequestTag`.
        if key.starts_with("aws:requesttag/") {
            let tag = request.tag_key(key).to_owned();
            let tag_keys = request.slot_of(&self::key("aws:TagKeys"));
            ties.either(absent(*slot), equals(tag_keys, &tag, Quantifier::Any));
        }
    }
    ties.0
}

struct Ties(Vec<Clause>);

impl Ties {
    fn either(&mut self, one: Literal, other: Literal) {
        self.0.push(vec![vec![one], vec![other]]);
    }
}

/// Each slot with the next one, in both orders.
fn neighbours(slots: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let slots: Vec<usize> = slots.collect();
    slots.iter().zip(slots.iter().skip(1)).flat_map(|(one, next)| [(*one, *next), (*next, *one)]).collect()
}

/// A request arrives through a VPC endpoint or over the internet, not both.
fn tie_network(ties: &mut Ties, keys: &Keys, request: &mut Request<'_>) {
    let endpoint = keys.of(&ENDPOINT).next();
    let organization = keys.of(&ENDPOINT_ORGANIZATION).next();
    if let (Some(organization), Some(endpoint)) = (organization, endpoint) {
        ties.either(absent(organization), present(endpoint));
    }
    let Some(endpoint) = endpoint.or(organization) else { return };
    if let Some(source_ip) = keys.slot("aws:SourceIp") {
        ties.either(absent(endpoint), absent(source_ip));
    }
    // ECR Public has VPC endpoints in one region.
    if request.target.service == Service::EcrPublic {
        let region = request.slot_of(&key("aws:RequestedRegion"));
        ties.either(absent(endpoint), equals(region, "us-east-1", Quantifier::Value));
    }
    if let Some(arn) = keys.slot("aws:SourceVpcArn") {
        let mut pattern =
            tokens(&format!("arn:{}:ec2:*:*:vpc/", request.role.partition()), Variables::Text, Wildcards::GlobInPart);
        // A variable, because the search takes values for one slot at a time.
        pattern.extend(match keys.slot("aws:SourceVpc") {
            Some(_) => tokens("${aws:SourceVpc}", Variables::Replaced, Wildcards::Text),
            None => tokens("*", Variables::Text, Wildcards::GlobInPart),
        });
        if let Some(of_vpc) = resolve(&pattern, Reading::Wide, &|variable| request.meaning(variable)) {
            ties.either(absent(arn), matches_one(arn, vec![of_vpc]));
        }
    }
}

/// How the session was started, and whether a service uses it for the role. Such a call need not have the session's keys.
fn tie_session(ties: &mut Ties, keys: &Keys, request: &mut Request<'_>) {
    let via_service = |request: &mut Request<'_>| is_true(request.slot_of(&key(VIA_SERVICE)));
    if let Some(called_via) = keys.of(&CALLED_VIA).next() {
        ties.either(absent(called_via), via_service(request));
    }
    for of_instance in keys.of(&INSTANCE) {
        if request.role.trust.admits_only_ec2() {
            ties.either(present(of_instance), via_service(request));
        }
        // An instance's session has the instance's id as its name.
        if let Some(user_id) = keys.slot("aws:userid") {
            let ids = ["????????", "?????????????????"].map(|id| Glob::new(&format!("{}:i-{id}", request.role.id)));
            ties.either(absent(of_instance), matches_one(user_id, ids.to_vec()));
        }
    }
    for (one, other) in neighbours(keys.of(&INSTANCE)) {
        ties.0.push(vec![vec![absent(one)], vec![present(other)], vec![via_service(request)]]);
    }
    if let Some(age) = keys.slot(MFA_AGE) {
        let mfa = request.slot_of(&key(MFA));
        ties.either(absent(age), is_true(mfa));
        ties.either(present(age), is_true(mfa).negated());
    }
}

/// The clauses that the account of the VPC endpoint is in an organization. Requests through other endpoints exist, but a
/// witness with all keys of an endpoint is a better proof.
pub(super) fn endpoint_in_organization(request: &Request<'_>) -> Vec<Clause> {
    let keys = Keys(request.keys());
    let endpoint = keys.of(&ENDPOINT).next();
    let clause = |organization| Some(vec![vec![absent(endpoint?)], vec![present(organization)]]);
    keys.of(&ENDPOINT_ORGANIZATION).filter_map(clause).collect()
}

/// Whether a witness has the keys of a VPC endpoint without those of its organization.
pub(super) fn lacks_organization_of_endpoint(context: &Context) -> bool {
    let lists = |names: &[&str]| names.iter().any(|name| listed(context, name).is_some());
    lists(&ENDPOINT) && !lists(&ENDPOINT_ORGANIZATION)
}

/// Adds to a witness the keys that the request has because of those that the witness lists.
pub(super) fn complete(request: &Request<'_>, values: &Values, context: &mut Context) {
    let add_all = |context: &mut Context, if_listed: &[&str], names: &[&str]| {
        let all = || names.iter().chain(if_listed);
        if all().any(|name| listed(context, name).is_some()) {
            // The values that the search found come first: others follow from them.
            all().for_each(|name| request.mention_key(name, &name.to_ascii_lowercase(), values, context));
            names.iter().for_each(|name| add(request, values, context, name));
        }
    };
    let own_resource = request.value(&Unknown::Account, values).is_none_or(|account| account == request.role.account());
    if own_resource {
        add_all(context, &RESOURCE_ORGANIZATION, &PRINCIPAL_ORGANIZATION);
        add_all(context, &PRINCIPAL_ORGANIZATION, &RESOURCE_ORGANIZATION);
    }
    add_all(context, &ENDPOINT_ORGANIZATION, &ENDPOINT);
    let absent = |slot| values.get(slot).is_some_and(|value| *value == SlotValue::Absent);
    if !Keys(request.keys()).of(&ENDPOINT_ORGANIZATION).any(absent) {
        add_all(context, &ENDPOINT, &ENDPOINT_ORGANIZATION);
    }
    for group in GROUPS {
        add_all(context, &[], group);
    }
    if request.target.service == Service::EcrPublic && listed(context, "aws:SourceVpc").is_some() {
        add(request, values, context, "aws:RequestedRegion");
    }
    if listed(context, MFA).is_some_and(|values| *values != ["false"]) {
        add(request, values, context, MFA_AGE);
    }
    if listed(context, MFA_AGE).is_some() {
        add(request, values, context, MFA);
    }
    if request.value(&key(VIA_SERVICE), values).is_some_and(|via_service| via_service == "true") {
        add(request, values, context, VIA_SERVICE);
        // Such a request may have some of them only, so the witness lists those that it has.
        INSTANCE.iter().for_each(|name| request.mention_key(name, &name.to_ascii_lowercase(), values, context));
    } else if !request.role.trust.admits_only_ec2() {
        add_all(context, &[], &INSTANCE);
    }
    let tags: Vec<(String, String)> =
        context.keys().filter_map(|key| Some((key.clone(), key.split_once('/')?.1.to_owned()))).collect();
    for (key, tag) in tags {
        let (of_request, of_resource) = (format!("aws:RequestTag/{tag}"), format!("aws:ResourceTag/{tag}"));
        let names_tag = ["requesttag/", "resourcetag/"].iter().any(|kind| key.to_ascii_lowercase().contains(kind));
        if request.target.creates && names_tag {
            add(request, values, context, &of_request);
            add(request, values, context, &of_resource);
        }
        if listed(context, &of_request).is_some() {
            add(request, values, context, "aws:TagKeys");
        }
    }
    add_ends(context);
}

/// Adds a key to a witness if the request can have it: with the value that the search found, or with one that fits the other
/// keys.
fn add(request: &Request<'_>, values: &Values, context: &mut Context, name: &str) {
    let lower = name.to_ascii_lowercase();
    if listed(context, &lower).is_some() {
        return;
    }
    request.mention_key(name, &lower, values, context);
    if let Knowledge::Unknown(unknown) = request.role.knowledge(&request.target, &lower)
        && request.find_slot(&unknown).is_none()
    {
        let fitting = fitting_value(request, context, &lower);
        let example = || request.role.slot(&request.target, &unknown, 0).preferred.into_iter().take(1).collect();
        context.insert(name.to_owned(), fitting.unwrap_or_else(example));
    }
}

/// The value of a key, given in lower case, that follows from the other keys of a witness.
fn fitting_value(request: &Request<'_>, context: &Context, key: &str) -> Option<Vec<String>> {
    let called_via = || listed(context, CALLED_VIA[0]).into_iter().flatten();
    let of = |name: &str| listed(context, name).cloned();
    match key {
        "aws:calledvia" => Some(Vec::new()),
        "aws:calledviafirst" => called_via().next().map(|one| vec![one.clone()]).or_else(|| of("aws:CalledViaLast")),
        "aws:calledvialast" => called_via().last().map(|one| vec![one.clone()]).or_else(|| of("aws:CalledViaFirst")),
        "aws:sourcevpc" => Some(vec![of("aws:SourceVpcArn")?.first()?.rsplit_once('/')?.1.to_owned()]),
        "aws:sourcevpcarn" => Some(vec![request.role.ec2_arn(&format!("vpc/{}", of("aws:SourceVpc")?.first()?))]),
        "aws:principalorgid" => of("aws:ResourceOrgID").or_else(|| id_in(&of("aws:PrincipalOrgPaths")?)),
        "aws:principalorgpaths" => of("aws:ResourceOrgPaths").or_else(|| path_of(request, &of("aws:PrincipalOrgID")?)),
        "aws:resourceorgid" => of("aws:PrincipalOrgID").or_else(|| id_in(&of("aws:ResourceOrgPaths")?)),
        "aws:resourceorgpaths" => of("aws:PrincipalOrgPaths").or_else(|| path_of(request, &of("aws:ResourceOrgID")?)),
        "aws:vpceorgid" => id_in(&of("aws:VpceOrgPaths")?),
        "aws:vpceorgpaths" => path_of(request, &of("aws:VpceOrgID")?),
        _ => None,
    }
}

/// The id of the organization in its paths.
fn id_in(paths: &[String]) -> Option<Vec<String>> {
    let id = paths.first()?.split('/').next()?;
    Some(vec![id.to_owned()])
}

/// A path in the organization with this id.
fn path_of(request: &Request<'_>, id: &[String]) -> Option<Vec<String>> {
    let example = request.role.slot(&request.target, &key("aws:PrincipalOrgPaths"), 0).preferred.into_iter().next()?;
    let (_, units) = example.split_once('/')?;
    Some(vec![format!("{}/{units}", id.first()?)])
}

/// The same values with the whole list of `aws:CalledVia`. The search finds the services between the ends of the list.
/// A list of the ends alone is better if the clauses hold for it too.
pub(super) fn with_whole_list(request: &Request<'_>, mut values: Values, clauses: &[&Clause]) -> Values {
    let slots = CALLED_VIA.map(|name| request.find_slot(&key(name)));
    let [Some(list), Some(first), Some(last)] = slots else { return values };
    let texts = [first, list, last].map(|slot| values.get(slot).and_then(SlotValue::values).map(<[String]>::to_vec));
    let [Some(first), Some(between), Some(last)] = texts else { return values };
    for between in [Vec::new(), between] {
        if let Some(value) = values.get_mut(list) {
            *value = SlotValue::Present(whole_list(&first, between, &last));
        }
        if clauses.iter().all(|clause| holds(clause, &values, request.budget)) {
            break;
        }
    }
    values
}

/// Puts the ends of `aws:CalledVia` into the list.
fn add_ends(context: &mut Context) {
    let [first, last] = ["aws:CalledViaFirst", "aws:CalledViaLast"].map(|name| listed(context, name).cloned());
    let list = context.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(CALLED_VIA[0]));
    if let (Some(first), Some(last), Some((_, list))) = (first, last, list) {
        *list = whole_list(&first, std::mem::take(list), &last);
    }
}

/// A list with its ends, each of which is one service.
fn whole_list(first: &[String], mut between: Vec<String>, last: &[String]) -> Vec<String> {
    between.retain(|service| !first.contains(service) && !last.contains(service));
    let mut list = [first, &between, last].concat();
    list.dedup();
    list
}

/// The values of a key in a witness.
fn listed<'c>(context: &'c Context, name: &str) -> Option<&'c Vec<String>> {
    context.iter().find_map(|(key, values)| key.eq_ignore_ascii_case(name).then_some(values))
}

fn key(name: &str) -> Unknown {
    Unknown::Key(name.to_ascii_lowercase())
}

fn present(slot: usize) -> Literal {
    absent(slot).negated()
}

fn is_true(slot: usize) -> Literal {
    equals(slot, "true", Quantifier::Value)
}
