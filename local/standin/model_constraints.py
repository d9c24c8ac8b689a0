"""Checks a request against the SDK model's own constraints, as AWS does at its door.

botocore itself only checks lower bounds before it sends, and moto checks almost nothing. Reading the limits from
the model instead of writing them down means that they cannot drift from what AWS publishes. Some services publish
limits in their model's prose alone: `in_prose` reads those.
"""

import re
from functools import cache


def violations(shape, value, path=""):
    """Yields one sentence per constraint of `shape` (required, min, max, enum, pattern) that `value` breaks."""
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


# How the models' documentation words limits, and of what each number is the most.
PROSE = (
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


def in_prose(shape, value, path=""):
    """Yields one sentence per limit that the documentation of `shape` or of its members states and `value` exceeds."""
    for wording, kind, measure, what in PROSE:
        stated = wording.search(shape.documentation) if shape.type_name == kind else None
        if stated and measure(value) > (most := int(next(filter(None, stated.groups())))):
            yield f"{path} should NOT have more than {most} {what}"
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from in_prose(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for position, item in enumerate(value):
            yield from in_prose(shape.member, item, f"{path}[{position}]")


def message(found):
    """The sentence in which AWS reports violations."""
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
    """Models hold Java patterns; the few that Python cannot read are not checked."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error:
        return None
