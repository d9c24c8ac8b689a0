//! Random requests that fit a role's policies: values from the policies, with wildcards filled, values near them, and keys
//! left out. All requests can exist.

use super::super::naive::Judge;
use super::super::naive::catalogue::CatalogueAction;
use super::super::naive::context::{
    CALLED_VIA, EC2_KEYS, Kind, Knowledge, ORG_KEYS, Trust, VPC_KEYS, VPC_ORG_KEYS, View, multivalued, tag_key,
};
use super::super::naive::pattern::{Part, parts};
use super::super::naive::request::{can_exist, is_account, is_region, is_repository, knowledge};
use super::super::naive::statement::{Condition, Effect, Statement, parse};
use super::super::naive::value::{base64, instant, show_instant};
use super::super::naive::{Request, RoleDocs, Tri};
use super::Rng;
use std::collections::BTreeMap;

/// The constants in a role's policies, collected for many requests.
pub struct Interest<'a> {
    role: &'a RoleDocs,
    trust: Trust,
    allows: Vec<Statement>,
    resources: Vec<String>,
    /// By key, in its first spelling, the values that conditions compare it with.
    keys: BTreeMap<String, (String, Vec<String>)>,
}

impl<'a> Interest<'a> {
    /// The constants of a role. Malformed documents are ignored.
    pub fn of(role: &'a RoleDocs) -> Interest<'a> {
        let trust = Trust::of_sessions(role).unwrap_or_default();
        let mut interest = Interest { role, trust, allows: Vec::new(), resources: Vec::new(), keys: BTreeMap::new() };
        for (_, document) in role.policies.iter().chain(&role.boundary).chain(&role.session) {
            for statement in parse(document).unwrap_or_default() {
                interest.add(&statement);
                if statement.effect == Effect::Allow {
                    interest.allows.push(statement);
                }
            }
        }
        interest.relatives();
        interest
    }

    fn add(&mut self, statement: &Statement) {
        for resource in statement.resources() {
            self.variables(resource);
            self.resources.push(resource.clone());
        }
        for Condition { operator, key, values } in statement.conditions() {
            let known = self.keys.entry(key.to_lowercase()).or_insert_with(|| (key.clone(), Vec::new()));
            if operator != "Null" {
                known.1.extend(values.iter().cloned());
            }
            if operator.contains("Binary") {
                let bytes = values.iter().filter_map(|value| base64(value));
                known.1.extend(bytes.filter_map(|bytes| String::from_utf8(bytes).ok()));
            }
            for value in values {
                self.variables(value);
            }
        }
    }

    /// Adds a key that only a variable mentions.
    fn variables(&mut self, text: &str) {
        for part in parts(text, true) {
            if let Part::Variable { key, .. } = part {
                self.keys.entry(key.to_lowercase()).or_insert((key, Vec::new()));
            }
        }
    }

    /// Adds the keys on which the presence or the value of a mentioned key depends. The names of one tag share their values.
    fn relatives(&mut self) {
        let mentioned: Vec<(String, Vec<String>)> =
            self.keys.iter().map(|(key, (_, values))| (key.clone(), values.clone())).collect();
        for (key, values) in mentioned {
            let mut more: Vec<String> = Vec::new();
            let groups: [&[&str]; 4] = [&EC2_KEYS, &VPC_KEYS, &CALLED_VIA, &ORG_KEYS];
            if groups.iter().any(|group| group.contains(&key.as_str())) || VPC_ORG_KEYS.contains(&key.as_str()) {
                more.extend(["aws:viaawsservice", "aws:sourcevpc", "aws:principalorgid"].map(str::to_owned));
            }
            if key == "aws:multifactorauthage" {
                more.push("aws:multifactorauthpresent".to_owned());
            }
            if let Some((_, "resourcetag" | "requesttag", tag)) = tag_key(&key) {
                more.extend(
                    ["aws:resourcetag", "ecr:resourcetag", "aws:requesttag"].map(|name| format!("{name}/{tag}")),
                );
                more.push("aws:tagkeys".to_owned());
            }
            for relative in more {
                // The keys of a policy keep their spelling.
                let known = self.keys.entry(relative.clone()).or_insert_with(|| (relative.clone(), Vec::new()));
                if tag_key(&relative).is_some() {
                    known.1.extend(values.iter().cloned());
                }
            }
        }
    }
}

/// Looks for a request that is allowed: random requests first, then changes of the one that is nearest to being allowed.
/// Returns the number of requests too.
pub fn allowed_request(
    rng: &mut Rng,
    interest: &Interest<'_>,
    judge: &Judge<'_>,
    action: &CatalogueAction,
    catalogue: &[CatalogueAction],
    at: i64,
    tries: u64,
) -> (u64, Option<Request>) {
    let mut nearest: Option<(usize, Request)> = None;
    let mut made = 0;
    for number in 0..tries {
        let request = match &nearest {
            Some((_, request)) if number * 3 >= tries => changed(rng, interest, action, catalogue, at, request),
            _ => probe(rng, interest, action, catalogue, at),
        };
        let Some(request) = request else { continue };
        made += 1;
        match judge.distance(&request) {
            None => break,
            Some(0) => return (made, Some(request)),
            Some(distance) if nearest.as_ref().is_none_or(|(least, _)| distance <= *least) => {
                nearest = Some((distance, request));
            }
            Some(_) => {}
        }
    }
    (made, None)
}

/// The request with another resource, or with other values of some keys; `None` if no attempt gave one that can exist.
pub fn changed(
    rng: &mut Rng,
    interest: &Interest<'_>,
    action: &CatalogueAction,
    catalogue: &[CatalogueAction],
    at: i64,
    request: &Request,
) -> Option<Request> {
    for _ in 0..4 {
        let mut request = request.clone();
        let target = target(rng, interest, &request);
        if !action.without_resource_type() && rng.chance(30) {
            request.resource = resource(rng, interest, action, target);
        }
        let keys: Vec<&String> = interest.keys.keys().collect();
        let mut again: Vec<&str> = Vec::new();
        if !keys.is_empty() {
            for _ in 0..=rng.below(3) {
                let key = *rng.choose(&keys);
                again.push(key);
                request.context.retain(|one, _| one.to_lowercase() != *key);
            }
        }
        draw(rng, interest, action, &mut request, &again, target, at);
        if can_exist(interest.role, &interest.trust, &request, catalogue, at).is_ok() {
            return Some(request);
        }
    }
    None
}

/// A random request for this action; `None` if all attempts gave requests that cannot exist.
pub fn probe(
    rng: &mut Rng,
    interest: &Interest<'_>,
    action: &CatalogueAction,
    catalogue: &[CatalogueAction],
    at: i64,
) -> Option<Request> {
    let role = interest.role;
    for _ in 0..8 {
        let mut request = Request { action: action.action.clone(), resource: "*".to_owned(), context: BTreeMap::new() };
        let target = target(rng, interest, &request);
        if !action.without_resource_type() {
            request.resource = resource(rng, interest, action, target);
        }
        let keys: Vec<&str> = interest.keys.keys().map(String::as_str).collect();
        draw(rng, interest, action, &mut request, &keys, target, at);
        if can_exist(role, &interest.trust, &request, catalogue, at).is_ok() {
            return Some(request);
        }
    }
    None
}

/// A statement to take values from, mostly an Allow that matches the action.
fn target<'a>(rng: &mut Rng, interest: &'a Interest<'_>, request: &Request) -> Option<&'a Statement> {
    let view = View::new(interest.role, &interest.trust, request).ok()?;
    let covering: Vec<&Statement> =
        interest.allows.iter().filter(|statement| statement.action(&view) != Ok(Tri::No)).collect();
    if covering.is_empty() || rng.chance(20) { None } else { Some(covering[rng.below(covering.len())]) }
}

const NAMES: &[&str] = &[
    "app",
    "base",
    "team-a/app",
    "team-b/x",
    "prod-1",
    "a/secret",
    "my-secret-2",
    "ab",
    "aa/bb",
    "x-dev",
    "a_b",
    "a1",
];

fn resource(rng: &mut Rng, interest: &Interest<'_>, action: &CatalogueAction, target: Option<&Statement>) -> String {
    let role = interest.role;
    let own: Vec<&str> = role.arn.split(':').collect();
    let (partition, account) = (own[1], own[4]);
    let public = action.service() == "ecr-public";
    let entries = match target {
        Some(statement) if rng.chance(70) => statement.resources(),
        _ => &interest.resources,
    };
    let entry = if entries.is_empty() || rng.chance(10) { "*" } else { rng.choose(entries) };
    let none = BTreeMap::new();
    let mut fields: Vec<String> = colon_fields(entry).iter().map(|field| filled(rng, role, &none, field)).collect();
    // In an entry with fewer fields, the last one may be the name.
    if fields.len() < 6 {
        let last = fields.pop().unwrap_or_default();
        fields.resize(5, String::new());
        fields.push(last);
    }
    let region = match &fields[3] {
        _ if public => String::new(),
        region if is_region(partition, region) && region.len() < 15 => region.clone(),
        _ => match partition {
            "aws-cn" => rng.pick(&["cn-north-1", "cn-northwest-1"]),
            "aws-us-gov" => rng.pick(&["us-gov-west-1", "us-gov-east-1"]),
            _ => rng.pick(&["us-east-1", "us-west-2", "eu-central-1", "ap-south-1"]),
        }
        .to_owned(),
    };
    let account = match &fields[4] {
        text if is_account(text) => text.clone(),
        _ => rng.pick(&[account, account, "999988887777"]).to_owned(),
    };
    let kind = rng.choose(&action.resource_types);
    if kind == "registry" {
        return format!("arn:{partition}:{}::{account}:registry/{account}", action.service());
    }
    if action.action == "ecr:DescribeRepositories" && rng.chance(15) {
        return format!("arn:{partition}:ecr:{region}:{account}:repository/*");
    }
    let mut name = fields[5].strip_prefix("repository/").unwrap_or(&fields[5]).to_owned();
    if rng.chance(20) {
        name = nudged(rng, &name);
    }
    if !is_repository(action.service(), &name) {
        name = rng.pick(NAMES).to_owned();
    }
    format!("arn:{partition}:{}:{region}:{account}:repository/{name}", action.service())
}

/// The fields of an entry. A colon inside a variable does not split.
fn colon_fields(entry: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut depth = 0_u32;
    for character in entry.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                fields.push(String::new());
                continue;
            }
            _ => {}
        }
        fields.last_mut().unwrap().push(character);
    }
    fields
}

