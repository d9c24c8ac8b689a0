"""One way to cut a list into pages for every list operation that moto leaves whole.

AWS may return fewer items than asked for and still have more, so a client that stops at a short page is wrong.
`shrink` makes every page short, which lets a small account prove that a client follows the tokens.
"""

import base64
from contextlib import suppress

from moto.core.exceptions import ServiceException


class Refusal(ServiceException):
    """An error of AWS's own, by its code and message. A class of our own: moto looks for the model of its own by module."""


_limit = None


def shrink(limit):
    """Caps every page at `limit` items; None lifts the cap."""
    global _limit
    _limit = limit


def page(items, token, size, error_code):
    """Returns one page of `items` and the token of the next, or None; a token not given out is refused."""
    start = 0
    if token:
        start = _offset(token)
        if not start or not 0 < start < len(items):
            raise Refusal(error_code, f"The token '{token}' is not valid.")
    end = start + min(size, _limit or size)
    return items[start:end], _token(end) if end < len(items) else None


def _token(offset):
    """Opaque, and with the characters that a client has to escape in a query string."""
    return base64.b64encode(b"\xfb\xff\xfe" + f"page.{offset:08}".encode()).decode()


def _offset(token):
    with suppress(ValueError):
        raw = base64.b64decode(token, validate=True)
        if raw.startswith(b"\xfb\xff\xfepage."):
            return int(raw[8:])
    return None
