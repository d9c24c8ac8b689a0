"""What Amazon EventBridge does between an event and a target: which events a pattern matches, and the text made of one.

Of its pattern language, literals, `$or`, `exists`, `anything-but`, `prefix`, `suffix` and `wildcard`; of its input
transformer, templates of quoted lines. All else is an error and never a match. Sources:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re


class NotificationError(ValueError):
    """A pattern or a transformer that EventBridge refuses, or that is not known here."""


def matches(pattern, event):
    """Whether the pattern matches the event. Raises NotificationError for a pattern that is not known here."""
    # Every part is looked at, though one that does not match would settle it: an unknown operator must not go unseen.
    if not isinstance(pattern, dict) or not pattern:
        raise NotificationError("a pattern is an object with at least one field")
    return all(
        [_alternatives(node, event) if key == "$or" else _field(key, node, event) for key, node in pattern.items()]
    )


def _alternatives(patterns, event):
    if not isinstance(patterns, list) or len(patterns) < 2:
        raise NotificationError("`$or` is a list of at least two patterns")
    return any([matches(pattern, event) for pattern in patterns])


def _field(key, node, event):
    value = event.get(key)
    if isinstance(node, dict):
        return matches(node, value if isinstance(value, dict) else {})
    if not isinstance(node, list) or not node:
        raise NotificationError(f"field `{key}` of a pattern is neither an object nor a list that holds something")
    # An object, or an empty list, is no leaf; as leaves they are absent, whatever they hold.
    values = value if isinstance(value, list) else [] if key not in event or isinstance(value, dict) else [value]
    return any([_test(test)(values) for test in node])


def _test(test):
    """A predicate on the values of a field: none if it is absent, several if it is a list."""
    if isinstance(test, dict):
        operator, operand = _operator(test)
        if operator == "exists" and isinstance(operand, bool):
            return lambda values: bool(values) is operand
        if operator == "anything-but":
            excluded = [_value_test(one) for one in (operand if isinstance(operand, list) else [operand])]
            return lambda values: any(not any(test(value) for test in excluded) for value in values)
    value_test = _value_test(test)
    return lambda values: any(map(value_test, values))


def _value_test(test):
    if not isinstance(test, dict):
        return lambda value: _same(value, test)
    operator, operand = _operator(test)
    if operator not in ("prefix", "suffix", "wildcard") or not isinstance(operand, str) or not operand:
        raise NotificationError(f"operator `{operator}` with `{json.dumps(operand)}` is not known here")
    if operator == "wildcard":
        expression = re.compile(_wildcard(operand), re.DOTALL)
        return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None
    of_text = str.startswith if operator == "prefix" else str.endswith
    return lambda value: isinstance(value, str) and of_text(value, operand)


def _operator(test):
    if len(test) != 1:
        raise NotificationError(f"a test has one operator, and this one has: {', '.join(test) or 'none'}")
    ((operator, operand),) = test.items()
    return operator, operand


def _wildcard(text):
    tokens = re.findall(r"(?s)\\?.", text)
    if any(len(token) == 2 and token[1] not in "*\\" for token in tokens) or tokens[-1] == "\\":
        raise NotificationError(f"wildcard `{text}` escapes something else than a star or a backslash")
    if ["*", "*"] in (tokens[at : at + 2] for at in range(len(tokens))):
        raise NotificationError(f"wildcard `{text}` has two stars in a row")
    return "".join(".*" if token == "*" else re.escape(token[-1]) for token in tokens)


def _same(value, literal):
    """JSON's equality: `true` is not 1, and a number is no text."""
    return isinstance(value, bool) == isinstance(literal, bool) and value == literal


def transform(input_transformer, event):
    """The text that the target gets of the event: the template with its placeholders filled.

    The quotation marks around each line stay. Values are put in as they are, whatever they hold, and of a path that
    leads nowhere nothing appears, as the user guide says of both. Raises NotificationError for what is not known here."""
    paths, template = input_transformer.get("InputPathsMap", {}), input_transformer["InputTemplate"]
    if len(paths) > 100 or not 1 <= len(template) <= 8192:
        raise NotificationError("an input transformer has 100 paths and 8,192 characters at most")
    if not all(re.fullmatch(r'"[^"\\\n]*"', line) for line in template.split("\n")):
        raise NotificationError(
            "an input template that is not lines in quotation marks, without others inside, is not known here"
        )
    values = {name: _found(name, path, event) for name, path in paths.items()}
    if "<" in (rest := re.sub(r"<[A-Za-z0-9_.-]+>", "", template)) or ">" in rest:
        raise NotificationError("an input template can hold no angle brackets but those of placeholders")

    def filled(placeholder):
        if placeholder[1] not in values:
            raise NotificationError(f"placeholder `{placeholder[1]}` has no path")
        return values[placeholder[1]]

    return re.sub(r"<([A-Za-z0-9_.-]+)>", filled, template)


def _found(name, path, event):
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", name):
        raise NotificationError(f"`{name}` is no name of a path")
    if len(path) > 256 or not re.fullmatch(r"\$(\.[A-Za-z0-9_/-]+(\[[0-9]+\])*)+", path):
        raise NotificationError(f"path `{path}` is not known here")
    value = event
    for step in re.findall(r"[A-Za-z0-9_/-]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
