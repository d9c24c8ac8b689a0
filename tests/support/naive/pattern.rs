//! Patterns of policies: wildcards and policy variables.
//!
//! Sources: IAM User Guide, "IAM policy elements: Variables and tags" and "IAM JSON policy elements: Resource".

/// A piece of a pattern before variables are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text in which `*` and `?` may be wildcards.
    Plain(String),
    /// `${*}`, `${?}` or `${$}`: the character itself.
    Escaped(char),
    /// `${key}` or `${key, 'default'}`.
    Variable {
        /// The condition key.
        key: String,
        /// The default, if it has one.
        default: Option<String>,
        /// How it was written.
        written: String,
    },
}

/// One symbol of a pattern after variables are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// This character.
    Text(char),
    /// Any one character.
    One,
    /// Any characters, but no colon.
    Star,
    /// Any characters, colons too.
    WideStar,
}

/// Splits a text. Without `variables` (Version 2008-10-17, or none), `${…}` is plain text.
pub fn parts(text: &str, variables: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some((part, length)) = variables.then(|| variable(rest)).flatten() {
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain)));
            }
            parts.push(part);
            rest = &rest[length..];
        } else {
            plain.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Plain(plain));
    }
    parts
}

/// The variable at the start of a text, and its length in bytes. A `${` without its `}` is text.
fn variable(text: &str) -> Option<(Part, usize)> {
    let inside = text.strip_prefix("${")?;
    let mut quoted = false;
    let end = inside.char_indices().find_map(|(at, character)| {
        if character == '\'' {
            quoted = !quoted;
        }
        (character == '}' && !quoted).then_some(at)
    })?;
    let body = &inside[..end];
    let written = text[..end + 3].to_owned();
    let part = match body {
        "*" => Part::Escaped('*'),
        "?" => Part::Escaped('?'),
        "$" => Part::Escaped('$'),
        _ => match body.split_once(',') {
            Some((key, tail)) => {
                let tail = tail.trim();
                let default = tail.strip_prefix('\'').and_then(|tail| tail.strip_suffix('\''));
                match default {
                    Some(default) => {
                        Part::Variable { key: key.trim().to_owned(), default: Some(default.to_owned()), written }
                    }
                    None => Part::Variable { key: body.to_owned(), default: None, written },
                }
            }
            None => Part::Variable { key: body.trim().to_owned(), default: None, written },
        },
    };
    Some((part, end + 3))
}

/// The parts of an ARN before variables are replaced: at most six. A colon inside a variable does not split.
pub fn arn_fields(parts: &[Part]) -> Vec<Vec<Part>> {
    let mut fields = vec![Vec::new()];
    for part in parts {
        let Part::Plain(text) = part else {
            fields.last_mut().unwrap().push(part.clone());
            continue;
        };
        for (index, piece) in text.splitn(7 - fields.len(), ':').enumerate() {
            if index > 0 {
                fields.push(Vec::new());
            }
            if !piece.is_empty() {
                fields.last_mut().unwrap().push(Part::Plain(piece.to_owned()));
            }
        }
    }
    fields
}

/// Looks up the value of a variable; `None` for one without value.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

/// Replaces the variables. `None` if one has neither value nor default.
///
/// With `inserted_wildcards`, a `*` or `?` in an inserted value is a wildcard. AWS does not document which it is.
///
/// # Errors
/// The error of the lookup.
pub fn substitute(parts: &[Part], inserted_wildcards: bool, lookup: Lookup<'_>) -> Result<Option<Vec<Piece>>, String> {
    let mut pieces = Vec::new();
    for part in parts {
        match part {
            Part::Plain(text) => pieces.extend(text.chars().map(wildcard)),
            Part::Escaped(character) => pieces.push(Piece::Text(*character)),
            Part::Variable { key, default, .. } => match lookup(key)?.or_else(|| default.clone()) {
                Some(value) if inserted_wildcards => pieces.extend(value.chars().map(wildcard)),
                Some(value) => pieces.extend(value.chars().map(Piece::Text)),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(pieces))
}

/// Whether the pattern has variables. A wildcard in the value of one is read in two ways.
pub fn inserts(parts: &[Part]) -> &'static [bool] {
    if parts.iter().any(|part| matches!(part, Part::Variable { .. })) { &[false, true] } else { &[false] }
}

/// The text with the values of its variables. Wildcards are plain text.
///
/// # Errors
/// The error of the lookup.
pub fn literal(parts: &[Part], lookup: Lookup<'_>) -> Result<Option<String>, String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Plain(plain) => text.push_str(plain),
            Part::Escaped(character) => text.push(*character),
            Part::Variable { key, default, .. } => match lookup(key)?.or_else(|| default.clone()) {
                Some(value) => text.push_str(&value),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(text))
}

/// The pieces as written, with variables as plain text.
pub fn unsubstituted(parts: &[Part]) -> Vec<Piece> {
    parts
        .iter()
        .flat_map(|part| match part {
            Part::Plain(text) => text.chars().map(wildcard).collect::<Vec<_>>(),
            Part::Escaped(character) => ['$', '{', *character, '}'].map(Piece::Text).to_vec(),
            Part::Variable { written, .. } => written.chars().map(Piece::Text).collect(),
        })
        .collect()
}

/// A pattern without variables.
pub fn pieces(text: &str) -> Vec<Piece> {
    text.chars().map(wildcard).collect()
}

fn wildcard(character: char) -> Piece {
    match character {
        '*' => Piece::WideStar,
        '?' => Piece::One,
        other => Piece::Text(other),
    }
}

/// The pattern for texts of which each UTF-16 unit is one character (`value::units`).
pub fn in_units(pattern: &[Piece]) -> Vec<Piece> {
    let in_units = |piece: &Piece| match piece {
        Piece::Text(character) => super::value::units(&character.to_string()).chars().map(Piece::Text).collect(),
        other => vec![*other],
    };
    pattern.iter().flat_map(in_units).collect()
}

/// Whether a pattern matches a whole text. Goes through the pattern and keeps the prefixes of the text that it can match.
pub fn glob(pattern: &[Piece], text: &str) -> bool {
    // The symbols before the first `*` decide most cases.
    let mut characters = text.chars();
    let fixed = pattern.iter().take_while(|piece| matches!(piece, Piece::Text(_) | Piece::One)).count();
    let (before, pattern) = pattern.split_at(fixed);
    for piece in before {
        match characters.next() {
            Some(character) if *piece == Piece::One || *piece == Piece::Text(character) => {}
            _ => return false,
        }
    }
    let text: Vec<char> = characters.collect();
    if pattern.is_empty() || pattern == [Piece::WideStar] {
        return text.is_empty() || !pattern.is_empty();
    }
    let mut eaten = vec![false; text.len() + 1];
    eaten[0] = true;
    for piece in pattern {
        let mut next = vec![false; text.len() + 1];
        match piece {
            Piece::Text(_) | Piece::One => {
                for (at, character) in text.iter().enumerate() {
                    next[at + 1] = eaten[at] && (*piece == Piece::One || *piece == Piece::Text(*character));
                }
            }
            Piece::Star | Piece::WideStar => {
                let mut running = false;
                for at in 0..=text.len() {
                    running |= eaten[at];
                    next[at] = running;
                    if *piece == Piece::Star && text.get(at) == Some(&':') {
                        running = false;
                    }
                }
            }
        }
        eaten = next;
    }
    eaten[text.len()]
}
