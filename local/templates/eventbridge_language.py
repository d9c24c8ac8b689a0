"""The two languages of Amazon EventBridge: event patterns (`matches`) and input transformers (`transform`).

Patterns support literals, `$or`, `exists`, `anything-but`, `prefix`, `suffix` and `wildcard`. Transformers support
templates of quoted lines. Everything else raises an error and never matches. Sources:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html and
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re


class EventBridgeError(ValueError):
    """EventBridge refuses the pattern or transformer, or this module does not support it."""


def matches(pattern, event):
    """Whether the pattern matches the event. Raises EventBridgeError for an invalid or unsupported pattern."""
    # Every part is evaluated, even after one that does not match, so that an unknown operator is always an error.
    if not isinstance(pattern, dict) or not pattern:
        raise EventBridgeError("a pattern is an object with at least one field")
    return all(
        [_alternatives(node, event) if key == "$or" else _field(key, node, event) for key, node in pattern.items()]
    )


def _alternatives(patterns, event):
    if not isinstance(patterns, list) or len(patterns) < 2:
        raise EventBridgeError("`$or` is a list of at least two patterns")
    return any([matches(pattern, event) for pattern in patterns])


def _field(key, node, event):
    value = event.get(key)
    if isinstance(node, dict):
        return matches(node, value if isinstance(value, dict) else {})
    if not isinstance(node, list) or not node:
        raise EventBridgeError(f"field `{key}` of a pattern must be an object or a list with at least one element")
    # An object or an empty list is no leaf, so its leaf value is absent.
    values = value if isinstance(value, list) else [] if key not in event or isinstance(value, dict) else [value]
    return any([_test(test)(values) for test in node])


def _test(test):
    """A predicate on the values of a field. An absent field has no values; a list has several."""
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
        raise EventBridgeError(f"operator `{operator}` with `{json.dumps(operand)}` is not supported")
    if operator == "wildcard":
        expression = re.compile(_wildcard(operand), re.DOTALL)
        return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None
    of_text = str.startswith if operator == "prefix" else str.endswith
    return lambda value: isinstance(value, str) and of_text(value, operand)


def _operator(test):
    if len(test) != 1:
        raise EventBridgeError(f"a test must have one operator, but has: {', '.join(test) or 'none'}")
    ((operator, operand),) = test.items()
    return operator, operand


def _wildcard(text):
    tokens = re.findall(r"(?s)\\?.", text)
    if any(len(token) == 2 and token[1] not in "*\\" for token in tokens) or tokens[-1] == "\\":
        raise EventBridgeError(f"wildcard `{text}` may escape only a star or a backslash")
    if ["*", "*"] in (tokens[at : at + 2] for at in range(len(tokens))):
        raise EventBridgeError(f"wildcard `{text}` has two stars in a row")
    return "".join(".*" if token == "*" else re.escape(token[-1]) for token in tokens)


def _same(value, literal):
    """Equality in JSON: `true` is not 1, and a number is not a string."""
    return isinstance(value, bool) == isinstance(literal, bool) and value == literal


def transform(input_transformer, event):
    """The text that the target receives: the template with its placeholders replaced.

    The quotation marks around each line stay. Values are inserted without escaping, and a path without a value becomes
    empty (user guide). Raises EventBridgeError for an invalid or unsupported transformer.
    """
    paths, template = input_transformer.get("InputPathsMap", {}), input_transformer["InputTemplate"]
    if len(paths) > 100 or not 1 <= len(template) <= 8192:
        raise EventBridgeError("an input transformer has at most 100 paths and 8,192 characters")
    if not all(re.fullmatch(r'"[^"\\\n]*"', line) for line in template.split("\n")):
        raise EventBridgeError("only input templates of quoted lines, without quotation marks inside, are supported")
    values = {name: _value_at(name, path, event) for name, path in paths.items()}
    if "<" in (rest := re.sub(r"<[A-Za-z0-9_.-]+>", "", template)) or ">" in rest:
        raise EventBridgeError("an input template may have angle brackets only around placeholders")

    def replacement(placeholder):
        if placeholder[1] not in values:
            raise EventBridgeError(f"placeholder `{placeholder[1]}` has no path")
        return values[placeholder[1]]

    return re.sub(r"<([A-Za-z0-9_.-]+)>", replacement, template)


def _value_at(name, path, event):
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", name):
        raise EventBridgeError(f"`{name}` is not a valid name for a path")
    if len(path) > 256 or not re.fullmatch(r"\$(\.[A-Za-z0-9_/-]+(\[[0-9]+\])*)+", path):
        raise EventBridgeError(f"path `{path}` is not supported")
    value = event
    for step in re.findall(r"[A-Za-z0-9_/-]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
