//! Whether a request can exist: its action can name the resource, and a session of the role can have its context.
//!
//! Sources: Service Authorization Reference for Amazon ECR and Amazon ECR Public, the API models (repository names),
//! IAM User Guide, "AWS global condition context keys".

use super::catalogue::CatalogueAction;
use super::context::{CALLED_VIA, EC2_KEYS, Kind, Knowledge, Trust, View, multivalued, tag_key};
use super::value::{Fixed, instant};
use super::{Request, RoleDocs};
use std::net::{IpAddr, Ipv4Addr};

/// Operations of the API that have no action of their own: IAM checks another action. Amazon ECR API model:
/// `ListImageReferrers` needs the permission `ecr:BatchGetImage`.
const OPERATIONS_WITHOUT_ACTION: [&str; 1] = ["ecr:ListImageReferrers"];

/// 9999-12-31T23:59:59Z.
const LAST_SECOND: i64 = 253_402_300_799;

/// Whether the name is that of an operation without an action.
pub fn without_action(name: &str) -> bool {
    OPERATIONS_WITHOUT_ACTION.iter().any(|operation| operation.eq_ignore_ascii_case(name))
}

/// Whether a session of this role could send this request at or after `at` (seconds since 1970).
///
/// # Errors
/// The reason why it cannot exist.
pub fn well_formed(role: &RoleDocs, request: &Request, catalogue: &[CatalogueAction], at: i64) -> Result<(), String> {
    can_exist(role, &Trust::of_sessions(role)?, request, catalogue, at)
}

/// [`well_formed`] for a trust policy that is already parsed.
///
/// # Errors
/// The same as [`well_formed`].
pub fn can_exist(
    role: &RoleDocs,
    trust: &Trust,
    request: &Request,
    catalogue: &[CatalogueAction],
    at: i64,
) -> Result<(), String> {
    let entry = catalogue.iter().find(|entry| entry.action.eq_ignore_ascii_case(&request.action));
    if entry.is_none() && !["ecr", "ecr-public"].contains(&service(&request.action)) {
        return Err(format!("`{}` is no action of ECR", request.action));
    }
    if without_action(&request.action) {
        return Err(format!("IAM checks another action for `{}`", request.action));
    }
    let partition = role.arn.split(':').nth(1).unwrap_or_default();
    resource(&request.action, entry, &request.resource, partition)?;
    let view = View::new(role, trust, request)?;
    for (key, values) in &request.context {
        listed(&view, entry, key, values, partition).map_err(|text| format!("key `{key}`: {text}"))?;
    }
    time(&view, at)?;
    if view.lists_one_of(&CALLED_VIA) && !view.lists("aws:ViaAWSService", "true") {
        return Err("`aws:CalledVia*` where `aws:ViaAWSService` is not `true`".to_owned());
    }
    if view.lists_one_of(&["aws:MultiFactorAuthAge"]) && !view.lists("aws:MultiFactorAuthPresent", "true") {
        return Err("`aws:MultiFactorAuthAge` where `aws:MultiFactorAuthPresent` is not `true`".to_owned());
    }
    tag_keys(&view, request)
}

fn service(action: &str) -> &str {
    action.split(':').next().unwrap_or_default()
}

/// Whether a request for the action can name the resource.
fn resource(action: &str, entry: Option<&CatalogueAction>, resource: &str, partition: &str) -> Result<(), String> {
    let service = service(action);
    if service == "ecr-public" && partition != "aws" {
        return Err(format!("partition `{partition}` has no public registries"));
    }
    let types: Vec<&str> = match entry {
        Some(entry) => entry.resource_types.iter().map(String::as_str).collect(),
        // A request for an unknown action may name a resource of any type of its service, or `*`.
        None if resource == "*" => Vec::new(),
        None if service == "ecr-public" => vec!["repository", "registry"],
        None => vec!["repository"],
    };
    if types.is_empty() {
        return if resource == "*" {
            Ok(())
        } else {
            Err("an action without resource type is asked for `*`".to_owned())
        };
    }
    let [arn, of, named, region, account, last] = resource.split(':').collect::<Vec<_>>()[..] else {
        return Err(format!("`{resource}` is no ARN of six fields"));
    };
    let region_fits = if service == "ecr-public" { region.is_empty() } else { is_region(partition, region) };
    if arn != "arn" || of != partition || named != service || !region_fits || !is_account(account) {
        return Err(format!("`{resource}` is no ARN of `{service}` in partition `{partition}`"));
    }
    // This action can be requested for all repositories: the resource is then one string.
    if action.eq_ignore_ascii_case("ecr:DescribeRepositories") && last == "repository/*" {
        return Ok(());
    }
    // A new action may have a new resource type.
    let other = last.split_once('/').filter(|(kind, name)| {
        let word = kind.starts_with(|c: char| c.is_ascii_lowercase());
        let word = word && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        word && !["repository", "registry"].contains(kind) && !name.is_empty()
    });
    let fits = entry.is_none() && other.is_some()
        || types.iter().any(|kind| match (last.strip_prefix(&format!("{kind}/")), *kind) {
            (Some(name), "repository") => is_repository(service, name),
            (Some(name), "registry") => is_account(name),
            _ => false,
        });
    if fits { Ok(()) } else { Err(format!("`{last}` is no {}", types.join(" or "))) }
}

