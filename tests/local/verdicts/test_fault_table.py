"""The table of `local/measure/fault_table.py`: a part of it that takes every fault and every operation, or with FAULTS=all the whole.

`make faults` runs the whole and prints it.
"""

import os

import pytest

from local.measure.fault_table import FAULTS, Cell, row_name

# The part takes one operation in this many, other ones for each fault; of the faults that the SDK tries again for long
# it takes one operation alone.
STRIDE = 3
LONG = ("throttled once", "throttled for ever", "500", "connection reset", "too slow", "page 2 fails")


@pytest.mark.parametrize("number, fault", list(enumerate(FAULTS)), ids=FAULTS)
def test_verdicts_are_right_or_the_invocation_fails(table, number, fault):
    cells = list(table.cells([fault]))
    stride = 1 if os.environ.get("FAULTS") == "all" else len(cells) if fault in LONG else STRIDE
    chosen = cells[number % stride :: stride]
    wrong = {str(cell): found for cell in chosen if (found := table.run(cell).wrong)}
    assert wrong == {}
    assert chosen


@pytest.mark.parametrize(
    "cell, word",
    [
        # Taken for a region that is not enabled, its nodes would be nobody's.
        (Cell("token unknown", "schedule", "eks", "ListClusters"), "fails"),
        (Cell("access denied", "schedule, many roles", "iam", "GetAccountAuthorizationDetails", "Role"), "fails"),
        (
            Cell(
                "access denied", "schedule, many roles", "iam", "GetAccountAuthorizationDetails", "LocalManagedPolicy"
            ),
            "fails, others answered",
        ),
        (Cell("access denied", "schedule, findings", "securityhub", "GetFindings"), "fails, others answered"),
        (Cell("access denied", "schedule, findings", "securityhub", "BatchImportFindings"), "fails, others answered"),
        (
            Cell("malformed", "schedule, many roles", "iam", "GetAccountAuthorizationDetails", "LocalManagedPolicy"),
            "fails, others answered",
        ),
    ],
    ids=str,
)
def test_what_a_fault_comes_to(table, cell, word):
    outcome = table.run(cell)
    assert (outcome.word, outcome.wrong) == (word, [])


def test_the_table_knows_every_operation(table):
    """A row that is missing would be a fault that nobody plants; one more is a call that nobody thought of."""
    assert {row_name(row) for row in table.rows()} == {
        "account:ListRegions", "sts:AssumeRole", "config:PutEvaluations", "config:GetComplianceDetailsByConfigRule",
        "eks:ListClusters", "eks:DescribeCluster", "eks:ListNodegroups", "eks:DescribeNodegroup", "eks:ListFargateProfiles",
        "eks:DescribeFargateProfile", "eks:ListAccessEntries", "eks:DescribeAccessEntry", "eks:ListPodIdentityAssociations",
        "eks:DescribePodIdentityAssociation", "eks:ListAddons", "eks:DescribeAddon", "iam:GetRole", "iam:ListRolePolicies",
        "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListEntitiesForPolicy",
        "iam:ListRoles", "iam:ListInstanceProfiles", "iam:ListInstanceProfilesForRole", "iam:GetInstanceProfile",
        "iam:GetAccountAuthorizationDetails of Role", "iam:GetAccountAuthorizationDetails of LocalManagedPolicy",
        "securityhub:GetFindings", "securityhub:BatchImportFindings",
    }  # fmt: skip


def test_verdicts_and_findings_of_all_kinds_are_at_stake(table):
    verdicts = {"COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"}
    assert set(table.truth["schedule"].values()) == verdicts
    # An archived finding is as it was, and it was FAILED.
    assert set(table.truth["schedule, findings"].values()) == verdicts | {
        "ACTIVE PASSED",
        "ACTIVE FAILED",
        "ARCHIVED FAILED",
    }
