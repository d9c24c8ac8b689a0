"""Checks a request against the constraints in the SDK's service model, as AWS does before it handles a request.

botocore checks only lower bounds, and moto checks almost nothing. The limits come from the model, so they cannot
differ from what AWS publishes. Some services publish limits only in the documentation text of the model;
`documented_violations` reads those.
"""

import re
from functools import cache


def violations(shape, value, path=""):
    """Yields one sentence for each constraint of `shape` (required, min, max, enum, pattern) that `value` violates."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from violations(member, value[name], _join(path, name))
        return
    if shape.type_name == "list":
        yield from _bounds(shape, value, len(value), "length", path)
        for position, item in enumerate(value, 1):
            yield from violations(shape.member, item, f"{path}.{position}.member")
    elif shape.type_name == "map":
        yield from _bounds(shape, value, len(value), "length", path)
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path}.key")
            yield from violations(shape.value, item, f"{path}.{key}.value")
    elif shape.type_name == "string":
        yield from _bounds(shape, value, len(value), "length", path)
        if shape.enum and value not in shape.enum:
            allowed = ", ".join(shape.enum)
            yield _sentence(value, path, f"Member must satisfy enum value set: [{allowed}]")
        pattern = _compiled(shape.metadata.get("pattern"))
        if pattern and not pattern.fullmatch(value):
            yield _sentence(value, path, f"Member must satisfy regular expression pattern: {pattern.pattern}")
    elif shape.type_name in ("integer", "long"):
        yield from _bounds(shape, value, value, "value", path)


# The limits in documentation text: pattern, type of shape, what is measured, and the noun for the message.
DOCUMENTED_LIMITS = (
    (re.compile(r"Maximum (?:length )?of (\d+)|Length Constraints: (\d+)\."), "string", len, "characters"),
    (re.compile(r"Maximum number of (\d+) items?"), "list", len, "items"),
    (re.compile(r"up to (\d+) key-value pairs"), "map", len, "pairs"),
    (
        re.compile(r"key can contain up to (\d+) characters"),
        "map",
        lambda value: max(map(len, value), default=0),
        "characters in a key",
    ),
    (
        re.compile(r"value can contain up to (\d+) characters"),
        "map",
        lambda value: max(map(len, value.values()), default=0),
        "characters in a value",
    ),
)


def documented_violations(shape, value, path=""):
    """Yields one sentence for each limit in the documentation of `shape` and its members that `value` exceeds."""
    for pattern, kind, measure, noun in DOCUMENTED_LIMITS:
        stated = pattern.search(shape.documentation) if shape.type_name == kind else None
        if stated and measure(value) > (most := int(next(filter(None, stated.groups())))):
            yield f"{path} should NOT have more than {most} {noun}"
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from documented_violations(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for position, item in enumerate(value):
            yield from documented_violations(shape.member, item, f"{path}[{position}]")


def message(found):
    """The sentence that AWS reports violations with."""
    plural = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {plural} detected: {'; '.join(found)}"


def _bounds(shape, value, size, noun, path):
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _sentence(value, path, f"Member must have {noun} greater than or equal to {least}")
    if most is not None and size > most:
        yield _sentence(value, path, f"Member must have {noun} less than or equal to {most}")


def _sentence(value, path, constraint):
    shown = str(value)
    shown = shown if len(shown) <= 300 else shown[:300] + "…"
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"


def _join(path, name):
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


@cache
def _compiled(pattern):
    """Models hold Java patterns. The few that Python cannot compile are not checked."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None
