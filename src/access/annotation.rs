//! The annotation: the text that AWS Config shows beside a compliance result.
//!
//! This module alone writes annotations and reads them back. AWS Config shows a role by its id, so the text starts with
//! the role's name and the result; the granting statement and the first fact that makes the role a node role follow:
//!
//! > `shop-build-node can call ecr:PutImage and 3 more actions (AmazonEC2ContainerRegistryPowerUser, statement 0).
//! > Node group build of cluster shop, us-east-1, and 1 more.`
//!
//! If an exemption of the role ended, the second sentence says so.
//!
//! A text of more than [`ANNOTATION_CHARACTERS`] is made shorter in this order:
//! 1. names of policies, statements, clusters and tags end with `…`;
//! 2. the node fact loses the part after its first semicolon;
//! 3. whole sentences are left out, the last one first, but not the end of an exemption;
//! 4. the first sentence loses the granting statement;
//! 5. the end of an exemption is left out.
//!
//! The role name is never cut.

use std::fmt;
use std::str::FromStr;

use time::Date;
use time::macros::format_description;

use super::decision::StatementName;
use super::verdict::Verdict;

/// The most characters that AWS Config takes as an annotation
/// (<https://docs.aws.amazon.com/config/latest/APIReference/API_Evaluation.html>).
pub const ANNOTATION_CHARACTERS: usize = 256;

/// Names are not shortened to fewer characters than this, so that a region stays whole.
const SHORTEST_NAME: usize = 16;

/// Actions are not shortened to fewer characters than this; every action of the catalogue is shorter.
const SHORTEST_ACTION: usize = 64;

/// Stands for the characters that are left out of a name.
const ELLIPSIS: char = '…';

const THE_ROLE: &str = "The role";
const THE_RESOURCE: &str = "The resource";
const OTHER_TYPE: &str = "Not evaluated itself; the node roles that use it are.";
const NO_CLUSTER: &str = "is not a node role: no EKS cluster runs nodes with it";
const CLEARED: &str = "is no longer a node role, is exempt, or no longer exists";
const EXEMPT_TAG: &str = "is exempt: the parameter ExemptTag names its tag ";
const EXEMPT_UNTIL: &str = "is exempt until ";
const EXEMPT_UNTIL_TAG: &str = ": the parameter ExemptUntilTag names its tag ";
const EXEMPTION_ENDED: &str = "Its exemption ended on ";

const CAN_CALL: &str = "can call ";
const MAY_CALL: &str = "may be able to call ";
const UNDECIDED: &str = ": undecided within the budget";
const CANNOT_PULL: &str = "cannot pull: no ";
const ONLY_READS: &str = "can only read from Amazon ECR";
const ONLY_ALLOWED: &str = "can only call allowed actions of Amazon ECR";

/// The annotation of one evaluation.
///
/// [`Annotation::of_verdict`] and [`Annotation::not_applicable`] make it, [`fmt::Display`] writes it in at most
/// [`ANNOTATION_CHARACTERS`], and [`FromStr`] reads it: the same value from a text that was not shortened, and the role
/// name and the first result from every text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The role's name; none where the evaluation is about another resource, or only the role's id is known.
    pub role_name: Option<String>,
    /// The results, the most important first; at least one.
    pub results: Vec<AnnotationResult>,
    /// The last day of an exemption that ended.
    pub exemption_ended: Option<Date>,
    /// The statement that grants the action of the first result.
    pub grant: Option<StatementName>,
    /// The first fact that makes the role a node role, as a sentence without its full stop.
    pub node_fact: Option<String>,
    /// How many more such facts there are.
    pub more_node_facts: usize,
}

