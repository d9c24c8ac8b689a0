//! The Rust half of `make compare`: the roles that the tools get, and an independent check of their answers.
//!
//! `comparison roles COUNT FIRST_SEED any|ordinary` writes COUNT generated roles in the form that
//! `aws iam get-account-authorization-details` prints. `ordinary` roles have only what people write.
//!
//! `comparison verify PROBES` reads one object per line: `{"details": …, "report": …}`, the details of one role and the
//! entry of that role in the report of `ecr-read-only check --format json`. It writes one object per role and line: the
//! actions beyond reading that some request may perform. The tests' evaluator of single requests decides. It shares no
//! code with the search of the command line.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a program for development")]

use std::env;
use std::io::{self, BufWriter, Write};

use serde_json::{Map, Value, json};
use support::generate::account::{account, role_docs, role_names};
use support::generate::probe::{Interest, probe};
use support::generate::{Flavour, Rng};
use support::naive::catalogue::{CatalogueAction, catalogue};
use support::naive::context::View;
use support::naive::request::can_exist;
use support::naive::statement::{Effect, Statement, parse};
use support::naive::{Judge, Outcome, Request, RoleDocs, Tri};

#[path = "../tests/support"]
mod support {
    pub(crate) mod generate;
    pub(crate) mod naive;
}

/// 2027-01-15T08:00:00Z, the time of evaluation.
const AT: i64 = 1_800_000_000;

/// A Write action that reading needs: it fills a pull-through cache. AWS's own pull-only policy grants it.
const READS_TOO: &str = "ecr:BatchImportUpstreamImage";

const DATE: &str = "2025-01-01T00:00:00+00:00";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize| arguments[index].parse::<usize>().unwrap();
    let mut out = BufWriter::new(io::stdout().lock());
    if arguments[0] == "roles" {
        serde_json::to_writer_pretty(&mut out, &roles(number(1), number(2) as u64, arguments[3] == "ordinary"))
            .unwrap();
    } else {
        let actions = actions();
        let known = known_actions();
        for line in io::stdin().lines() {
            let asked: Value = serde_json::from_str(&line.unwrap()).unwrap();
            writeln!(out, "{}", verified(&asked, &actions, &known, number(1))).unwrap();
        }
    }
    out.flush().unwrap();
}

/// Generated roles of the partition `aws`, without those that IAM itself would refuse to store.
fn roles(count: usize, first_seed: u64, ordinary: bool) -> Value {
    let mut details = json!({
        "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], "IsTruncated": false
    });
    let wanted = |seed: &u64| match Flavour::by_chance(&mut Rng::new(*seed)) {
        Flavour::Realistic => true,
        Flavour::Wild => false,
        Flavour::Resources | Flavour::Conditions | Flavour::Actions => !ordinary,
    };
    let docs = (first_seed..).filter(wanted).map(|seed| {
        let generated = account(seed, 1);
        (seed, role_docs(&generated, &role_names(&generated)[0]).unwrap())
    });
    for (seed, docs) in docs.filter(|(_, docs)| docs.arn.starts_with("arn:aws:")).take(count) {
        add(&mut details, seed, &docs);
    }
    details
}

/// Writes a role as AWS prints it: documents are objects, each policy has an identifier and dates.
fn add(details: &mut Value, seed: u64, docs: &RoleDocs) {
    let attached = |(arn, _): &(String, Value)| json!({ "PolicyName": arn.rsplit('/').next(), "PolicyArn": arn });
    let (managed, inline): (Vec<_>, Vec<_>) = docs.policies.iter().partition(|(name, _)| name.starts_with("arn:"));
    let path = if docs.arn.contains(":role/eks/nodes/") { "/eks/nodes/" } else { "/" };
    let mut role = json!({
        "Path": path,
        "RoleName": docs.arn.rsplit('/').next(),
        "RoleId": docs.id,
        "Arn": docs.arn,
        "CreateDate": DATE,
        "AssumeRolePolicyDocument": docs.trust,
        "InstanceProfileList": [],
        "RoleLastUsed": {},
        "Tags": docs.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect::<Vec<_>>(),
        "RolePolicyList": inline.iter().map(|(name, document)| {
            json!({ "PolicyName": name, "PolicyDocument": document })
        }).collect::<Vec<_>>(),
        "AttachedManagedPolicies": managed.iter().copied().map(attached).collect::<Vec<_>>(),
    });
    if let Some((arn, _)) = &docs.boundary {
        role["PermissionsBoundary"] = json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn });
    }
    details["RoleDetailList"].as_array_mut().unwrap().push(role);
    for (index, (arn, document)) in managed.into_iter().chain(&docs.boundary).enumerate() {
        details["Policies"].as_array_mut().unwrap().push(json!({
            "PolicyName": arn.rsplit('/').next(),
            "PolicyId": format!("ANPA{seed:015}{index:02}"),
            "Arn": arn,
            "Path": "/",
            "DefaultVersionId": "v1",
            "AttachmentCount": 1,
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": true,
            "CreateDate": DATE,
            "UpdateDate": DATE,
            "PolicyVersionList": [
                { "VersionId": "v1", "IsDefaultVersion": true, "CreateDate": DATE, "Document": document }
            ],
        }));
    }
}