/// A text that a pattern may match: variables become the request's values, tags of the role or defaults, wildcards become
/// random text.
fn filled(rng: &mut Rng, role: &RoleDocs, context: &BTreeMap<String, Vec<String>>, pattern: &str) -> String {
    let mut text = String::new();
    for part in parts(pattern, true) {
        match part {
            Part::Escaped(character) => text.push(character),
            Part::Variable { key, default, .. } => {
                let listed = context.iter().find(|(one, _)| one.eq_ignore_ascii_case(&key));
                match listed.and_then(|(_, values)| values.first()) {
                    Some(value) => text.push_str(value),
                    None => text.push_str(&variable(rng, role, &key, default)),
                }
            }
            Part::Plain(plain) => {
                for character in plain.chars() {
                    match character {
                        '*' => text.push_str(rng.pick(&["", "", "a", "app", "1", "a/b", "team-a", "b-1", "x/secret"])),
                        '?' => text.push(*rng.choose(&['a', 'b', '1', '-', 'x', '😀'])),
                        other => text.push(other),
                    }
                }
            }
        }
    }
    text
}

fn variable(rng: &mut Rng, role: &RoleDocs, key: &str, default: Option<String>) -> String {
    let tag = key.to_lowercase();
    let tag = tag.split_once('/').map_or("", |(_, tag)| tag).to_owned();
    let own = role.tags.iter().find(|(name, _)| name.to_lowercase() == tag).map(|(_, value)| value.clone());
    let account = role.arn.split(':').nth(4).unwrap_or_default().to_owned();
    match key.to_lowercase().as_str() {
        "aws:principalaccount" | "aws:resourceaccount" => account,
        _ => own.or(default).unwrap_or_else(|| rng.pick(&["platform", "team-a", "app"]).to_owned()),
    }
}

