//! Policy documents, as the grammar of IAM's JSON policy language has them.
//!
//! Reads text into statements and refuses what IAM would not have stored, with the path to the place. Knows
//! nothing of services, requests or evaluation.
//!
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language".

use std::borrow::Cow;
use std::cmp::Ordering;

use percent_encoding::percent_decode_str;

use super::condition::Condition;
use super::json::{DocumentError, Json, Path, members, parse_json, string};
use super::pattern::{ActionPattern, ResourcePattern};
use super::variable::Variables;

/// An identity-based policy document.
#[derive(Debug, Clone)]
pub struct Document {
    /// The statements, in the order of the document.
    pub statements: Vec<Statement>,
}

/// What a statement does to the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Grants, unless something denies.
    Allow,
    /// Refuses, whatever else grants.
    Deny,
}

/// One statement of an identity-based policy. `Principal` has no place in these documents and is ignored.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The statement's `Sid`; it has no meaning to IAM.
    pub sid: Option<String>,
    /// `Allow` or `Deny`.
    pub effect: Effect,
    /// `Action` or `NotAction`.
    pub actions: Scope<ActionPattern>,
    /// `Resource` or `NotResource`.
    pub resources: Scope<ResourcePattern>,
    /// The condition block: all must hold.
    pub conditions: Vec<Condition>,
}

impl Statement {
    /// An order that depends on what statements say, not on where they stand or what they are called.
    pub fn cmp_content(&self, other: &Self) -> Ordering {
        (self.effect, &self.actions, &self.resources, &self.conditions).cmp(&(
            other.effect,
            &other.actions,
            &other.resources,
            &other.conditions,
        ))
    }
}

/// An element and its negated form: `Action` and `NotAction`, `Resource` and `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope<P> {
    /// Whether the element is the `Not…` form.
    pub negated: bool,
    /// The patterns listed.
    pub patterns: Vec<P>,
}

impl Document {
    /// Reads a policy document: JSON text, percent-encoded (RFC 3986) or plain.
    ///
    /// # Errors
    /// A document that IAM would not have stored: not JSON, an unknown element, `Effect` or `Version`, both
    /// `Action` and `NotAction`, none of them, no `Resource`, a key that stands twice in one object.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let text = decode(text)?;
        Self::from_json(&parse_json(&text)?)
    }

    /// Reads a policy document that is already a JSON tree.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn from_json(json: &Json<'_>) -> Result<Self, DocumentError> {
        let mut statements = Vec::new();
        for_each_statement(json, |path, statement, variables| {
            statements.push(read_statement(path, statement, variables)?);
            Ok(())
        })?;
        Ok(Self { statements })
    }
}

/// Undoes percent-encoding where there is any. A plain document starts with `{`, which RFC 3986 always
/// encodes, so the first character tells the two apart. `+` is a plus sign.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, DocumentError> {
    if text.trim_start().starts_with('{') {
        return Ok(Cow::Borrowed(text));
    }
    percent_decode_str(text).decode_utf8().map_err(|_| Path::Root.error("the percent-encoded document is not UTF-8"))
}

/// Visits the statements of a policy document with their paths and with whether policy variables have meaning
/// in it, which they have since version 2012-10-17.
pub(super) fn for_each_statement<'j>(
    document: &'j Json<'_>,
    mut visit: impl FnMut(&Path<'_>, &'j Json<'j>, Variables) -> Result<(), DocumentError>,
) -> Result<(), DocumentError> {
    let mut variables = Variables::Text;
    let mut statements = None;
    for (name, value) in members(&Path::Root, document)? {
        let here = Path::Member(&Path::Root, name);
        match name {
            "Version" => match string(&here, value)? {
                "2012-10-17" => variables = Variables::Replaced,
                "2008-10-17" => {}
                other => {
                    return Err(here.error(format!("`{other}` is not a version; `2012-10-17` and `2008-10-17` are")));
                }
            },
            "Id" => {
                string(&here, value)?;
            }
            "Statement" => statements = Some(value),
            other => return Err(Path::Root.error(format!("`{other}` is not an element of a policy"))),
        }
    }
    let statements = statements.ok_or_else(|| Path::Root.error("the policy has no `Statement`"))?;
    let here = Path::Member(&Path::Root, "Statement");
    match statements {
        Json::List(items) => {
            items.iter().enumerate().try_for_each(|(i, item)| visit(&Path::Item(&here, i), item, variables))
        }
        one => visit(&here, one, variables),
    }
}

/// A single string or a list of strings, read into patterns in an order of their own, since a list's order
/// means nothing.
pub(super) fn patterns<P: Ord>(
    path: &Path<'_>,
    json: &Json<'_>,
    read: impl Fn(&str) -> P,
) -> Result<Vec<P>, DocumentError> {
    let mut patterns = match json {
        Json::List(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| string(&Path::Item(path, i), item).map(&read))
            .collect::<Result<Vec<_>, _>>()?,
        one => vec![read(string(path, one)?)],
    };
    patterns.sort_unstable();
    Ok(patterns)
}

pub(super) fn effect(path: &Path<'_>, json: &Json<'_>) -> Result<Effect, DocumentError> {
    match string(path, json)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(path.error(format!("`{other}` is not an effect; `Allow` and `Deny` are"))),
    }
}

fn read_statement(path: &Path<'_>, json: &Json<'_>, variables: Variables) -> Result<Statement, DocumentError> {
    let (mut sid, mut effect_, mut actions, mut resources) = (None, None, None, None);
    let mut conditions = Vec::new();
    for (name, value) in members(path, json)? {
        let here = Path::Member(path, name);
        match name {
            "Sid" => sid = Some(string(&here, value)?.to_owned()),
            "Effect" => effect_ = Some(effect(&here, value)?),
            "Action" | "NotAction" => {
                let scope =
                    Scope { negated: name == "NotAction", patterns: patterns(&here, value, ActionPattern::new)? };
                if actions.replace(scope).is_some() {
                    return Err(path.error("both `Action` and `NotAction`"));
                }
            }
            "Resource" | "NotResource" => {
                let read = |text: &str| ResourcePattern::new(text, variables);
                let scope = Scope { negated: name == "NotResource", patterns: patterns(&here, value, read)? };
                if resources.replace(scope).is_some() {
                    return Err(path.error("both `Resource` and `NotResource`"));
                }
            }
            "Condition" => conditions = Condition::read_block(&here, value, variables)?,
            "Principal" | "NotPrincipal" => {}
            other => return Err(path.error(format!("`{other}` is not an element of a statement"))),
        }
    }
    let missing = |what: &str| path.error(format!("the statement has no {what}"));
    Ok(Statement {
        sid,
        effect: effect_.ok_or_else(|| missing("`Effect`"))?,
        actions: actions.ok_or_else(|| missing("`Action` or `NotAction`"))?,
        resources: resources.ok_or_else(|| missing("`Resource` or `NotResource`"))?,
        conditions,
    })
}
