"""`local/templates/eventbridge_language.py` matches and transforms as EventBridge documents, and refuses the rest.

moto's own matcher, which shares no code with it, must agree about the patterns.
"""

import pytest
from moto.events.models import EventPattern

from local.templates.eventbridge_language import EventBridgeError, matches, transform

EVENT = {
    "source": "aws.config",
    "time": "2026-11-20T09:30:14Z",
    "resources": ["one", "two"],
    "none": None,
    "detail": {"state": "running", "count": 1, "flag": True, "empty": [], "path": "a*b\\c", "nested": {"leaf": "x"}},
}

PATTERNS = [
    ("a literal", {"source": ["aws.ec2", "aws.config"]}, True),
    ("another literal", {"source": ["aws.ec2"]}, False),
    ("letter case matters", {"source": ["AWS.config"]}, False),
    ("every field must match", {"source": ["aws.config"], "time": ["never"]}, False),
    ("a nested literal", {"detail": {"state": ["running"]}}, True),
    ("a number", {"detail": {"count": [1]}}, True),
    ("a number does not match text", {"detail": {"count": ["1"]}}, False),
    ("null", {"none": [None]}, True),
    ("one of an array", {"resources": ["two"]}, True),
    ("none of an array", {"resources": ["three"]}, False),
    ("a missing field", {"detail": {"colour": ["red"]}}, False),
    ("a field of a missing object", {"other": {"colour": ["red"]}}, False),
    ("exists", {"detail": {"state": [{"exists": True}]}}, True),
    ("exists, for a missing field", {"detail": {"colour": [{"exists": True}]}}, False),
    ("does not exist, for a missing field", {"detail": {"colour": [{"exists": False}]}}, True),
    ("does not exist, for a present field", {"detail": {"state": [{"exists": False}]}}, False),
    ("does not exist, for a field of a missing object", {"other": {"colour": [{"exists": False}]}}, True),
    ("an object is not a leaf", {"detail": {"nested": [{"exists": False}]}}, True),
    ("anything-but another value", {"detail": {"state": [{"anything-but": "stopped"}]}}, True),
    ("anything-but this value", {"detail": {"state": [{"anything-but": ["stopped", "running"]}]}}, False),
    ("anything-but needs a value", {"detail": {"colour": [{"anything-but": "red"}]}}, False),
    ("anything-but a prefix", {"detail": {"state": [{"anything-but": {"prefix": "run"}}]}}, False),
    ("anything-but a suffix", {"detail": {"state": [{"anything-but": {"suffix": "ped"}}]}}, True),
    ("anything-but a wildcard", {"detail": {"state": [{"anything-but": {"wildcard": "r*g"}}]}}, False),
    ("prefix", {"source": [{"prefix": "aws."}]}, True),
    ("another prefix", {"source": [{"prefix": "config"}]}, False),
    ("suffix", {"source": [{"suffix": ".config"}]}, True),
    ("wildcard", {"source": [{"wildcard": "a*.c*g"}]}, True),
    ("a wildcard covers the whole value", {"source": [{"wildcard": "*aws"}]}, False),
    ("a wildcard for an array", {"resources": [{"wildcard": "t*"}]}, True),
    ("a star and a backslash are escaped by a backslash", {"detail": {"path": [{"wildcard": "a\\*b\\\\*"}]}}, True),
    ("an escaped star is not a wildcard", {"detail": {"state": [{"wildcard": "r\\*"}]}}, False),
    ("either of two, one holds", {"$or": [{"source": ["aws.ec2"]}, {"detail": {"state": ["running"]}}]}, True),
    ("either of two, none holds", {"$or": [{"source": ["aws.ec2"]}, {"detail": {"state": ["stopped"]}}]}, False),
    (
        "the other fields must match beside $or",
        {"source": ["aws.ec2"], "$or": [{"none": [None]}, {"time": ["never"]}]},
        False,
    ),
    ("$or inside of an object", {"detail": {"$or": [{"state": ["stopped"]}, {"count": [1]}]}}, True),
]

# Where moto departs from the documentation.
PATTERNS_OF_OURS = [
    ("true is not 1", {"detail": {"count": [True]}}, False),
    ("1 is not true", {"detail": {"flag": [1]}}, False),
    ("an empty array is absent", {"detail": {"empty": [{"exists": False}]}}, True),
]