/// The text with one character added, removed or changed.
fn nudged(rng: &mut Rng, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = rng.below(characters.len() + 1);
    let new = *rng.choose(&['a', 'b', '1', '-', '/', '.', '_']);
    match rng.below(3) {
        0 => characters.insert(at, new),
        1 if at < characters.len() => characters[at] = new,
        _ if at < characters.len() => {
            characters.remove(at);
        }
        _ => characters.push(new),
    }
    characters.into_iter().collect()
}

/// Gives the request the keys, each absent or with a value, as far as the rest of the request permits it.
fn draw(
    rng: &mut Rng,
    interest: &Interest<'_>,
    action: &CatalogueAction,
    request: &mut Request,
    keys: &[&str],
    target: Option<&Statement>,
    at: i64,
) {
    let role = interest.role;
    let absent_by_chance = *rng.choose(&[10, 40, 80]);
    let mut keys = keys.to_vec();
    for place in (1..keys.len()).rev() {
        keys.swap(place, rng.below(place + 1));
    }
    // A key that was left out may belong to a request with another key. The second round adds it.
    for (first_round, lower) in keys.iter().map(|key| (true, *key)).chain(keys.iter().map(|key| (false, *key))) {
        let (key, constants) = &interest.keys[lower];
        let Ok(view) = View::new(role, &interest.trust, request) else { return };
        if view.listed(key).is_some() {
            continue;
        }
        let (kind, must) = match knowledge(&view, Some(action), key) {
            Knowledge::Known(values) => {
                if first_round && rng.chance(20) {
                    request.context.insert(key.clone(), values);
                }
                continue;
            }
            Knowledge::Present(kind) => (kind, true),
            Knowledge::Free(kind) if first_round => (kind, false),
            Knowledge::Free(_) | Knowledge::Absent => continue,
        };
        // The role's tags are mostly present, even if a session could pass others.
        let own_tag = lower.strip_prefix("aws:principaltag/").and_then(|tag| {
            role.tags.iter().find(|(name, _)| name.to_lowercase() == tag).map(|(_, value)| value.clone())
        });
        if !must && own_tag.is_none() && rng.chance(absent_by_chance) {
            continue;
        }
        if let Some(value) = own_tag.filter(|_| rng.chance(40)) {
            request.context.insert(key.clone(), vec![value]);
            continue;
        }
        let wanted = wanted(target, lower);
        let constants = if !wanted.is_empty() && rng.chance(70) { &wanted } else { constants };
        let count = if multivalued(lower) { 1 + rng.below(2) } else { 1 };
        let values = (0..count).map(|_| value(rng, role, kind, constants, &request.context, at)).collect();
        request.context.insert(key.clone(), values);
    }
    tie(rng, &mut request.context, action, at);
}