/// A region code of the partition's shape.
pub fn is_region(partition: &str, region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let letters = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase());
    let digits = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some((last, names)) = parts.split_last() else { return false };
    if !digits(last) || names.len() < 2 || !names.iter().all(|name| letters(name)) {
        return false;
    }
    match partition {
        "aws" => names.len() == 2 && names[0].len() == 2 && names[0] != "cn",
        "aws-cn" => names.len() == 2 && names[0] == "cn",
        "aws-us-gov" => names.len() == 3 && names[..2] == ["us", "gov"],
        _ => true,
    }
}

/// Twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The repository names of the two services' API models.
pub fn is_repository(service: &str, name: &str) -> bool {
    let longest = if service == "ecr-public" { 205 } else { 256 };
    (2..=longest).contains(&name.len()) && name.split('/').all(|component| is_component(service, component))
}

/// Letters and digits, with separators between them: `.`, `_` or `-`; in `ecr` also `__` and any number of `-`.
fn is_component(service: &str, component: &str) -> bool {
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    if !component.chars().all(|character| plain(character) || "._-".contains(character)) {
        return false;
    }
    if !component.starts_with(plain) || !component.ends_with(plain) {
        return false;
    }
    component.split(plain).filter(|separator| !separator.is_empty()).all(|separator| {
        let long = service != "ecr-public" && (separator == "__" || separator.bytes().all(|byte| byte == b'-'));
        separator.len() == 1 || long
    })
}

/// Whether the request may list this key with these values.
fn listed(
    view: &View<'_>,
    entry: Option<&CatalogueAction>,
    key: &str,
    values: &[String],
    partition: &str,
) -> Result<(), String> {
    let knowledge = knowledge(view, entry, key);
    if multivalued(&key.to_lowercase()) && values.iter().any(String::is_empty) {
        // The keys of tags, services and paths of organizations have at least one character.
        return Err("an empty value in a list".to_owned());
    }
    if values.len() > 1 && !multivalued(&key.to_lowercase()) {
        return Err(format!("has {} values, and is single-valued", values.len()));
    }
    let kind = match knowledge {
        Knowledge::Known(known) if same(values, &known) => return Ok(()),
        Knowledge::Known(known) => return Err(format!("is known to be {known:?}")),
        Knowledge::Absent | Knowledge::Free(_) if values.is_empty() => return Ok(()),
        Knowledge::Absent => return Err("is in no such request".to_owned()),
        Knowledge::Present(_) if values.is_empty() => return Err("is in every request".to_owned()),
        Knowledge::Present(kind) | Knowledge::Free(kind) => kind,
    };
    match values.iter().find(|value| !is_of(kind, value, view, partition)) {
        Some(value) => Err(format!("`{value}` is no {kind:?}")),
        None => Ok(()),
    }
}

/// Whether two lists have the same values. The order of services that a request came through matters.
fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|value| other.contains(value))
}

/// What is known about a key in a request for this action. Keys of other actions are absent.
pub fn knowledge(view: &View<'_>, entry: Option<&CatalogueAction>, key: &str) -> Knowledge {
    match entry {
        Some(entry) if !of_the_action(entry, &key.to_lowercase()) => Knowledge::Absent,
        _ => view.knowledge(key),
    }
}

/// Whether the catalogue permits the key. Keys of single actions are present only for the actions that list them.
fn of_the_action(entry: &CatalogueAction, key: &str) -> bool {
    let listed = |name: &str| entry.condition_keys.iter().any(|one| one.to_lowercase() == name);
    if key.starts_with("aws:requesttag/") {
        return listed("aws:requesttag/${tagkey}");
    }
    match key {
        "aws:tagkeys" | "ecr:accountsetting" => listed(key),
        _ => true,
    }
}

