"""Pagination for the list operations that moto answers in one piece.

AWS may return fewer items than requested and still have more. A client that stops at a short page is wrong.
`limit_page_size` makes every page short, so a small account is enough to test that a client follows the tokens.
"""

import base64
from contextlib import suppress

from moto.core.exceptions import ServiceException


class AwsError(ServiceException):
    """An AWS error with its code and message.

    moto finds the service model of an exception by the exception's module. This class is outside moto, so moto uses the
    model of the service that answers.
    """


_limit = None


def limit_page_size(limit):
    """Limits every page to `limit` items. None removes the limit."""
    global _limit
    _limit = limit


def page(items, token, size, error_code):
    """Returns one page of `items`, and the token of the next page or None.

    Raises AwsError with `error_code` for a token that this module did not issue.
    """
    start = 0
    if token:
        start = _offset(token)
        if not start or not 0 < start < len(items):
            raise AwsError(error_code, f"The token '{token}' is not valid.")
    end = start + min(size, _limit or size)
    return items[start:end], _token(end) if end < len(items) else None


def _token(offset):
    """An opaque token. It has characters that a client must escape in a query string."""
    return base64.b64encode(b"\xfb\xff\xfe" + f"page.{offset:08}".encode()).decode()


def _offset(token):
    with suppress(ValueError):
        raw = base64.b64decode(token, validate=True)
        if raw.startswith(b"\xfb\xff\xfepage."):
            return int(raw[8:])
    return None
