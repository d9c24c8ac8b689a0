"""Cells of the fault table (`local/measure/fault_table.py`), or with FAULTS=all the whole table.

`make faults` runs the whole table and prints it.
"""

import os

import pytest

from helpers import actions, role_policies
from local import ROOT
from local.measure.fault_table import BROKEN, FAULTS, Cell
from local.templates.resolve import EVERY_PART, resolved

# Every operation is tested with this fault. For the other faults, every third operation is tested, starting at another
# one for each fault. For faults that the SDK retries for seconds, one operation is tested.
COMPLETE, STRIDE = "access denied", 3


def stride(fault, cells):
    if os.environ.get("FAULTS") == "all" or fault == COMPLETE:
        return 1
    return len(cells) if FAULTS[fault].retried else STRIDE


@pytest.mark.parametrize("number, fault", list(enumerate(FAULTS)), ids=FAULTS)
def test_fault_leaves_correct_verdicts_or_fails(table, number, fault):
    cells = list(table.cells([fault]))
    step = stride(fault, cells)
    chosen = cells[number % step :: step]
    assert chosen
    assert {str(cell): wrong for cell in chosen if (wrong := table.run(cell).wrong)} == {}


DETAILS = "GetAccountAuthorizationDetails"
RESULTS = [
    # If this counted as a region that is not enabled, the function would miss the region's nodes.
    (Cell("unknown token", "schedule", "eks", "ListClusters"), "fails"),
    (Cell("access denied", "schedule", "iam", "GetRolePolicy"), "fails, other roles correct"),
    (Cell("access denied", "schedule with many roles", "iam", DETAILS, "Role"), "fails"),
    (Cell("access denied", "schedule with many roles", "iam", DETAILS, "LocalManagedPolicy"), "fails, other roles correct"),
    (Cell("malformed", "schedule with many roles", "iam", DETAILS, "LocalManagedPolicy"), "fails, other roles correct"),
    (Cell("access denied", "schedule with findings", "securityhub", "GetFindings"), "fails, other roles correct"),
    (Cell("access denied", "schedule with findings", "securityhub", "BatchImportFindings"), "fails, other roles correct"),
]  # fmt: skip


@pytest.mark.parametrize("cell, result", RESULTS, ids=lambda value: str(value))
def test_cell_has_the_expected_result(table, cell, result):
    outcome = table.run(cell)
    assert (outcome.result, outcome.wrong) == (result, [])


def function_actions():
    """The actions that `template.yaml` grants the function, without those that Lambda itself needs."""
    resources = resolved(ROOT / "template.yaml", EVERY_PART["template.yaml"])["Resources"]
    granted = actions(role_policies(resources, "FunctionRole").values())
    return {action for action in granted if action.split(":")[0] in BROKEN}


def test_table_has_every_operation_of_the_function(table):
    """A missing row would be a fault that is never injected."""
    assert {f"{service}:{operation}" for service, operation, _ in table.rows()} == function_actions()
    assert {of for _, operation, of in table.rows() if operation == DETAILS} == {"Role", "LocalManagedPolicy"}


def test_triggers_give_every_verdict_and_finding_status(table):
    verdicts = {"COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"}
    assert set(table.truth["schedule"].values()) == verdicts
    # An archived finding keeps its status, which was FAILED.
    assert set(table.truth["schedule with findings"].values()) == verdicts | {
        "ACTIVE PASSED",
        "ACTIVE FAILED",
        "ARCHIVED FAILED",
    }