/// The request with a value for each key that it has to have and does not list. Any value is possible.
pub fn completed(
    rng: &mut Rng,
    interest: &Interest<'_>,
    action: &CatalogueAction,
    request: &Request,
    at: i64,
) -> Request {
    let mut request = request.clone();
    let mut keys: Vec<&String> = interest.keys.keys().collect();
    keys.sort_by_key(|key| !EC2_KEYS.contains(&key.as_str()));
    for lower in keys {
        let (key, constants) = &interest.keys[lower];
        let Ok(view) = View::new(interest.role, &interest.trust, &request) else { break };
        if view.listed(key).is_none()
            && let Knowledge::Present(kind) = knowledge(&view, Some(action), key)
        {
            // A request lists this key if it is true.
            let value = match lower.as_str() {
                "aws:viaawsservice" => "false".to_owned(),
                _ => value(rng, interest.role, kind, constants, &request.context, at),
            };
            request.context.insert(key.clone(), vec![value]);
        }
    }
    tie(rng, &mut request.context, action, at);
    request
}

/// The values that a statement compares with a key.
fn wanted(target: Option<&Statement>, key: &str) -> Vec<String> {
    let conditions = target.map_or(&[][..], Statement::conditions).iter();
    conditions.filter(|one| one.key.to_lowercase() == key).flat_map(|one| one.values.clone()).collect()
}

/// The last second of the year 9998.
const LAST_SECOND: i64 = 253_370_764_799;

