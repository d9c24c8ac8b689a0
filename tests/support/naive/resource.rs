//! Whether an entry of Action or Resource matches the request.
//!
//! Sources: IAM User Guide, "IAM JSON policy elements: Action", "… Resource", "IAM identifiers" (incomplete ARNs),
//! "IAM policy elements: Variables and tags".

use super::context::View;
use super::pattern::{self, Part, Piece, glob, inserts, parts, pieces, substitute};
use super::{Outcome, Tri};

/// Whether an entry of `Action` matches an action. Letter case does not matter.
pub fn action(entry: &str, requested: &str) -> Tri {
    let entry = entry.to_lowercase();
    let requested = requested.to_lowercase();
    if entry == "*" {
        return Tri::Yes;
    }
    // The grammar has no spaces or commas. Either the entry is one action, which then matches nothing, or a list.
    if entry.contains(|character: char| character == ',' || character.is_whitespace()) {
        let meant = entry.split(',').any(|piece| {
            let piece: String = piece.chars().filter(|character| !character.is_whitespace()).collect();
            !piece.is_empty() && action(&piece, &requested) > Tri::No
        });
        return Tri::of_readings(&[meant, false]);
    }
    let covers = glob(&pieces(&entry), &requested);
    match entry.split_once(':') {
        Some((service, _)) if !service.contains(['*', '?']) => Tri::from(covers),
        // The grammar permits neither a wildcard in the service prefix nor a missing prefix.
        _ => Tri::of_readings(&[covers, false]),
    }
}

/// Whether an entry of `Resource` matches the resource of the request.
///
/// # Errors
/// A variable in the entry needs a key that every request has and this request does not list.
pub fn resource(entry: &str, variables: bool, view: &View<'_>) -> Outcome {
    if entry == "*" {
        return Ok(Tri::Yes);
    }
    let parts = parts(entry, variables);
    let twice = inserts(&parts);
    let fields = fields(parts);
    view.in_both_readings([entry].into_iter().filter(|_| variables), |view| {
        let mut readings = Vec::new();
        for inserted_wildcards in twice.iter().copied() {
            let reading = Reading { inserted_wildcards, view };
            match fields.len() {
                6 => readings.extend(reading.six_fields(&fields, view.resource())?),
                0..6 => {
                    readings.extend(reading.completed(&fields, view.resource())?);
                    readings.extend(reading.run_on(&fields, view.resource())?);
                }
                // The ARN of the request has six fields, so a pattern with more never matches it.
                _ => readings.push(false),
            }
        }
        Ok(Tri::of_readings(&readings))
    })
}

/// Whether an entry has a variable with neither value nor default, in a field that may have variables.
///
/// # Errors
/// The same as [`resource`].
pub fn unresolved(entry: &str, variables: bool, view: &View<'_>) -> Outcome {
    let fields = fields(parts(entry, variables));
    view.in_both_readings([entry].into_iter().filter(|_| variables), |view| {
        for (index, field) in fields.iter().enumerate() {
            if index != ACCOUNT && index + 1 != fields.len() {
                continue;
            }
            for part in field {
                if let Part::Variable { key, default: None, .. } = part
                    && view.variable(key)?.is_none()
                {
                    return Ok(Tri::Yes);
                }
            }
        }
        Ok(Tri::No)
    })
}

/// The fields of an entry, split at colons. A colon inside a variable does not split.
fn fields(parts: Vec<Part>) -> Vec<Vec<Part>> {
    let mut fields = vec![Vec::new()];
    for part in parts {
        let Part::Plain(text) = part else {
            fields.last_mut().unwrap().push(part);
            continue;
        };
        for (index, piece) in text.split(':').enumerate() {
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

struct Reading<'a> {
    inserted_wildcards: bool,
    view: &'a View<'a>,
}

const ACCOUNT: usize = 4;
const LAST: usize = 5;

impl Reading<'_> {
    fn substituted(&self, field: &[Part]) -> Result<Option<Vec<Piece>>, String> {
        substitute(field, self.inserted_wildcards, &|key| self.view.variable(key))
    }

    /// Compares field by field. Two answers if the readings differ.
    fn six_fields(&self, fields: &[Vec<Part>], requested: &str) -> Result<Vec<bool>, String> {
        let requested: Vec<&str> = requested.split(':').collect();
        if requested.len() != 6 {
            return Ok(vec![false]);
        }
        let mut doubt = false;
        for (index, (field, text)) in fields.iter().zip(&requested).enumerate() {
            let plain = !field.iter().any(|part| matches!(part, Part::Variable { .. } | Part::Escaped(_)));
            // Variables are documented for the last field. AWS's own policies have one in the account field: two readings.
            let pattern = match index {
                LAST => self.substituted(field)?,
                ACCOUNT if !plain => {
                    doubt = true;
                    self.substituted(field)?
                }
                _ => Some(pattern::unsubstituted(field)),
            };
            let Some(pattern) = pattern else { return Ok(vec![false]) };
            if !glob(&pattern, text) {
                return Ok(vec![false]);
            }
            // The documentation does not permit a wildcard in the resource type.
            if index == LAST && wildcard_in_type(&pattern) {
                doubt = true;
            }
        }
        Ok(if doubt { vec![true, false] } else { vec![true] })
    }

    /// "AWS automatically completes the ARN by adding wildcard characters to all missing fields."
    fn completed(&self, fields: &[Vec<Part>], requested: &str) -> Result<Vec<bool>, String> {
        let mut completed = fields.to_vec();
        completed.resize(6, vec![Part::Plain("*".to_owned())]);
        self.six_fields(&completed, requested)
    }

    /// "If the `*` wildcard is the last character of a resource ARN segment, it can expand to match beyond the colon
    /// boundaries." A pattern without a `*` at the end of a field has no such reading.
    fn run_on(&self, fields: &[Vec<Part>], requested: &str) -> Result<Option<bool>, String> {
        let mut whole = Vec::new();
        let mut runs_on = false;
        for (index, field) in fields.iter().enumerate() {
            let last = index + 1 == fields.len();
            let pattern = if last { self.substituted(field)? } else { Some(pattern::unsubstituted(field)) };
            let Some(mut pattern) = pattern else { return Ok(Some(false)) };
            let ends_in_star = pattern.last() == Some(&Piece::WideStar);
            runs_on |= ends_in_star;
            let narrow = pattern.len() - usize::from(ends_in_star);
            for piece in &mut pattern[..narrow] {
                if *piece == Piece::WideStar {
                    *piece = Piece::Star;
                }
            }
            if index > 0 {
                whole.push(Piece::Text(':'));
            }
            whole.extend(pattern);
        }
        Ok(runs_on.then(|| glob(&whole, requested)))
    }
}

/// `repo*/app`, `*/app`, `repo*`; but not `*`, which is how AWS itself completes an ARN.
fn wildcard_in_type(pattern: &[Piece]) -> bool {
    let kind: Vec<Piece> = pattern.iter().copied().take_while(|piece| *piece != Piece::Text('/')).collect();
    let everything = kind.len() == pattern.len() && kind.iter().all(|piece| *piece == Piece::WideStar);
    !everything && kind.iter().any(|piece| !matches!(piece, Piece::Text(_)))
}
