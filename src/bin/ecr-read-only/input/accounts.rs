//! Which pages belong together: those of one account. A page of AWS managed policies alone shows no account.

use std::collections::BTreeSet;

use super::pages::{Page, account_of};

/// Pages of a run of the command are missing. The last page of a run says that no more follow.
#[derive(Debug, thiserror::Error)]
#[error(
    "pages {}are missing: a page says that more follow (`IsTruncated`, `Marker` or `NextToken`), but the last page is not in \
     the file; save the output again without `--max-items` and `--no-paginate`, or add the other pages",
    account.as_ref().map(|account| format!("of account {account} ")).unwrap_or_default()
)]
pub(crate) struct PagesMissing {
    account: Option<String>,
}

/// The pages of one account; of several accounts if one page shows more than one.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// The ids of the accounts.
    pub(crate) accounts: Vec<String>,
    /// The places of the pages, ascending.
    pub(crate) pages: Vec<usize>,
    /// Why its roles get no verdict.
    pub(crate) error: Option<PagesMissing>,
}

/// Groups the pages, which may be in any order, by account, in the order of the file. Pages that show no account and could
/// belong to several are in no group.
///
/// # Errors
/// [`PagesMissing`] if no account has all of its pages.
pub(crate) fn grouped(pages: &[Page<'_>]) -> Result<Vec<Group>, PagesMissing> {
    let more_follow: Vec<bool> = pages.iter().map(|page| page.more_follow).collect();
    let accounts: Vec<BTreeSet<&str>> = pages.iter().map(accounts_of).collect();
    let mut ids: Vec<&str> = Vec::new();
    for id in accounts.iter().flatten() {
        if !ids.contains(id) {
            ids.push(id);
        }
    }
    if ids.len() < 2 || accounts.iter().any(|accounts| accounts.len() > 1) {
        if !is_complete(&more_follow) {
            return Err(PagesMissing { account: None });
        }
        let accounts = ids.into_iter().map(str::to_owned).collect();
        let group = Group { accounts, pages: (0..pages.len()).collect(), error: None };
        return Ok(vec![group]);
    }
    let shown: Vec<Option<&str>> = accounts.iter().map(|accounts| accounts.first().copied()).collect();
    let mut groups: Vec<Group> =
        ids.iter().map(|id| Group { accounts: vec![(*id).to_owned()], ..Group::default() }).collect();
    let mut unassigned = Vec::new();
    for (page, account) in assigned(&shown, &more_follow).into_iter().enumerate() {
        let group = ids.iter().position(|id| Some(*id) == account).and_then(|place| groups.get_mut(place));
        group.map_or(&mut unassigned, |group| &mut group.pages).push(page);
    }
    let flags =
        |pages: &[usize]| -> Vec<bool> { pages.iter().filter_map(|page| more_follow.get(*page)).copied().collect() };
    // An account without a last page has it among the unassigned pages, if there are enough of them.
    let without_last = groups.iter().filter(|group| !flags(&group.pages).contains(&false)).count();
    let unassigned_flags = flags(&unassigned);
    let unassigned_lasts = unassigned_flags.iter().filter(|more| !**more).count();
    let needed = without_last.max(usize::from(unassigned_flags.contains(&true)));
    for group in &mut groups {
        let flags = flags(&group.pages);
        let has_last = if flags.contains(&false) { is_complete(&flags) } else { unassigned_lasts >= needed };
        group.error = (!has_last).then(|| PagesMissing { account: group.accounts.first().cloned() });
    }
    let run_without_account = unassigned_lasts < needed && without_last == 0;
    if run_without_account || groups.iter().all(|group| group.error.is_some()) {
        return Err(PagesMissing { account: None });
    }
    Ok(groups)
}

/// Whether the pages can be complete runs of the command: the last one of the file ends a run, or there is one run in
/// another order.
fn is_complete(more_follow: &[bool]) -> bool {
    let lasts = more_follow.iter().filter(|more| !**more).count();
    lasts == 1 || more_follow.last() == Some(&false)
}

fn accounts_of<'p>(page: &'p Page<'_>) -> BTreeSet<&'p str> {
    let roles = page.roles.iter().flatten();
    let entries = roles.chain(&page.policies).map(|entry| &entry.arn);
    entries.chain(&page.others).filter_map(|arn| account_of(arn)).collect()
}

/// The account of each page. A page that shows none belongs to the account beside it if the file has one run of the command
/// after the other, each from its first page to its last one, or all of them reversed. Otherwise it stays `None`.
fn assigned<'a>(accounts: &[Option<&'a str>], more_follow: &[bool]) -> Vec<Option<&'a str>> {
    let pages: Vec<(Option<&str>, bool)> = accounts.iter().copied().zip(more_follow.iter().copied()).collect();
    let reversed: Vec<_> = pages.iter().rev().copied().collect();
    in_runs(&pages)
        .or_else(|| in_runs(&reversed).map(|accounts| accounts.into_iter().rev().collect()))
        .unwrap_or_else(|| accounts.to_vec())
}

/// The account of each page if each run of the command is of one account and ends with the only page that no others follow.
fn in_runs<'a>(pages: &[(Option<&'a str>, bool)]) -> Option<Vec<Option<&'a str>>> {
    let mut assigned = Vec::new();
    for run in pages.split_inclusive(|(_, more_follow)| !more_follow) {
        let account = run.first()?.0?;
        let is_of_other = run.iter().any(|(other, _)| other.is_some_and(|other| other != account));
        if is_of_other || run.last()?.1 {
            return None;
        }
        assigned.extend(run.iter().map(|_| Some(account)));
    }
    Some(assigned)
}