fn known_actions() -> Vec<CatalogueAction> {
    catalogue(&serde_json::from_str(include_str!("../tests/support/catalogue.json")).unwrap()).unwrap()
}

/// The actions beyond reading.
fn actions() -> Vec<CatalogueAction> {
    let beyond = |action: &CatalogueAction| {
        !["Read", "List"].contains(&action.access_level.as_str()) && action.action != READS_TOO
    };
    known_actions().into_iter().filter(beyond).collect()
}

/// Who found a request, and whether the role's own account can grant it alone.
#[derive(Default)]
struct Found {
    /// Allowed under every reading of the documentation, in the role's own account.
    certain: Map<String, Value>,
    /// Allowed under one reading only.
    doubtful: Vec<String>,
    /// Allowed if another account's registry agrees.
    elsewhere: Vec<String>,
    /// Requests of the report that the evaluator refuses.
    refuted: Vec<String>,
    /// Requests by chance.
    probes: usize,
}

fn verified(asked: &Value, actions: &[CatalogueAction], known: &[CatalogueAction], probes: usize) -> Value {
    let details = &asked["details"];
    let name = &role_names(details)[0];
    let docs = role_docs(details, name).unwrap();
    let judge = Judge::new(&docs).unwrap();
    let interest = Interest::of(&docs);
    let statements: Vec<Statement> = docs.policies.iter().flat_map(|(_, document)| parse(document).unwrap()).collect();
    let permitted = asked["report"]["permitted"].as_array().unwrap();
    let mut rng = Rng::new(docs.id.bytes().fold(0, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
    let mut found = Found::default();
    for action in actions {
        let reported = permitted.iter().find(|entry| entry["action"] == action.action);
        if let Some(entry) = reported {
            let request = Request {
                action: action.action.clone(),
                resource: entry["resource"].as_str().unwrap().to_owned(),
                context: serde_json::from_value(entry["context"].clone()).unwrap(),
            };
            let answer = can_exist(&docs, judge.trust(), &request, known, AT).and_then(|()| judge.allowed(&request));
            match answer {
                Ok(answer) if answer.allowed => found.add(&docs, &request, answer.certain, "report"),
                _ => found.refuted.push(action.action.clone()),
            }
        }
        if found.certain.contains_key(&action.action) || !covered(&docs, &judge, &statements, action) {
            continue;
        }
        for _ in 0..probes {
            let Some(request) = probe(&mut rng, &interest, action, known, AT) else { continue };
            found.probes += 1;
            if let Ok(answer) = judge.allowed(&request)
                && answer.allowed
                && answer.certain
                && owner(&request).is_none_or(|account| account == own(&docs))
            {
                found.add(&docs, &request, true, "chance");
                break;
            }
        }
    }
    json!({
        "role": name,
        "certain": found.certain,
        "doubtful": found.doubtful,
        "elsewhere": found.elsewhere,
        "refuted": found.refuted,
        "undecided": asked["report"]["undecided"],
        "probes": found.probes,
    })
}

impl Found {
    fn add(&mut self, docs: &RoleDocs, request: &Request, certain: bool, by: &str) {
        let action = request.action.clone();
        if owner(request).is_some_and(|account| account != own(docs)) {
            self.elsewhere.push(action);
        } else if certain {
            let request = json!({ "resource": request.resource, "context": request.context, "by": by });
            self.certain.insert(action, request);
        } else {
            self.doubtful.push(action);
        }
    }
}

/// The account of the resource; an action without resource type is asked of the own account.
fn owner(request: &Request) -> Option<&str> {
    request.resource.split(':').nth(4)
}

fn own(docs: &RoleDocs) -> &str {
    docs.arn.split(':').nth(4).unwrap()
}

/// Whether an Allow statement of the role names the action.
fn covered(docs: &RoleDocs, judge: &Judge<'_>, statements: &[Statement], action: &CatalogueAction) -> bool {
    let request = Request { action: action.action.clone(), resource: "*".to_owned(), context: [].into() };
    let view = View::new(docs, judge.trust(), &request).unwrap();
    let no: Outcome = Ok(Tri::No);
    statements.iter().any(|one| one.effect == Effect::Allow && one.action(&view) != no)
}