/// One result of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnnotationResult {
    /// The role can call actions outside the allowed set.
    CanCall {
        /// The worst of them.
        action: String,
        /// How many more there are.
        more: usize,
        /// The account of the resource, where a policy of another account has to allow the call too.
        other_account: Option<String>,
    },
    /// Whether the role can call these actions was not decided within the budget.
    MayCall {
        /// The first of them.
        action: String,
        /// How many more there are.
        more: usize,
    },
    /// The role cannot pull.
    CannotPull {
        /// The actions that it needs and cannot call.
        missing: Vec<String>,
    },
    /// The role is compliant and cannot change anything in Amazon ECR.
    OnlyReads,
    /// The role is compliant, and the parameters allow it more than reading.
    OnlyAllowed,
    /// There is no verdict.
    NotApplicable(NotApplicable),
}

/// Why a resource gets no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotApplicable {
    /// No EKS cluster runs nodes with the role.
    NoCluster {
        /// How many regions were skipped, because a service control policy closes them.
        skipped_regions: usize,
    },
    /// The role's trust policy allows nobody that runs EKS nodes.
    TrustPolicy,
    /// The file that the command line reads does not show the role to be a node role.
    NotShown,
    /// The parameter `ExemptRoles` names the role.
    ExemptRole,
    /// The parameter `ExemptTag` names a tag of the role.
    ExemptTag {
        /// The tag's key.
        key: String,
        /// The tag's value.
        value: String,
    },
    /// The parameter `ExemptUntilTag` names a tag of the role, whose value is a date that has not passed.
    ExemptUntil {
        /// The tag's key.
        key: String,
        /// The date, the last day of the exemption.
        last_day: Date,
    },
    /// IAM no longer has the role.
    NoLongerExists,
    /// IAM has another role of the same name.
    Replaced,
    /// The rule reported the role earlier; now it is none of the account's node roles.
    Cleared {
        /// As in [`NotApplicable::NoCluster`].
        skipped_regions: usize,
    },
    /// Resources of this type get no verdict; the node roles that use them do.
    OtherType,
    /// The resource was deleted.
    Deleted,
    /// AWS Config does not record the resource in this account and region.
    NotRecorded,
    /// The resource left the scope of the rule.
    LeftScope,
}

impl NotApplicable {
    /// The parameter that exempts the role, and the last day of the exemption if it ends; `None` if the role is not exempt.
    pub fn exemption(&self) -> Option<(&'static str, Option<Date>)> {
        match self {
            Self::ExemptRole => Some(("ExemptRoles", None)),
            Self::ExemptTag { .. } => Some(("ExemptTag", None)),
            Self::ExemptUntil { last_day, .. } => Some(("ExemptUntilTag", Some(*last_day))),
            _ => None,
        }
    }

    /// The reasons that one fixed text expresses.
    const FIXED: [Self; 8] = [
        Self::TrustPolicy,
        Self::NotShown,
        Self::ExemptRole,
        Self::NoLongerExists,
        Self::Replaced,
        Self::Deleted,
        Self::NotRecorded,
        Self::LeftScope,
    ];

    /// The words after the name of the role or resource, where they are always the same.
    fn predicate(&self) -> Option<&'static str> {
        match self {
            Self::TrustPolicy => {
                Some("is not a node role: its trust policy allows no service or principal that runs EKS nodes")
            }
            Self::NotShown => Some("is not a node role as far as the file shows"),
            Self::ExemptRole => Some("is exempt: the parameter ExemptRoles names it"),
            Self::NoLongerExists => Some("no longer exists"),
            Self::Replaced => Some("no longer exists: another role has its name now"),
            Self::Deleted => Some("was deleted"),
            Self::NotRecorded => Some("is not recorded by AWS Config here"),
            Self::LeftScope => Some("is no longer in the scope of the rule"),
            Self::NoCluster { .. }
            | Self::Cleared { .. }
            | Self::ExemptTag { .. }
            | Self::ExemptUntil { .. }
            | Self::OtherType => None,
        }
    }

    /// The subject of the sentence where no role name is known.
    fn subject(&self) -> &'static str {
        match self {
            Self::Deleted | Self::NotRecorded | Self::LeftScope | Self::OtherType => THE_RESOURCE,
            _ => THE_ROLE,
        }
    }
}

