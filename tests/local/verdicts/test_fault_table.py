"""Cells of the fault table (`local/measure/fault_table.py`), or with FAULTS=all the whole table.

`make faults` runs the whole table and prints it.
"""

import os

import pytest

from helpers import called_actions
from local.measure.fault_table import FAULTS, Cell

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
    (Cell("access denied", "schedule", "eks", "ListNodegroups"), "fails, other roles correct"),
    (Cell("access denied", "schedule", "account", "ListRegions"), "fails"),
    # If this counted as a region that is not enabled, the function would miss the region's nodes.
    (Cell("unknown token", "schedule", "eks", "ListClusters"), "fails, other roles correct"),
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


def test_table_has_every_operation_of_the_code(table):
    """No trigger makes the call of a missing row. Then its faults are never injected."""
    assert {f"{service}:{operation}" for service, operation, _ in table.rows()} == called_actions()
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