fn is_of(kind: Kind, value: &str, view: &View<'_>, partition: &str) -> bool {
    let arn = |value: &str| value.splitn(6, ':').count() == 6 && value.starts_with("arn:");
    match kind {
        Kind::Text => true,
        Kind::Bool => value == "true" || value == "false",
        Kind::False => value == "false",
        Kind::Age => value.parse::<u64>().is_ok(),
        Kind::RoleDelivery => value == "1.0" || value == "2.0",
        // AWS writes whole seconds.
        Kind::Date => value.len() == "2030-01-01T00:00:00Z".len() && value.ends_with('Z') && instant(value).is_some(),
        // AWS writes the year of a date with four digits.
        Kind::Seconds => value.parse::<i64>().is_ok_and(|seconds| seconds <= LAST_SECOND),
        Kind::Ip => value.parse::<IpAddr>().is_ok(),
        Kind::PrivateIpv4 => value.parse::<Ipv4Addr>().is_ok_and(|address| {
            // Private networks (RFC 1918) and shared address space (RFC 6598).
            address.is_private() || address.octets()[0] == 100 && (64..128).contains(&address.octets()[1])
        }),
        Kind::Arn => arn(value),
        Kind::VpcArn => {
            let fields: Vec<&str> = value.splitn(6, ':').collect();
            let vpc = fields.get(5).and_then(|last| last.strip_prefix("vpc/"));
            let listed = view.listed("aws:SourceVpc").and_then(|values| values.first());
            arn(value)
                && fields[1] == partition
                && fields[2] == "ec2"
                && vpc.is_some_and(|id| listed.is_none_or(|listed| listed == id))
        }
        Kind::Region => is_region(partition, value),
        Kind::PublicRegion => value == "us-east-1" || value == "us-west-2",
        Kind::UserId => match value.split_once(':') {
            Some((id, session)) => {
                let of_instance = view.trust().only_ec2() || view.lists_one_of(&EC2_KEYS);
                id == view.role().id && is_session(session, of_instance)
            }
            None => false,
        },
    }
}

fn is_session(name: &str, of_instance: bool) -> bool {
    let in_name = |character: char| character.is_ascii_alphanumeric() || "_+=,.@-".contains(character);
    let hexadecimal = |text: &str| {
        (8..=17).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if of_instance {
        return name.strip_prefix("i-").is_some_and(hexadecimal);
    }
    (2..=64).contains(&name.len()) && name.chars().all(in_name)
}

/// Whether the times agree: one time of the request, not before the evaluation, and a session issued before it.
fn time(view: &View<'_>, at: i64) -> Result<(), String> {
    let instant = |key: &str| view.listed(key).and_then(|values| instant(values.first()?));
    let seconds = |instant: Fixed| instant.div_euclid(1_000_000_000);
    let (current, issued) = (instant("aws:CurrentTime"), instant("aws:TokenIssueTime"));
    let epoch = view.listed("aws:EpochTime").and_then(|values| values.first()?.parse::<Fixed>().ok());
    if let (Some(current), Some(epoch)) = (current, epoch)
        && seconds(current) != epoch
    {
        return Err("`aws:CurrentTime` and `aws:EpochTime` are two instants".to_owned());
    }
    if current.map(seconds).or(epoch).is_some_and(|now| now < Fixed::from(at)) {
        return Err("the request was sent before the time of evaluation".to_owned());
    }
    match (issued, current.map(seconds).or(epoch)) {
        (Some(issued), Some(now)) if seconds(issued) > now => {
            Err("the session was issued after the request".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether `aws:TagKeys` holds the key of every `aws:RequestTag`. The tags of a new repository are those of the request.
fn tag_keys(view: &View<'_>, request: &Request) -> Result<(), String> {
    let all = view.listed("aws:TagKeys").cloned().unwrap_or_default();
    let creates = request.action.eq_ignore_ascii_case("ecr:CreateRepository");
    for (key, values) in &request.context {
        let key = key.to_lowercase();
        let Some((_, kind, tag)) = tag_key(&key) else { continue };
        let in_request = kind == "requesttag" || creates && kind == "resourcetag";
        if in_request && !values.is_empty() && !all.iter().any(|one| one.to_lowercase() == tag) {
            return Err(format!("`aws:TagKeys` does not hold `{tag}`"));
        }
    }
    Ok(())
}