impl Annotation {
    /// The annotation of a verdict. `node_of` are the facts that make the role a node role; the first one is written.
    pub fn of_verdict(verdict: &Verdict, role_name: &str, node_of: &[String]) -> Self {
        let mut results = Vec::new();
        if let Some(worst) = verdict.excess.first() {
            results.push(AnnotationResult::CanCall {
                action: worst.action.clone(),
                more: verdict.excess.len() - 1,
                other_account: worst.witness.other_account.clone(),
            });
        }
        if let Some(first) = verdict.undecided_excess().first() {
            let more = verdict.undecided_excess().len() - 1;
            results.push(AnnotationResult::MayCall { action: first.clone(), more });
        }
        let compliant = results.is_empty() && !verdict.cannot_pull();
        if compliant {
            let only_reads = verdict.only_reads();
            results.push(if only_reads { AnnotationResult::OnlyReads } else { AnnotationResult::OnlyAllowed });
        }
        if verdict.cannot_pull() || (compliant && !verdict.missing.is_empty()) {
            let missing = verdict.missing.iter().map(|action| (*action).to_owned()).collect();
            results.push(AnnotationResult::CannotPull { missing });
        }
        let grants = verdict.excess.first().map_or(&[][..], |worst| &worst.witness.grants);
        let grant = grants.iter().find(|grant| !grant.kind.only_limits());
        Self {
            role_name: Some(one_word(role_name)),
            results,
            exemption_ended: None,
            grant: grant.map(StatementName::of),
            node_fact: node_of.first().map(|fact| capitalized(fact)),
            more_node_facts: node_of.len().saturating_sub(1),
        }
    }

    /// The annotation of a resource without a verdict. `role_name` is the name of the role that the evaluation is about;
    /// none for a resource of another type, or where only the role's id is known.
    pub fn not_applicable(role_name: Option<&str>, reason: NotApplicable) -> Self {
        let role_name = role_name.filter(|_| reason != NotApplicable::OtherType).map(one_word);
        let results = vec![AnnotationResult::NotApplicable(reason)];
        Self { role_name, results, exemption_ended: None, grant: None, node_fact: None, more_node_facts: 0 }
    }

    /// Role name and first result, without the granting statement and without a full stop:
    /// `shop-build-node can call ecr:PutImage and 3 more actions`.
    pub fn headline(&self) -> String {
        self.first_result(usize::MAX)
    }

    fn first_result(&self, longest_name: usize) -> String {
        let subject = match (&self.role_name, self.results.first()) {
            (_, Some(AnnotationResult::NotApplicable(NotApplicable::OtherType))) => {
                return OTHER_TYPE.trim_end_matches('.').to_owned();
            }
            (Some(name), _) => name,
            (None, Some(AnnotationResult::NotApplicable(reason))) => reason.subject(),
            (None, _) => THE_ROLE,
        };
        let predicate = self.results.first().map(|result| result.predicate(longest_name)).unwrap_or_default();
        format!("{subject} {predicate}")
    }

    /// The sentences, with names of at most `longest_name` characters.
    fn sentences(&self, longest_name: usize, detail: Detail) -> Vec<String> {
        let mut first = self.first_result(longest_name);
        if let Some(grant) = self.grant.as_ref().filter(|_| detail != Detail::ResultOnly) {
            let (policy, statement) =
                (shortened(&grant.policy, longest_name), shortened(&grant.statement, longest_name));
            first.push_str(&format!(" ({})", StatementName { policy, statement }));
        }
        let mut sentences = vec![first];
        sentences.extend(self.exemption_ended.map(|last_day| format!("{EXEMPTION_ENDED}{last_day}")));
        sentences.extend(self.results.iter().skip(1).map(|result| format!("It {}", result.predicate(longest_name))));
        if let Some(fact) = &self.node_fact {
            let fact = match detail {
                Detail::Whole => fact.as_str(),
                _ => fact.split(';').next().unwrap_or(fact),
            };
            let more = self.more_node_facts;
            let more = if more == 0 { String::new() } else { format!(", and {more} more") };
            sentences.push(format!("{}{more}", shortened_words(fact, longest_name)));
        }
        sentences
    }

