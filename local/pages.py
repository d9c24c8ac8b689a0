"""One way to cut a list into pages for every list operation that moto leaves whole.

AWS may return fewer items than asked for and still have more, so a client that stops at a short page is wrong.
`shrink` makes every page short, which lets a small account prove that a client follows the tokens.
"""

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
        prefix, _, offset = token.partition(".")
        if prefix != "page" or not offset.isdigit() or not 0 < int(offset) < len(items):
            raise Refusal(error_code, f"The token '{token}' is not valid.")
        start = int(offset)
    end = start + min(size, _limit or size)
    return items[start:end], f"page.{end}" if end < len(items) else None
