//! Policy documents and their statements.
//!
//! [`Document::parse`] follows the grammar of IAM's policy language. It refuses what IAM does not store, with the path to
//! the place. A document that is refused gets no verdict. Knows nothing of services, requests or evaluation.
//!
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).

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

/// The effect of a statement on the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Permits them, unless a Deny matches too.
    Allow,
    /// Forbids them, even if an Allow matches too.
    Deny,
}

/// One statement of an identity-based policy.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The statement's `Sid`, a label without effect.
    pub sid: Option<String>,
    /// The effect.
    pub effect: Effect,
    /// `Action` or `NotAction`.
    pub actions: Scope<ActionPattern>,
    /// `Resource` or `NotResource`.
    pub resources: Scope<ResourcePattern>,
    /// The condition block. All conditions must hold.
    pub conditions: Vec<Condition>,
}

impl Statement {
    /// Compares the content of two statements, without their `Sid`. Sorted by content, statements have an order that does
    /// not depend on their place in a policy.
    pub fn cmp_content(&self, other: &Self) -> Ordering {
        (self.effect, &self.actions, &self.resources, &self.conditions).cmp(&(
            other.effect,
            &other.actions,
            &other.resources,
            &other.conditions,
        ))
    }
}

/// `Action` or `NotAction`, `Resource` or `NotResource`: a list of patterns, perhaps negated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope<P> {
    /// Whether this is the `Not…` form.
    pub negated: bool,
    /// The patterns of the list, sorted: their order has no meaning.
    pub patterns: Vec<P>,
}

impl Document {
    /// Parses a policy document: JSON text, plain or percent-encoded (RFC 3986).
    ///
    /// # Errors
    /// The document is one that IAM does not store:
    /// - it is not JSON, or a name appears twice in one object;
    /// - an element, `Effect` or `Version` is unknown;
    /// - a statement has both `Action` and `NotAction`, or neither, or the same for `Resource`;
    /// - a statement has `Principal` or `NotPrincipal`.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let text = decode(text)?;
        Self::from_json(&parse_json(&text)?)
    }

    /// Reads a policy document from a JSON tree.
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

/// Decodes a percent-encoded document, as IAM's API returns it. The AWS CLI prints plain documents, which stay as they are.
/// The first character shows the difference: a plain document starts with `{`, which RFC 3986 always encodes. A `+` stays a
/// plus sign.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, DocumentError> {
    if text.trim_start().starts_with('{') {
        return Ok(Cow::Borrowed(text));
    }
    percent_decode_str(text).decode_utf8().map_err(|_| Path::Root.error("the percent-encoded document is not UTF-8"))
}

/// Visits the statements of a policy document, each with its path. Policy variables exist since version 2012-10-17.
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
                    return Err(here.error(format!("unknown version `{other}`, expected `2012-10-17` or `2008-10-17`")));
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

/// Reads a string or a list of strings into patterns and sorts them: their order has no meaning.
pub(super) fn read_patterns<P: Ord>(
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

/// Reads the value of `Effect`.
pub(super) fn read_effect(path: &Path<'_>, json: &Json<'_>) -> Result<Effect, DocumentError> {
    match string(path, json)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(path.error(format!("unknown effect `{other}`, expected `Allow` or `Deny`"))),
    }
}

fn read_statement(path: &Path<'_>, json: &Json<'_>, variables: Variables) -> Result<Statement, DocumentError> {
    let (mut sid, mut effect, mut actions, mut resources) = (None, None, None, None);
    let mut conditions = Vec::new();
    for (name, value) in members(path, json)? {
        let here = Path::Member(path, name);
        match name {
            "Sid" => sid = Some(string(&here, value)?.to_owned()),
            "Effect" => effect = Some(read_effect(&here, value)?),
            "Action" | "NotAction" => {
                let scope =
                    Scope { negated: name == "NotAction", patterns: read_patterns(&here, value, ActionPattern::new)? };
                if actions.replace(scope).is_some() {
                    return Err(path.error("the statement has both `Action` and `NotAction`"));
                }
            }
            "Resource" | "NotResource" => {
                let read = |text: &str| ResourcePattern::new(text, variables);
                let scope = Scope { negated: name == "NotResource", patterns: read_patterns(&here, value, read)? };
                if resources.replace(scope).is_some() {
                    return Err(path.error("the statement has both `Resource` and `NotResource`"));
                }
            }
            "Condition" => conditions = Condition::read_block(&here, value, variables)?,
            "Principal" | "NotPrincipal" => {
                return Err(path.error(format!("`{name}` is not an element of an identity-based policy")));
            }
            other => return Err(path.error(format!("`{other}` is not an element of a statement"))),
        }
    }
    let missing = |what: &str| path.error(format!("the statement has no {what}"));
    Ok(Statement {
        sid,
        effect: effect.ok_or_else(|| missing("`Effect`"))?,
        actions: actions.ok_or_else(|| missing("`Action` or `NotAction`"))?,
        resources: resources.ok_or_else(|| missing("`Resource` or `NotResource`"))?,
        conditions,
    })
}
