"""The schema of the JSON report is valid, fits the reports on all example files, and allows no other keys."""

import json

import jsonschema
import pytest

from helpers import REPORT_SCHEMA, check
from local import ROOT

ROWS = json.loads((ROOT / "tests" / "field" / "expected.json").read_text())
FIELD = [[f"tests/field/{row['file']}", *row.get("options", [])] for row in ROWS if "roles" in row]
RUNS = [["examples/account.json"], ["examples/account.json", "--all-roles", "--refused"], *FIELD]


def test_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(REPORT_SCHEMA)


@pytest.mark.parametrize("arguments", RUNS, ids=" ".join)
def test_report_fits_the_schema(arguments):
    _, report = check("--account-details", *arguments)
    assert report["schema"] == "1.0"


def objects(schema):
    """All schemas of objects with named members."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_schema_allows_no_other_keys():
    found = list(objects(REPORT_SCHEMA))
    assert len(found) > 7
    assert [part for part in found if part.get("additionalProperties") is not False] == []