    /// The longest text that fits: first with shorter names, then with less detail, then with fewer sentences.
    fn text(&self) -> String {
        let whole = written(&self.sentences(usize::MAX, Detail::Whole));
        if fits(&whole) {
            return whole;
        }
        let count = self.sentences(SHORTEST_NAME, Detail::Whole).len();
        let steps = [(count, Detail::Whole), (count, Detail::OneClause)];
        let least = if self.exemption_ended.is_some() { 2 } else { 1 };
        let fewer = (least..count).rev().map(|fewer| (fewer, Detail::OneClause));
        let result_only = (1..=least).rev().map(|fewer| (fewer, Detail::ResultOnly));
        for (sentences, detail) in steps.into_iter().chain(fewer).chain(result_only) {
            let with_names = |longest_name: usize| {
                let mut kept = self.sentences(longest_name, detail);
                kept.truncate(sentences);
                written(&kept)
            };
            let lengths: Vec<usize> = (SHORTEST_NAME..ANNOTATION_CHARACTERS).collect();
            let fitting = lengths.partition_point(|&longest_name| fits(&with_names(longest_name)));
            if let Some(&longest_name) = lengths.get(..fitting).and_then(<[usize]>::last) {
                return with_names(longest_name);
            }
        }
        // Only a role name that is longer than IAM's limit of 64 characters leads here.
        shortened(&whole, ANNOTATION_CHARACTERS)
    }
}

impl fmt::Display for Annotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// How much of an annotation is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Whole,
    /// Of the node fact only the part before a semicolon.
    OneClause,
    /// The first result without the granting statement.
    ResultOnly,
}

impl AnnotationResult {
    /// The words after the role name, with names of at most `longest_name` characters.
    fn predicate(&self, longest_name: usize) -> String {
        let call = |action: &str, more: usize| {
            let action = shortened(action, longest_name.max(SHORTEST_ACTION));
            match more {
                0 => action,
                1 => format!("{action} and 1 more action"),
                more => format!("{action} and {more} more actions"),
            }
        };
        match self {
            Self::CanCall { action, more, other_account } => {
                let agrees = other_account.iter().map(|account| format!(" if account {account} agrees"));
                format!("{CAN_CALL}{}{}", call(action, *more), agrees.collect::<String>())
            }
            Self::MayCall { action, more } => format!("{MAY_CALL}{}{UNDECIDED}", call(action, *more)),
            Self::CannotPull { missing } => format!("{CANNOT_PULL}{}", missing.join(", ")),
            Self::OnlyReads => ONLY_READS.to_owned(),
            Self::OnlyAllowed => ONLY_ALLOWED.to_owned(),
            Self::NotApplicable(NotApplicable::ExemptTag { key, value }) => {
                format!("{EXEMPT_TAG}{}={}", shortened(key, longest_name), shortened(value, longest_name))
            }
            Self::NotApplicable(NotApplicable::ExemptUntil { key, last_day }) => {
                format!("{EXEMPT_UNTIL}{last_day}{EXEMPT_UNTIL_TAG}{}", shortened(key, longest_name))
            }
            Self::NotApplicable(NotApplicable::NoCluster { skipped_regions }) => counted(NO_CLUSTER, *skipped_regions),
            Self::NotApplicable(NotApplicable::Cleared { skipped_regions }) => counted(CLEARED, *skipped_regions),
            Self::NotApplicable(reason) => reason.predicate().unwrap_or_default().to_owned(),
        }
    }
}

/// A predicate with the number of skipped regions.
fn counted(predicate: &str, skipped_regions: usize) -> String {
    match skipped_regions {
        0 => predicate.to_owned(),
        1 => format!("{predicate} (1 region skipped)"),
        more => format!("{predicate} ({more} regions skipped)"),
    }
}