REFUSED = [
    ("an unknown operator", {"source": [{"numeric": ["=", 1]}]}),
    ("the same behind one that does not match", {"source": ["aws.ec2"], "detail": {"count": [{"numeric": ["=", 1]}]}}),
    (
        "the same in an alternative that is not needed",
        {"$or": [{"source": ["aws.config"]}, {"time": [{"cidr": "10.0.0.0/8"}]}]},
    ),
    ("the same on a missing field", {"other": {"colour": [{"equals-ignore-case": "RED"}]}}),
    ("the same in anything-but", {"source": [{"anything-but": {"equals-ignore-case": "x"}}]}),
    ("a list of prefixes", {"source": [{"prefix": ["a", "b"]}]}),
    ("exists with text", {"source": [{"exists": "true"}]}),
    ("two operators in one test", {"source": [{"prefix": "a", "suffix": "b"}]}),
    ("a test without an operator", {"source": [{}]}),
    ("a literal outside of a list", {"source": "aws.config"}),
    ("an empty list", {"source": []}),
    ("an empty pattern", {}),
    ("an empty object", {"detail": {}}),
    ("$or of one", {"$or": [{"source": ["aws.config"]}]}),
    ("two stars in a row", {"source": [{"wildcard": "a**"}]}),
    ("another escape", {"source": [{"wildcard": "a\\b"}]}),
    ("a backslash at the end", {"source": [{"wildcard": "a\\"}]}),
]


def each(cases):
    return pytest.mark.parametrize("case", [case[1:] for case in cases], ids=[case[0] for case in cases])


@each(PATTERNS + PATTERNS_OF_OURS)
def test_pattern_matches_as_documented(case):
    pattern, expected = case
    assert matches(pattern, EVENT) is expected


@each(PATTERNS)
def test_pattern_matches_as_in_moto(case):
    pattern, expected = case
    assert EventPattern(None, pattern).matches_event(EVENT) is expected


@each(REFUSED)
def test_invalid_pattern_is_refused(case):
    with pytest.raises(EventBridgeError):
        matches(case[0], EVENT)


TEXTS = [
    ("text without placeholders", {}, '"plain"', '"plain"'),
    ("the quotation marks stay", {"s": "$.detail.state"}, '"it is <s>"', '"it is running"'),
    ("one quoted line for each line", {"s": "$.detail.state"}, '"one <s>"\n"two <s>"', '"one running"\n"two running"'),
    ("names with a dash and items by number", {"re-s": "$.resources[1]"}, '"<re-s>"', '"two"'),
    (
        "a number, true and null",
        {"c": "$.detail.count", "f": "$.detail.flag", "n": "$.none"},
        '"<c> <f> <n>"',
        '"1 true null"',
    ),
    ("an object", {"o": "$.detail.nested"}, '"<o>"', '"{"leaf":"x"}"'),
    ("a path to a missing field", {"x": "$.detail.colour"}, '"[<x>]"', '"[]"'),
    ("a path beyond a text", {"x": "$.source.more"}, '"[<x>]"', '"[]"'),
    ("a missing item of a list", {"x": "$.resources[2]"}, '"[<x>]"', '"[]"'),
    ("values are not escaped", {"p": "$.detail.path"}, '"<p>"', '"a*b\\c"'),
    ("a value that looks like a placeholder is not replaced", {"t": "$.trap", "s": "$.source"}, '"<t>"', '"<s>"'),
]

REFUSED_TEXTS = [
    ("a placeholder without a path", {}, '"<x>"'),
    ("a variable of EventBridge", {}, '"<aws.events.rule-name>"'),
    ("a line without quotation marks", {}, "plain"),
    ("a quotation mark inside", {}, '"a "b""'),
    ("an escape", {}, '"a \\"b\\""'),
    ("an object", {"s": "$.source"}, '{"source": <s>}'),
    ("an empty template", {}, ""),
    ("a template that is too long", {}, f'"{"x" * 8191}"'),
    ("an angle bracket outside a placeholder", {}, '"1 < 2"'),
    ("a path in brackets", {"x": "$['source']"}, '"<x>"'),
    ("a path with a filter", {"x": "$.resources[?(@.a)]"}, '"<x>"'),
    ("a path of all items", {"x": "$.resources[*]"}, '"<x>"'),
    ("a path that is too long", {"x": "$." + "x" * 256}, '"<x>"'),
    ("a name with a dot", {"a.b": "$.source"}, '"<a.b>"'),
    ("too many paths", {f"x{number}": "$.source" for number in range(101)}, '"<x1>"'),
]


@each(TEXTS)
def test_template_gives_the_text(case):
    paths, template, expected = case
    assert transform({"InputPathsMap": paths, "InputTemplate": template}, {**EVENT, "trap": "<s>"}) == expected


@each(REFUSED_TEXTS)
def test_invalid_template_is_refused(case):
    paths, template = case
    with pytest.raises(EventBridgeError):
        transform({"InputPathsMap": paths, "InputTemplate": template}, EVENT)
