//! Requests the pages of a list, and makes sure that they lead to its end.
//!
//! The SDK's paginators end a list silently at a page that leads back to itself. The rest of the list would be lost, so
//! here it is an error.

use std::error::Error;

use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};

use super::call::Call;
use super::pace::Pace;
use crate::rule::ports::{Page, PortError};

/// All items of a list.
///
/// `request` sends the request for one page, with the token of that page. `read` takes the items and the token of the
/// next page from a response. `token` is the service's name of the token, for errors.
///
/// # Errors
/// A failed call, an error of `read`, or a page that leads back to itself.
pub(super) async fn list<T, R, E, F>(
    call: &Call,
    pace: &Pace,
    token: &str,
    request: impl Fn(Option<String>) -> F,
    read: impl Fn(R) -> Result<Page<T>, PortError>,
) -> Result<Vec<T>, PortError>
where
    F: Future<Output = Result<R, SdkError<E>>>,
    E: ProvideErrorMetadata + Error + 'static,
{
    Ok(list_if_exists(call, pace, token, |_| false, request, read).await?.unwrap_or_default())
}

/// All items of a list, or `None` if `gone` recognizes an error: the resource that the list belongs to does not exist.
///
/// # Errors
/// See [`list`].
pub(super) async fn list_if_exists<T, R, E, F>(
    call: &Call,
    pace: &Pace,
    token: &str,
    gone: impl Fn(&SdkError<E>) -> bool,
    request: impl Fn(Option<String>) -> F,
    read: impl Fn(R) -> Result<Page<T>, PortError>,
) -> Result<Option<Vec<T>>, PortError>
where
    F: Future<Output = Result<R, SdkError<E>>>,
    E: ProvideErrorMetadata + Error + 'static,
{
    let (mut items, mut current) = (Vec::new(), None);
    loop {
        let Some(response) = call.if_exists(call.send(pace, || request(current.clone())).await, &gone)? else {
            return Ok(None);
        };
        let page = read(response)?;
        items.extend(page.items);
        current = next(call, token, current.as_deref(), page.next)?;
        if current.is_none() {
            return Ok(Some(items));
        }
    }
}

/// The token of the next page, `None` on the last page. `current` is the token of this page.
///
/// # Errors
/// The page leads back to itself.
pub(super) fn next(
    call: &Call,
    token: &str,
    current: Option<&str>,
    next: Option<String>,
) -> Result<Option<String>, PortError> {
    let next = next.filter(|next| !next.is_empty());
    if next.is_some() && next.as_deref() == current {
        return Err(call.error(format!("the response's `{token}` leads back to the same page")));
    }
    Ok(next)
}