/// The number of skipped regions behind a predicate, the reverse of [`counted`].
fn parsed_count(text: &str, predicate: &str) -> Option<usize> {
    let skipped = text.strip_prefix(predicate)?;
    match skipped.strip_prefix(" (").and_then(|text| text.strip_suffix(" skipped)")) {
        Some(count) => count.split_once(" region")?.0.parse().ok(),
        None => skipped.is_empty().then_some(0),
    }
}

fn written(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("{sentence}.")).collect::<Vec<_>>().join(" ")
}

fn fits(text: &str) -> bool {
    text.chars().count() <= ANNOTATION_CHARACTERS
}

/// The text in at most `longest` characters, the last of them `…` if any is left out.
fn shortened(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    text.chars().take(longest.saturating_sub(1)).chain([ELLIPSIS]).collect()
}

/// The text with each of its words shortened; brackets and punctuation around it stay.
fn shortened_words(text: &str, longest: usize) -> String {
    let shorten = |word: &str| {
        let name = word.trim_start_matches('(');
        let bracket = word.get(..word.len() - name.len()).unwrap_or_default();
        let core = name.trim_end_matches([')', ',', ';', ':']);
        let punctuation = name.get(core.len()..).unwrap_or_default();
        format!("{bracket}{}{punctuation}", shortened(core, longest))
    };
    text.split(' ').map(shorten).collect::<Vec<_>>().join(" ")
}