/// A value of a key's type: a constant of the policies, a value near it, or any value.
fn value(
    rng: &mut Rng,
    role: &RoleDocs,
    kind: Kind,
    constants: &[String],
    context: &BTreeMap<String, Vec<String>>,
    at: i64,
) -> String {
    let constant = if constants.is_empty() || rng.chance(15) { None } else { Some(rng.choose(constants)) };
    let text = constant.map(|constant| filled(rng, role, context, constant));
    match kind {
        Kind::Text => match text {
            Some(text) if rng.chance(35) => near(rng, &text),
            Some(text) => text,
            None => rng.pick(&["", "x", "platform", "prod", "team-a", "true", "True", "no", "5", "app"]).to_owned(),
        },
        Kind::Bool => rng.pick(&["true", "false"]).to_owned(),
        Kind::False => "false".to_owned(),
        Kind::Age => {
            let number = text.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
            (number + rng.pick::<i64>(&[&0, &0, &1, &-1])).max(0).to_string()
        }
        Kind::RoleDelivery => rng.pick(&["1.0", "2.0"]).to_owned(),
        Kind::Date | Kind::Seconds => {
            let near = text.and_then(|text| instant(&text)).and_then(|one| i64::try_from(one / 1_000_000_000).ok());
            let near = near.filter(|near| *near < LAST_SECOND);
            let instant = near.unwrap_or(at) + rng.pick::<i64>(&[&0, &0, &1, &-1, &86_400]);
            if kind == Kind::Seconds { instant.max(at).to_string() } else { show_instant(instant) }
        }
        Kind::Ip => {
            let network = text.unwrap_or_else(|| "198.51.100.1".to_owned());
            let address = network.split('/').next().unwrap_or_default().to_owned();
            let other = rng.pick(&["198.51.100.1", "10.2.3.4", "10.1.0.9", "203.0.113.8", "2001:db8::5", "200.0.0.1"]);
            if rng.chance(60) { plain_address(&address) } else { other.to_owned() }
        }
        Kind::PrivateIpv4 => {
            let own = text.filter(|text| text.starts_with("10.") && !text.contains('/'));
            own.unwrap_or_else(|| rng.pick(&["10.0.0.1", "192.168.1.5", "172.16.0.9", "10.1.2.3"]).to_owned())
        }
        Kind::Arn => text
            .filter(|text| text.starts_with("arn:"))
            .unwrap_or_else(|| "arn:aws:ec2:us-east-1:111122223333:instance/i-0a".to_owned()),
        Kind::VpcArn => {
            let listed = context.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:SourceVpc"));
            let id = listed.and_then(|(_, values)| values.first()).map_or("vpc-0a1b2c3d", String::as_str);
            let arn = text.and_then(|text| text.split_once(":vpc/").map(|(start, _)| start.to_owned()));
            let partition = role.arn.split(':').nth(1).unwrap_or_default();
            let start = arn.filter(|start| start.matches(':').count() == 4);
            format!("{}:vpc/{id}", start.unwrap_or_else(|| format!("arn:{partition}:ec2:us-east-1:111122223333")))
        }
        Kind::Region => match (text, role.arn.split(':').nth(1).unwrap_or_default()) {
            (Some(text), partition) if is_region(partition, &text) => text,
            (_, "aws-cn") => rng.pick(&["cn-north-1", "cn-northwest-1"]).to_owned(),
            (_, "aws-us-gov") => rng.pick(&["us-gov-west-1", "us-gov-east-1"]).to_owned(),
            _ => rng.pick(&["us-east-1", "us-west-2", "eu-west-1"]).to_owned(),
        },
        Kind::PublicRegion => rng.pick(&["us-east-1", "us-west-2"]).to_owned(),
        Kind::UserId => {
            format!("{}:{}", role.id, rng.pick(&["i-0123456789abcdef0", "i-0123456789abcdef0", "ci", "session-1"]))
        }
    }
}

/// An address as AWS writes it.
fn plain_address(text: &str) -> String {
    let plain = |digits: &str| match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        digits => digits.to_owned(),
    };
    if text.contains(':') { text.to_owned() } else { text.split('.').map(plain).collect::<Vec<_>>().join(".") }
}

