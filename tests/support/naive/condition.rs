//! Condition operators.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators", "Single-valued vs. multivalued context
//! keys", "IAM policy elements: Variables and tags".

use super::context::View;
use super::pattern::{Piece, arn_fields as fields, glob, in_units, inserts, literal, parts, pieces, substitute};
use super::value::{address_readings, base64, boolean, date, date_readings, number, units, within, without_case};
use super::{Outcome, Tri, all_of, any_of, negate};
use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    None,
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    String { like: bool, ignore_case: bool },
    Numeric(&'static [Ordering]),
    Date(&'static [Ordering]),
    Bool,
    Binary,
    Ip,
    Arn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Operator {
    set: Set,
    kind: Kind,
    negated: bool,
    if_exists: bool,
}

/// Whether one operator holds for one key and the listed values.
///
/// # Errors
/// The answer depends on a key that every request has and this request does not list.
pub fn holds(operator: &str, key: &str, values: &[String], variables: bool, view: &View<'_>) -> Outcome {
    let texts = values.iter().map(String::as_str).filter(|_| variables);
    view.in_both_readings(texts.chain([key]), |view| holds_in(operator, key, values, variables, view))
}

fn holds_in(operator: &str, key: &str, values: &[String], variables: bool, view: &View<'_>) -> Outcome {
    if operator == "Null" {
        return Ok(null(values, view.present(key)));
    }
    let Some(operator) = parse(operator) else {
        // AWS does not document the operator.
        return Ok(Tri::Maybe);
    };
    // A negated operator with no values would always hold. AWS does not document it.
    if operator.negated && values.is_empty() {
        return Ok(Tri::Maybe);
    }
    // The value of a present key may be unknown. Whether a key is absent is always known.
    if !view.present(key) {
        return Ok(missing(operator));
    }
    let present = view.values(key)?;
    let test = |value: &String| one_value(operator, value, values, variables, view);
    match operator.set {
        Set::ForAllValues | Set::ForAnyValue => {
            let evaluated = if operator.set == Set::ForAllValues {
                all_of(present.iter().map(test))
            } else {
                any_of(present.iter().map(test))
            };
            // "… or if the context key value resolves to a null dataset, such as an empty string."
            if present.iter().all(String::is_empty) {
                let as_missing = missing(operator);
                return evaluated.map(|tri| if tri == as_missing { tri } else { Tri::Maybe });
            }
            evaluated
        }
        Set::None if present.len() == 1 => test(&present[0]),
        // "Multivalued context keys require a condition set operator". Without one, values probably never match.
        Set::None if operator.negated => Ok(Tri::Maybe),
        Set::None => Ok(any_of(present.iter().map(test))?.min(Tri::Maybe)),
    }
}

/// `Null`: with `true` the key must be missing, with any other text it must be present.
fn null(values: &[String], present: bool) -> Tri {
    Tri::from(values.iter().any(|value| boolean(value) != present))
}

/// The result of an operator on a key that the request does not have.
fn missing(operator: Operator) -> Tri {
    match (operator.if_exists, operator.set, operator.negated) {
        (true, ..) | (false, Set::ForAllValues, _) | (false, Set::None, true) => Tri::Yes,
        (false, Set::ForAnyValue, _) | (false, Set::None, false) => Tri::No,
    }
}

const EQUAL: &[Ordering] = &[Ordering::Equal];
const LESS: &[Ordering] = &[Ordering::Less];
const LESS_EQUAL: &[Ordering] = &[Ordering::Less, Ordering::Equal];
const GREATER: &[Ordering] = &[Ordering::Greater];
const GREATER_EQUAL: &[Ordering] = &[Ordering::Greater, Ordering::Equal];

/// Parses an operator's name. Letter case matters. `Null` has neither prefix nor suffix.
fn parse(name: &str) -> Option<Operator> {
    let (set, name) = if let Some(rest) = name.strip_prefix("ForAllValues:") {
        (Set::ForAllValues, rest)
    } else if let Some(rest) = name.strip_prefix("ForAnyValue:") {
        (Set::ForAnyValue, rest)
    } else {
        (Set::None, name)
    };
    let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
    let string = |like, ignore_case| Kind::String { like, ignore_case };
    let (kind, negated) = match name {
        "StringEquals" => (string(false, false), false),
        "StringNotEquals" => (string(false, false), true),
        "StringEqualsIgnoreCase" => (string(false, true), false),
        "StringNotEqualsIgnoreCase" => (string(false, true), true),
        "StringLike" => (string(true, false), false),
        "StringNotLike" => (string(true, false), true),
        "NumericEquals" => (Kind::Numeric(EQUAL), false),
        "NumericNotEquals" => (Kind::Numeric(EQUAL), true),
        "NumericLessThan" => (Kind::Numeric(LESS), false),
        "NumericLessThanEquals" => (Kind::Numeric(LESS_EQUAL), false),
        "NumericGreaterThan" => (Kind::Numeric(GREATER), false),
        "NumericGreaterThanEquals" => (Kind::Numeric(GREATER_EQUAL), false),
        "DateEquals" => (Kind::Date(EQUAL), false),
        "DateNotEquals" => (Kind::Date(EQUAL), true),
        "DateLessThan" => (Kind::Date(LESS), false),
        "DateLessThanEquals" => (Kind::Date(LESS_EQUAL), false),
        "DateGreaterThan" => (Kind::Date(GREATER), false),
        "DateGreaterThanEquals" => (Kind::Date(GREATER_EQUAL), false),
        "Bool" => (Kind::Bool, false),
        "BinaryEquals" => (Kind::Binary, false),
        "IpAddress" => (Kind::Ip, false),
        "NotIpAddress" => (Kind::Ip, true),
        "ArnEquals" | "ArnLike" => (Kind::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Kind::Arn, true),
        _ => return None,
    };
    Some(Operator { set, kind, negated, if_exists })
}

/// Compares one value of the request with all values of the policy. One must match; for a negated operator, none.
fn one_value(operator: Operator, value: &str, constants: &[String], variables: bool, view: &View<'_>) -> Outcome {
    let matched = any_of(constants.iter().map(|constant| {
        let readings = compare(operator.kind, value, constant, variables, view)?;
        let readings: Vec<Tri> = readings
            .into_iter()
            .map(|reading| match reading {
                Some(matches) => Tri::from(matches),
                // A value that cannot be compared does not match. Whether a negated operator then holds is not documented.
                None if operator.negated => Tri::Maybe,
                None => Tri::No,
            })
            .collect();
        let (first, rest) = readings.split_first().unwrap();
        Ok(if rest.iter().all(|reading| reading == first) { *first } else { Tri::Maybe })
    }));
    if operator.negated { negate(matched) } else { matched }
}

/// Whether a value of the request matches a value of the policy, in each reading. `None` if they cannot be compared.
fn compare(
    kind: Kind,
    value: &str,
    constant: &str,
    variables: bool,
    view: &View<'_>,
) -> Result<Vec<Option<bool>>, String> {
    Ok(match kind {
        Kind::String { like, ignore_case } => return string(value, constant, like, ignore_case, variables, view),
        Kind::Arn => return arn(value, constant, variables, view),
        Kind::Numeric(orders) => {
            let (Some(value), Some(constant)) = (number(value), number(constant)) else { return Ok(vec![None]) };
            // Numbers beyond 2⁵³ are exact, or double precision.
            [value.exact(&constant), value.rounded(&constant)].map(|order| Some(orders.contains(&order))).to_vec()
        }
        Kind::Date(orders) => {
            let compared = |reading| Some(orders.contains(&date(value, reading)?.cmp(&date(constant, reading)?)));
            date_readings(&[value, constant]).into_iter().map(compared).collect()
        }
        Kind::Bool => vec![Some(boolean(value) == boolean(constant))],
        Kind::Binary => binary(value, constant),
        Kind::Ip => address_readings(value, constant).into_iter().map(|one| within(value, constant, one)).collect(),
    })
}

/// The same Base64 text matches. Whether another text of the same bytes matches, or the same text that is no Base64, is not
/// documented.
fn binary(value: &str, constant: &str) -> Vec<Option<bool>> {
    let Some(bytes) = base64(constant) else {
        return if value == constant { vec![Some(true), None] } else { vec![None] };
    };
    if value == constant {
        return vec![Some(true)];
    }
    let same = base64(value).as_ref() == Some(&bytes) || value.as_bytes() == bytes;
    if same { vec![Some(true), Some(false)] } else { vec![Some(false)] }
}

fn string(
    value: &str,
    constant: &str,
    like: bool,
    ignore_case: bool,
    variables: bool,
    view: &View<'_>,
) -> Result<Vec<Option<bool>>, String> {
    let constant = parts(constant, variables);
    let lookup = |key: &str| view.variable(key);
    if like {
        let mut readings = Vec::new();
        for inserted_wildcards in inserts(&constant).iter().copied() {
            match substitute(&constant, inserted_wildcards, &lookup)? {
                Some(pattern) => readings.extend(globs(&pattern, value).into_iter().map(Some)),
                None => readings.push(Some(false)),
            }
        }
        return Ok(readings);
    }
    if view.stands_for_anything(&constant) {
        return Ok(vec![Some(true)]);
    }
    let Some(constant) = literal(&constant, &lookup)? else { return Ok(vec![Some(false)]) };
    if !ignore_case || constant.is_ascii() && value.is_ascii() {
        let same = if ignore_case { constant.eq_ignore_ascii_case(value) } else { constant == value };
        return Ok(vec![Some(same)]);
    }
    let (constants, values) = (without_case(&constant), without_case(value));
    Ok(constants.iter().zip(&values).map(|(constant, value)| Some(constant == value)).collect())
}

/// Whether a pattern matches. A `?` is one character or one UTF-16 unit: two answers if the text has characters of two units.
fn globs(pattern: &[Piece], text: &str) -> Vec<bool> {
    let mut readings = vec![glob(pattern, text)];
    if text.chars().any(|character| character > '\u{FFFF}') {
        readings.push(glob(&in_units(pattern), &units(text)));
    }
    readings
}

/// "Each of the six colon-delimited components of the ARN is checked separately."
fn arn(value: &str, constant: &str, variables: bool, view: &View<'_>) -> Result<Vec<Option<bool>>, String> {
    let constant = parts(constant, variables);
    let value_parts: Vec<&str> = value.splitn(6, ':').collect();
    let mut readings = Vec::new();
    for inserted_wildcards in inserts(&constant).iter().copied() {
        let lookup = |key: &str| view.variable(key);
        let Some(pattern) = substitute(&constant, inserted_wildcards, &lookup)? else {
            readings.push(Some(false));
            if value_parts.len() < 6 || value_parts[0] != "arn" {
                readings.push(None);
            }
            continue;
        };
        // A colon in the value of a variable makes one more part, or it does not.
        let after: Vec<Vec<Piece>> =
            pattern.splitn(6, |piece| *piece == Piece::Text(':')).map(<[Piece]>::to_vec).collect();
        let mut before = Vec::new();
        for field in fields(&constant) {
            before.push(substitute(&field, inserted_wildcards, &lookup)?.unwrap_or_default());
        }
        readings.extend(by_part(value, &value_parts, &pattern, after.clone()));
        // A variable alone that becomes an ARN is one.
        if after != before && before.len() > 1 {
            readings.extend(by_part(value, &value_parts, &pattern, before));
        }
    }
    Ok(readings)
}

/// Compares an ARN with a pattern of these parts.
fn by_part(value: &str, value_parts: &[&str], pattern: &[Piece], mut six: Vec<Vec<Piece>>) -> Vec<Option<bool>> {
    let compared = |six: &[Vec<Piece>]| {
        let parts: Vec<Vec<bool>> = six.iter().zip(value_parts).map(|(piece, part)| globs(piece, part)).collect();
        // The same reading of `?` in all parts. A part without unusual characters has one answer.
        (0..2).map(|at| Some(parts.iter().all(|part| part[at.min(part.len() - 1)]))).collect::<Vec<_>>()
    };
    let six_parts = value_parts.len() == 6;
    let mut readings = Vec::new();
    match (six.len() == 6, six_parts && value_parts[0] == "arn") {
        (true, true) => {
            readings.extend(compared(&six));
            // A pattern of six parts that matches no ARN is none.
            if !globs(&six[0], "arn").contains(&true) {
                readings.push(None);
            }
        }
        // Six parts of which the first is not `arn` may be no ARN.
        (true, false) => {
            if six_parts {
                readings.extend(compared(&six));
            }
            readings.push(None);
        }
        // The pattern is not an ARN. It may be compared as text, be completed as in Resource, or match nothing.
        (false, is_arn) => {
            readings.extend(globs(pattern, value).into_iter().map(Some));
            if is_arn {
                six.resize(6, pieces("*"));
                readings.extend(compared(&six));
            }
            readings.push(None);
        }
    }
    readings
}
