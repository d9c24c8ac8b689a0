//! Condition operators.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Condition operators", "Single-valued vs. multivalued context
//! keys", "IAM policy elements: Variables and tags".

use super::context::View;
use super::pattern::{Piece, glob, inserts, literal, parts, pieces, substitute};
use super::value::{base64, booleans, dates, holds as network_holds, networks, number};
use super::{Outcome, Tri, all_of, any_of, negate};
use std::cmp::Ordering;
use std::net::IpAddr;

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
        // "Multivalued context keys require a condition set operator". AWS does not document the result without one.
        Set::None => {
            let (all, any) = (all_of(present.iter().map(test))?, any_of(present.iter().map(test))?);
            Ok(if all == any { all } else { Tri::Maybe })
        }
    }
}

/// `Null`: with `true` the key must be missing, with `false` it must be present.
fn null(values: &[String], present: bool) -> Tri {
    values
        .iter()
        .map(|value| {
            let readings: Vec<bool> = booleans(value)
                .into_iter()
                .map(|wanted| wanted.is_some_and(|must_be_missing| must_be_missing != present))
                .collect();
            Tri::of_readings(&readings)
        })
        .max()
        .unwrap_or(Tri::No)
}

/// The result of an operator on a key that the request does not have.
fn missing(operator: Operator) -> Tri {
    match (operator.if_exists, operator.set, operator.negated) {
        (true, ..) | (false, Set::ForAllValues, _) | (false, Set::None, true) => Tri::Yes,
        (false, Set::ForAnyValue, true) => Tri::Maybe,
        (false, Set::ForAnyValue | Set::None, false) => Tri::No,
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
    match kind {
        Kind::String { like, ignore_case } => string(value, constant, like, ignore_case, variables, view),
        Kind::Arn => arn(value, constant, variables, view),
        Kind::Numeric(orders) => Ok(vec![ordered(number(value), number(constant), orders)]),
        Kind::Date(orders) => {
            let value = dates(value)[0];
            Ok(dates(constant).into_iter().map(|date| ordered(value, date, orders)).collect())
        }
        Kind::Bool => {
            let value = booleans(value)[0];
            Ok(booleans(constant).into_iter().map(|flag| Some(value? == flag?)).collect())
        }
        Kind::Binary => Ok(vec![base64(constant).map(|bytes| bytes == value.as_bytes())]),
        Kind::Ip => {
            let address: Option<IpAddr> = value.parse().ok();
            Ok(networks(constant).into_iter().map(|network| Some(network_holds(network?, address?))).collect())
        }
    }
}

fn ordered<T: Ord>(value: Option<T>, constant: Option<T>, orders: &[Ordering]) -> Option<bool> {
    Some(orders.contains(&value?.cmp(&constant?)))
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
            let pattern = substitute(&constant, inserted_wildcards, &lookup)?;
            readings.push(Some(pattern.is_some_and(|pattern| glob(&pattern, value))));
        }
        return Ok(readings);
    }
    let matches = literal(&constant, &lookup)?.is_some_and(|constant| {
        if ignore_case { constant.to_lowercase() == value.to_lowercase() } else { constant == value }
    });
    Ok(vec![Some(matches)])
}

/// "Each of the six colon-delimited components of the ARN is checked separately."
fn arn(value: &str, constant: &str, variables: bool, view: &View<'_>) -> Result<Vec<Option<bool>>, String> {
    let constant = parts(constant, variables);
    let value_parts: Vec<&str> = value.splitn(6, ':').collect();
    let value_is_arn = value_parts.len() == 6 && value_parts[0] == "arn";
    let mut readings = Vec::new();
    for inserted_wildcards in inserts(&constant).iter().copied() {
        let Some(pattern) = substitute(&constant, inserted_wildcards, &|key| view.variable(key))? else {
            readings.push(Some(false));
            continue;
        };
        let mut six: Vec<Vec<Piece>> =
            pattern.splitn(6, |piece| *piece == Piece::Text(':')).map(<[Piece]>::to_vec).collect();
        let by_part = |six: &[Vec<Piece>]| six.iter().zip(&value_parts).all(|(piece, part)| glob(piece, part));
        match (six.len() == 6, value_is_arn) {
            (true, true) => readings.push(Some(by_part(&six))),
            (true, false) => readings.push(None),
            // The pattern is not an ARN. It may be compared as text, be completed as in Resource, or match nothing.
            (false, true) => {
                let whole = glob(&pattern, value);
                six.resize(6, pieces("*"));
                readings.extend([Some(whole), Some(by_part(&six)), None]);
            }
            (false, false) => readings.extend([Some(glob(&pattern, value)), None]),
        }
    }
    Ok(readings)
}
