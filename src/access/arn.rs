//! The shapes of ARN patterns: fields that are missing, wildcards where there may be none.
//!
//! Knows how a pattern with fewer than six fields is read. Knows nothing of the request that it is held against.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Resource".

use crate::policy::pattern::Reading;

/// A pattern of six fields.
pub(super) type SixFields<'t> = Vec<&'t str>;

/// Wildcards in the resource type are documented as not allowed, `*` for the whole resource aside: doubt. So are
/// variables there.
pub(super) fn has_doubtful_type(resource: &str) -> bool {
    let everything = resource.bytes().all(|c| c == b'*');
    !everything && resource.split('/').next().is_some_and(|kind| kind.contains(['*', '?']) || kind.contains("${"))
}

/// A pattern as patterns of six fields: alternatives, each of one or more patterns that all have to match.
///
/// A pattern of more fields matches nothing. One of fewer is completed with `*`; but a `*` that ends a field may
/// also run over colons, and which of the two IAM does is not documented: the wide reading takes either, the
/// narrow one both.
pub(super) fn six_fields(fields: Vec<&str>, reading: Reading) -> Vec<Vec<SixFields<'_>>> {
    let star = || "*";
    let missing = match 6_usize.checked_sub(fields.len()) {
        None => return Vec::new(),
        Some(0) => return vec![vec![fields]],
        Some(missing) => missing,
    };
    let mut run_on: Vec<SixFields<'_>> = vec![Vec::new()];
    for field in &fields {
        let may_run = field.ends_with('*');
        let mut longer = Vec::new();
        for start in run_on {
            for extra in 0..=(if may_run { missing } else { 0 }) {
                let mut next = start.clone();
                next.push(*field);
                next.extend(std::iter::repeat_with(star).take(extra));
                longer.push(next);
            }
        }
        run_on = longer;
    }
    run_on.retain(|fields| fields.len() == 6);
    let mut completed = fields;
    completed.extend(std::iter::repeat_with(star).take(missing));
    match reading {
        _ if run_on.is_empty() || (reading == Reading::Narrow && run_on.contains(&completed)) => vec![vec![completed]],
        Reading::Narrow => run_on.into_iter().map(|fields| vec![completed.clone(), fields]).collect(),
        Reading::Wide => {
            let mut all = vec![completed];
            all.extend(run_on);
            all.dedup();
            all.into_iter().map(|fields| vec![fields]).collect()
        }
    }
}