/// A role name as one word. IAM's names are; an account file may hold anything.
fn one_word(name: &str) -> String {
    name.chars().map(|c| if c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

/// The text is not an annotation of this rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an annotation of this rule")]
pub struct NotAnAnnotation(pub String);

impl FromStr for Annotation {
    type Err = NotAnAnnotation;

    fn from_str(text: &str) -> Result<Self, NotAnAnnotation> {
        parsed(text).ok_or_else(|| NotAnAnnotation(text.to_owned()))
    }
}

fn parsed(text: &str) -> Option<Annotation> {
    if text == OTHER_TYPE {
        return Some(Annotation::not_applicable(None, NotApplicable::OtherType));
    }
    // A role name is one word, and no sentence continues a role named `The` with these words.
    let nameless = [THE_ROLE, THE_RESOURCE];
    let nameless = nameless.iter().find_map(|subject| text.strip_prefix(subject)?.strip_prefix(' '));
    let (role_name, text) = match nameless {
        Some(text) => (None, text),
        None => text.split_once(' ').map(|(name, text)| (Some(name), text))?,
    };
    if let Some(reason) = text.strip_suffix('.').and_then(parsed_reason) {
        return Some(Annotation::not_applicable(role_name, reason));
    }
    let (first, grant, mut rest) = parsed_result(text)?;
    let mut exemption_ended = None;
    if let Some(ended) = rest.strip_prefix(' ').and_then(|rest| rest.strip_prefix(EXEMPTION_ENDED)) {
        let (last_day, after) = ended.split_once('.')?;
        exemption_ended = Some(parsed_day(last_day)?);
        rest = after;
    }
    let mut results = vec![first];
    while let Some((result, None, after)) = rest.strip_prefix(" It ").and_then(parsed_result) {
        results.push(result);
        rest = after;
    }
    let (node_fact, more_node_facts) = match rest.strip_prefix(' ') {
        Some(fact) => parsed_fact(fact.strip_suffix('.')?),
        None if rest.is_empty() => (None, 0),
        None => return None,
    };
    let role_name = role_name.map(str::to_owned);
    Some(Annotation { role_name, results, exemption_ended, grant, node_fact, more_node_facts })
}

fn parsed_reason(predicate: &str) -> Option<NotApplicable> {
    if let Some((key, value)) = predicate.strip_prefix(EXEMPT_TAG).and_then(|tag| tag.split_once('=')) {
        return Some(NotApplicable::ExemptTag { key: key.to_owned(), value: value.to_owned() });
    }
    if let Some((last_day, key)) =
        predicate.strip_prefix(EXEMPT_UNTIL).and_then(|until| until.split_once(EXEMPT_UNTIL_TAG))
    {
        return Some(NotApplicable::ExemptUntil { key: key.to_owned(), last_day: parsed_day(last_day)? });
    }
    if let Some(skipped_regions) = parsed_count(predicate, NO_CLUSTER) {
        return Some(NotApplicable::NoCluster { skipped_regions });
    }
    if let Some(skipped_regions) = parsed_count(predicate, CLEARED) {
        return Some(NotApplicable::Cleared { skipped_regions });
    }
    NotApplicable::FIXED.into_iter().find(|reason| reason.predicate() == Some(predicate))
}

/// The date in a text such as `2026-12-31`: four ASCII digits, two, and two. `None` for every other text, also for one that
/// means a date.
pub fn parsed_day(text: &str) -> Option<Date> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    // The parser takes signs too.
    (day.year() >= 0 && day.to_string() == text).then_some(day)
}

/// The result at the start of the text, the granting statement, and the text after the full stop.
fn parsed_result(text: &str) -> Option<(AnnotationResult, Option<StatementName>, &str)> {
    for (predicate, result) in
        [(ONLY_READS, AnnotationResult::OnlyReads), (ONLY_ALLOWED, AnnotationResult::OnlyAllowed)]
    {
        if let Some(rest) = text.strip_prefix(predicate).and_then(|rest| rest.strip_prefix('.')) {
            return Some((result, None, rest));
        }
    }
    if let Some(text) = text.strip_prefix(CANNOT_PULL) {
        let (missing, rest) = text.split_once('.')?;
        let missing = missing.split(", ").map(str::to_owned).collect();
        return Some((AnnotationResult::CannotPull { missing }, None, rest));
    }
    if let Some(text) = text.strip_prefix(MAY_CALL) {
        let (call, rest) = text.split_once(UNDECIDED)?;
        let (action, more) = call.split_once(' ').unwrap_or((call, ""));
        let result =
            AnnotationResult::MayCall { action: action.to_owned(), more: parsed_more(more).map_or(0, |it| it.0) };
        return Some((result, None, rest.strip_prefix('.')?));
    }
    let text = text.strip_prefix(CAN_CALL)?;
    // An action is one word of letters, digits, `-` and `:`.
    let (action, rest) = text.split_at(text.find([' ', '.'])?);
    let (more, rest) = rest.strip_prefix(' ').and_then(parsed_more).unwrap_or((0, rest));
    let account = rest.strip_prefix(" if account ").and_then(|rest| rest.split_once(" agrees"));
    let (other_account, rest) = account.map_or((None, rest), |(account, rest)| (Some(account.to_owned()), rest));
    let statement = rest.strip_prefix(" (").and_then(|rest| rest.split_once(')'));
    let (grant, rest) = match statement {
        Some((statement, rest)) => (Some(statement.parse::<StatementName>().ok()?), rest),
        None => (None, rest),
    };
    let result = AnnotationResult::CanCall { action: action.to_owned(), more, other_account };
    Some((result, grant, rest.strip_prefix('.')?))
}

/// The number in `and 3 more actions`, and the text after it.
fn parsed_more(text: &str) -> Option<(usize, &str)> {
    let (count, rest) = text.strip_prefix("and ")?.split_once(" more action")?;
    Some((count.parse().ok()?, rest.strip_prefix('s').unwrap_or(rest)))
}

/// The fact, and how many more there are: `Node group build of cluster shop, us-east-1, and 1 more`.
fn parsed_fact(text: &str) -> (Option<String>, usize) {
    let counted = || {
        let (fact, count) = text.strip_suffix(" more")?.rsplit_once(", and ")?;
        Some((Some(fact.to_owned()), count.parse().ok()?))
    };
    counted().unwrap_or_else(|| (Some(text.to_owned()), 0))
}
