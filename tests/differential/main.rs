//! Compares the command line with other evaluators on generated roles.
//!
//! Each request in a report gets random values for the keys that every request has. It can exist, and the naive evaluator
//! allows it. With `DIFFERENTIAL_NODE` (the path of Node.js), `differential.mjs` asks another evaluator about the same
//! requests, and about random requests for each action that the report lacks. README.md describes how.
//! `DIFFERENTIAL_ROLES`, `DIFFERENTIAL_FIRST_SEED` and `DIFFERENTIAL_PROBES` choose the size.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::generate::Rng;
use support::generate::account::{role_docs, role_names, themed_account};
use support::generate::probe::{Interest, probe};
use support::naive::catalogue::{CatalogueAction, catalogue};
use support::naive::condition::holds;
use support::naive::context::{
    CALLED_VIA, EC2_KEYS, Kind, Knowledge, ORG_KEYS, Trust, VPC_KEYS, VPC_ORG_KEYS, View, tag_key,
};
use support::naive::request::can_exist;
use support::naive::statement::{Condition, Effect, Statement, parse};
use support::naive::value::{instant, show_instant};
use support::naive::{Judge, Outcome, Request, RoleDocs, Tri, explain};
use support::report_schema::checked_report;

/// 2027-01-15T08:00:00Z, the time of evaluation.
const AT: i64 = 1_800_000_000;