/// Another spelling of the value that a text stands for, or a value near it.
fn near(rng: &mut Rng, text: &str) -> String {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return rng.pick(&["true", "True", "TRUE", "false", "False", "no", "yes", "1", ""]).to_owned();
    }
    if let Ok(number) = text.parse::<i128>() {
        return match rng.below(6) {
            0 => (number + 1).to_string(),
            1 => (number - 1).to_string(),
            2 => format!("{number}.5"),
            3 => format!("{number}.0"),
            4 => format!("0{number}"),
            _ => format!("+{number}"),
        };
    }
    if let Some(at) = text.find("T00:00:00") {
        let day = &text[..at];
        return match rng.below(6) {
            0 => format!("{day}T00:00:00"),
            1 => format!("{day}T00:00:00.0005Z"),
            2 => format!("{day}T00:00:00.001Z"),
            3 => format!("{day}T01:00:00+01:00"),
            4 => format!("{day}T00:00:01Z"),
            _ => instant(text).map_or(String::new(), |instant| format!("+{}", instant / 1_000_000_000)),
        };
    }
    let address = text.split('/').next().unwrap_or_default();
    if address.split('.').count() == 4 && address.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()) {
        let plain = plain_address(address);
        return match rng.below(7) {
            0 => plain,
            1 => format!("::ffff:{plain}"),
            2 => format!("{plain}/24"),
            3 => format!("0{plain}"),
            4 => format!("00{plain}"),
            5 => address.to_owned(),
            _ => rng.pick(&["8.0.0.1", "10.0.0.1", "192.0.2.9", "9.0.0.1"]).to_owned(),
        };
    }
    if address.contains("::") {
        let last = *rng.choose(&['1', '2', 'a']);
        return if address.ends_with(':') { format!("{address}{last}") } else { address.to_owned() };
    }
    match rng.below(6) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        2 if text.ends_with('=') => rng.pick(&["YQ==", "YR==", "YQ", "a"]).to_owned(),
        3 => text.replace(['a', '?'], "😀"),
        _ => nudged(rng, text),
    }
}

/// Makes dependent keys agree: one time of the request, a session issued before it, calls by a service, the second factor,
/// the keys of tags.
fn tie(rng: &mut Rng, context: &mut BTreeMap<String, Vec<String>>, action: &CatalogueAction, at: i64) {
    let find = |context: &BTreeMap<String, Vec<String>>, name: &str| {
        context.keys().find(|key| key.to_lowercase() == name).cloned()
    };
    let seconds = |values: &[String]| {
        instant(&values[0]).and_then(|instant| i64::try_from(instant.div_euclid(1_000_000_000)).ok()).unwrap_or(at)
    };
    let (current, epoch) = (find(context, "aws:currenttime"), find(context, "aws:epochtime"));
    let now = [&current, &epoch].into_iter().flatten().map(|key| seconds(&context[key])).max().unwrap_or(at).max(at);
    if let Some(key) = &current
        && seconds(&context[key]) != now
    {
        context.insert(key.clone(), vec![show_instant(now)]);
    }
    if let Some(key) = &epoch {
        context.insert(key.clone(), vec![now.to_string()]);
    }
    if let Some(key) = find(context, "aws:tokenissuetime") {
        let issued = seconds(&context[&key]);
        if issued > now && current.is_none() && epoch.is_none() {
            context.insert("aws:CurrentTime".to_owned(), vec![show_instant(issued)]);
        } else if issued > now {
            context.insert(key, vec![show_instant(now)]);
        }
    }
    if context.keys().any(|key| key.to_lowercase().starts_with("aws:calledvia")) {
        let key = find(context, "aws:viaawsservice").unwrap_or_else(|| "aws:ViaAWSService".to_owned());
        context.insert(key, vec!["true".to_owned()]);
    }
    if find(context, "aws:multifactorauthage").is_some() {
        let key =
            find(context, "aws:multifactorauthpresent").unwrap_or_else(|| "aws:MultiFactorAuthPresent".to_owned());
        context.insert(key, vec!["true".to_owned()]);
    }
    let creates = action.action == "ecr:CreateRepository";
    let tags: Vec<String> = context
        .keys()
        .filter_map(|key| {
            let lower = key.to_lowercase();
            let (_, kind, tag) = tag_key(&lower)?;
            let in_request = kind == "requesttag" || creates && kind == "resourcetag";
            in_request.then(|| key[key.len() - tag.len()..].to_owned())
        })
        .collect();
    if !tags.is_empty() {
        let key = find(context, "aws:tagkeys").unwrap_or_else(|| "aws:TagKeys".to_owned());
        let mut all = context.remove(&key).unwrap_or_default();
        // Sometimes only the keys that must be present.
        if rng.chance(50) {
            all.clear();
        }
        for tag in tags {
            // The policy may spell the key in capitals. The list holds the tag's key.
            let tag = if rng.chance(50) { tag.to_lowercase() } else { tag };
            if !all.iter().any(|one| one.eq_ignore_ascii_case(&tag)) {
                all.push(tag);
            }
        }
        context.insert(key, all);
    }
}