/// How many roles one run of the command line gets.
const BATCH: u64 = 100;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The roles of the command line's report.
fn report(first_seed: u64, count: u64) -> Vec<Value> {
    let details = themed_account(first_seed, usize::try_from(count).unwrap()).to_string();
    let arguments =
        ["check", "--all-roles", "--format", "json", "--at", "2027-01-15T08:00:00Z", "--account-details", "-"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-read-only"));
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // The command reads all of its input before it writes.
    child.stdin.take().unwrap().write_all(details.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let mut report = checked_report(&output.stdout);
    serde_json::from_value(report["roles"].take()).unwrap()
}

/// A generated role with its parsed documents.
struct Case<'a> {
    docs: &'a RoleDocs,
    trust: Trust,
    judge: Judge<'a>,
    interest: Interest<'a>,
    /// Each with whether its document's version has policy variables.
    statements: Vec<(Statement, bool)>,
}

impl<'a> Case<'a> {
    fn new(docs: &'a RoleDocs) -> Case<'a> {
        let statements = |(_, document): &'a (String, Value)| {
            let variables = document["Version"] == "2012-10-17";
            parse(document).unwrap().into_iter().map(move |statement| (statement, variables))
        };
        Case {
            docs,
            trust: Trust::of_sessions(docs).unwrap(),
            judge: Judge::new(docs).unwrap(),
            interest: Interest::of(docs),
            statements: docs.policies.iter().chain(&docs.boundary).flat_map(statements).collect(),
        }
    }

    fn document(&self, seed: u64) -> Value {
        let policy = |(name, document): &(String, Value)| json!({ "name": name, "policy": document });
        json!({
            "seed": seed,
            "arn": self.docs.arn,
            "policies": self.docs.policies.iter().map(policy).collect::<Vec<_>>(),
            "boundary": self.docs.boundary.as_ref().map(policy),
        })
    }

    /// The request with all keys that it has to have. A key without a fixed value gets a random one.
    fn completed(&self, rng: &mut Rng, mut request: Request) -> Request {
        const KEYS: [&str; 13] = [
            "aws:PrincipalArn",
            "aws:PrincipalAccount",
            "aws:PrincipalType",
            "aws:PrincipalIsAWSService",
            "aws:SecureTransport",
            "aws:ViaAWSService",
            "aws:RequestedRegion",
            "aws:ResourceAccount",
            "aws:CurrentTime",
            "aws:EpochTime",
            "aws:TokenIssueTime",
            "aws:userid",
            "aws:UserAgent",
        ];
        let tags = self.docs.tags.iter().map(|(key, _)| format!("aws:PrincipalTag/{key}"));
        let service = request.action.split(':').next().unwrap_or_default().to_owned();
        let names = |key: &String| {
            let lower = key.to_lowercase();
            let (_, kind, _) = tag_key(&lower)?;
            let (_, tag) = key.split_once('/')?;
            let names = ["aws:ResourceTag".to_owned(), format!("{service}:ResourceTag"), "aws:RequestTag".to_owned()];
            let names = names.map(|name| format!("{name}/{tag}"));
            (kind == "resourcetag" || kind == "requesttag").then_some(names)
        };
        let other_names: Vec<String> = request.context.keys().filter_map(names).flatten().collect();
        let groups = EC2_KEYS.iter().chain(&VPC_KEYS).chain(&VPC_ORG_KEYS).chain(&CALLED_VIA).chain(&ORG_KEYS);
        let keys = KEYS.iter().chain(groups).map(|key| (*key).to_owned());
        for key in keys.chain(tags).chain(other_names) {
            if let Some(values) = self.value(rng, &request, &key) {
                request.context.insert(key, values);
            }
        }
        request
    }

    /// The values of a key that the request has to have; `None` if it lists the key or does not have it.
    fn value(&self, rng: &mut Rng, request: &Request, key: &str) -> Option<Vec<String>> {
        let view = View::new(self.docs, &self.trust, request).unwrap();
        let partition = self.docs.arn.split(':').nth(1).unwrap();
        let seconds = |key: &str| {
            let instant = instant(view.listed(key)?.first()?)?;
            i64::try_from(instant.div_euclid(1_000_000_000)).ok()
        };
        let issued = seconds("aws:TokenIssueTime");
        let now = seconds("aws:CurrentTime").or_else(|| seconds("aws:EpochTime")).unwrap_or_else(|| {
            let later = rng.pick::<i64>(&[&0, &1, &3_600, &40_000_000, &200_000_000]);
            issued.unwrap_or(AT).max(AT) + later
        });
        if view.listed(key).is_some() {
            return None;
        }
        let kind = match view.knowledge(key) {
            Knowledge::Known(values) => return Some(values),
            Knowledge::Free(_) | Knowledge::Absent => return None,
            Knowledge::Present(kind) => kind,
        };
        Some(vec![match (kind, key) {
            (Kind::Date, "aws:TokenIssueTime") => show_instant(now - rng.pick::<i64>(&[&0, &900])),
            (Kind::Date, _) => show_instant(now),
            (Kind::Seconds, _) => now.to_string(),
            (Kind::Bool | Kind::False, _) => "false".to_owned(),
            (Kind::PublicRegion, _) => rng.pick(&["us-east-1", "us-west-2"]).to_owned(),
            (Kind::Region, _) => match partition {
                "aws-cn" => rng.pick(&["cn-north-1", "cn-northwest-1"]),
                "aws-us-gov" => rng.pick(&["us-gov-west-1", "us-gov-east-1"]),
                _ => rng.pick(&["us-east-1", "us-west-2", "eu-central-1", "ap-south-1"]),
            }
            .to_owned(),
            (Kind::UserId, _) => format!("{}:i-0123456789abcdef0", self.docs.id),
            (Kind::RoleDelivery, _) => "2.0".to_owned(),
            (Kind::Ip | Kind::PrivateIpv4, _) => "10.0.0.5".to_owned(),
            (Kind::Arn | Kind::VpcArn, "aws:sourcevpcarn") => {
                let id =
                    view.listed("aws:SourceVpc").and_then(|values| values.first()).map_or("vpc-0c1d", String::as_str);
                format!("arn:{partition}:ec2:us-east-1:111122223333:vpc/{id}")
            }
            (Kind::Arn | Kind::VpcArn, _) => {
                format!("arn:{partition}:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0")
            }
            (Kind::Text | Kind::Age, "aws:UserAgent") => {
                rng.pick(&["docker/1", "containerd/2", "aws-cli/2.0"]).to_owned()
            }
            (Kind::Text | Kind::Age, _) => rng.pick(&["vpc-0c1d", "x-1", "999988887777"]).to_owned(),
        }])
    }

    /// The naive evaluator's result for each statement's action, resource and conditions, one letter each: `Y` for yes, `N`
    /// for no, `M` if it depends on the reading.
    fn matches(&self, request: &Request) -> Vec<String> {
        let view = View::new(self.docs, &self.trust, request).unwrap();
        let letter = |outcome: Outcome| match outcome {
            Ok(Tri::Yes) => 'Y',
            Ok(Tri::No) => 'N',
            Ok(Tri::Maybe) => 'M',
            Err(text) => panic!("{text}: {request:?}"),
        };
        let of = |(statement, variables): &(Statement, bool)| {
            let condition = |one: &Condition| holds(&one.operator, &one.key, &one.values, *variables, &view);
            let before = [statement.action(&view), statement.resource(&view)];
            before.into_iter().chain(statement.conditions().iter().map(condition)).map(letter).collect()
        };
        self.statements.iter().map(of).collect()
    }

    fn covered(&self, action: &CatalogueAction) -> bool {
        let request = Request { action: action.action.clone(), resource: "*".to_owned(), context: BTreeMap::new() };
        let view = View::new(self.docs, &self.trust, &request).unwrap();
        let mut allows = self.statements.iter().filter(|(statement, _)| statement.effect == Effect::Allow);
        allows.any(|(statement, _)| statement.action(&view) != Ok(Tri::No))
    }

    fn asked(&self, request: &Request, permitted: bool) -> Value {
        json!({
            "permitted": permitted,
            "action": request.action,
            "resource": request.resource,
            "context": request.context,
            "matches": self.matches(request),
        })
    }
}

#[derive(Default)]
struct Tally {
    roles: u64,
    witnesses: u64,
    doubtful: u64,
    probes: u64,
    undecided: usize,
    failures: Vec<String>,
}

impl Tally {
    /// The requests about one role for the other evaluator.
    fn questions(&mut self, seed: u64, report: &Value, actions: &[CatalogueAction], probes: u64) -> Value {
        assert_eq!((&report["role_name"], &report["error"]), (&json!(format!("generated-{seed}")), &Value::Null));
        let details = themed_account(seed, 1);
        let docs = role_docs(&details, &role_names(&details)[0]).unwrap();
        let case = Case::new(&docs);
        let mut rng = Rng::new(seed ^ 0xD1FF);
        let mut questions = Vec::new();
        let mut settled = BTreeSet::new();
        let list = |name: &str| report[name].as_array().unwrap();
        self.roles += 1;
        for access in list("permitted").iter().chain(list("excess")) {
            let action = access["action"].as_str().unwrap().to_owned();
            // `excess` repeats actions of `permitted`, except those that the catalogue does not know.
            if !settled.insert(action.clone()) {
                continue;
            }
            let witness = Request {
                action,
                resource: access["resource"].as_str().unwrap().to_owned(),
                context: serde_json::from_value(access["context"].clone()).unwrap(),
            };
            let witness = case.completed(&mut rng, witness);
            self.witnesses += 1;
            let answer = can_exist(&docs, &case.trust, &witness, actions, AT)
                .and_then(|()| case.judge.allowed(&witness))
                .and_then(|answer| if answer.allowed { Ok(answer) } else { Err("refused".to_owned()) });
            match answer {
                Ok(answer) if answer.certain => questions.push(case.asked(&witness, true)),
                Ok(_) => self.doubtful += 1,
                Err(why) => {
                    let explained = explain(&docs, &witness).join("\n");
                    self.failures.push(format!("seed {seed}: {why}: {witness:?}\n{explained}"));
                }
            }
        }
        self.undecided += list("undecided").len();
        settled.extend(list("undecided").iter().map(|action| action.as_str().unwrap().to_owned()));
        for action in actions.iter().filter(|action| !settled.contains(&action.action)) {
            // If no Allow matches the action, one request is enough.
            let probes = if case.covered(action) { probes } else { probes.min(1) };
            for _ in 0..probes {
                let Some(request) = probe(&mut rng, &case.interest, action, actions, AT) else { continue };
                let request = case.completed(&mut rng, request);
                if can_exist(&docs, &case.trust, &request, actions, AT).is_ok() {
                    self.probes += 1;
                    questions.push(case.asked(&request, false));
                }
            }
        }
        let mut role = case.document(seed);
        role["requests"] = questions.into();
        role
    }
}

fn other_evaluator() -> Option<Child> {
    let node = std::env::var_os("DIFFERENTIAL_NODE")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/differential/differential.mjs");
    Some(Command::new(node).arg(script).stdin(Stdio::piped()).spawn().unwrap())
}

#[test]
fn other_evaluators_agree_with_the_report() {
    let actions = catalogue(&serde_json::from_str(include_str!("../support/catalogue.json")).unwrap()).unwrap();
    let (first, roles) = (setting("DIFFERENTIAL_FIRST_SEED", 1), setting("DIFFERENTIAL_ROLES", 100));
    let mut other = other_evaluator();
    let probes = setting("DIFFERENTIAL_PROBES", 3) * u64::from(other.is_some());
    let mut lines = other.as_mut().map(|child| BufWriter::new(child.stdin.take().unwrap()));
    let mut tally = Tally::default();
    for start in (first..first + roles).step_by(usize::try_from(BATCH).unwrap()) {
        let count = BATCH.min(first + roles - start);
        for (seed, report) in (start..).zip(&report(start, count)) {
            let questions = tally.questions(seed, report, &actions, probes);
            // The other evaluator prints its own errors.
            if lines.as_mut().is_some_and(|lines| writeln!(lines, "{questions}").is_err()) {
                lines = None;
            }
        }
    }
    drop(lines);
    let agrees = other.is_none_or(|mut child| child.wait().unwrap().success());
    println!(
        "{} roles from seed {first}: {} requests of the report, {} of them depend on the reading; {} undecided; {} random requests",
        tally.roles, tally.witnesses, tally.doubtful, tally.undecided, tally.probes
    );
    let shown = tally.failures.iter().take(12).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(tally.failures.is_empty(), "{} requests of the report are wrong:\n{shown}", tally.failures.len());
    assert!(agrees, "the other evaluator disagrees: see above");
}
