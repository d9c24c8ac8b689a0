"""Runs the rule without an AWS account: `make demo`.

Starts the stand-in for AWS with a sample account, and the function under cargo-lambda's Lambda emulator. Sends every
event in `events/`, then the first event again with Security Hub findings enabled. Prints the evaluations in AWS Config,
the number of AWS calls of each event, one finding and one notification. Then makes a node group, sends the event of its
role, and prints the evaluation.
"""

import argparse
import json
import os
import shutil
import sys
import textwrap
import time
from collections import Counter
from datetime import datetime, timezone

from local import ROOT
from local.lab import account, events, seed
from local.lab.lab import Lab, default_binary, emulator_starts
from local.lab.processes import Interrupted, ProgramFailed
from local.lab.subscriber import Subscriber

SERVICES = ("eks", "iam", "config", "securityhub")
# A terminal with fewer columns gets a card for each row instead of a table.
TABLE_COLUMNS = 120
ORDER = (account.NON_COMPLIANT, account.COMPLIANT, account.NOT_APPLICABLE)
COLOURS = {account.NON_COMPLIANT: "31", account.COMPLIANT: "32", account.NOT_APPLICABLE: "2"}
# The compliance status of a finding, by verdict.
STATUS = {account.NON_COMPLIANT: "FAILED", account.COMPLIANT: "PASSED"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", default=default_binary(), help="the function's binary")
    arguments.add_argument(
        "--calls", action="store_true", help="list the AWS calls of each event, not only their number"
    )
    arguments.add_argument(
        "--most-memory", type=float, metavar="MIB", help="fail if the function uses more memory than this"
    )
    options = arguments.parse_args()
    lab = Lab(options.binary, on_step=progress, emulator=emulator_starts())
    lab.processes.catch_signals()
    try:
        with lab:
            sys.exit(show(lab, options))
    except Interrupted as stop:
        progress(f"stopped by {stop}")
        sys.exit(stop.exit_code)
    except ProgramFailed as failure:
        sys.exit(f"error: {failure}\n{failure.log}".rstrip())
    except FileNotFoundError as missing:
        sys.exit(f"error: {missing}")


def show(lab, options):
    """Sends the events and prints the results. Returns 1 if a verdict or the memory is not as expected, else 0."""
    list_calls = options.calls
    subscriber = Subscriber(lab)
    samples = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))}
    first, schedule = next(iter(samples.items()))
    samples[f"{first}, with findings"] = {**schedule, "ruleParameters": json.dumps({"SecurityHubFindings": "true"})}
    costs = [send(lab, name, event) for name, event in samples.items()]
    stored, notifications = lab.evaluations(), subscriber.read()
    findings = {identity.rsplit("/", 1)[-1]: finding for identity, finding in lab.findings().items()}
    print("\nEvaluations in AWS Config\n")
    print_rows(("resource", "cluster and node kind", "last evaluation", "annotation"), evaluation_rows(stored))
    print("\nTime and AWS calls of each event\n")
    print_rows(("event", "ms", "AWS calls", *SERVICES, *(["operations"] if list_calls else [])), [
        cost if list_calls else cost[:-1] for cost in costs
    ])  # fmt: skip
    worst = max(findings, key=lambda role_id: findings[role_id]["Severity"]["Normalized"])
    print(f"\nThe most severe of {len(findings)} findings in AWS Security Hub\n")
    print_fields(finding_fields(findings[worst]))
    print(f"\nThe notification for this role, one of {len(notifications)} that the subscriber received\n")
    print_text(next(message for message in notifications if worst in message))
    print("\nThe event of a role, before and after a node group is made with it\n")
    rows, is_found = new_node_group(lab)
    print_rows(("event", "evaluation", "eks", "annotation"), rows)
    memory = (lab.resident_kib() or 0) / 1024
    if memory:
        print(
            f"\nResident memory of the function after these events: {memory:.1f} MiB ({lab.binary.parent.name} build)"
        )
    wrong = [role for role in account.ROLES if not is_as_expected(role, stored, findings)]
    for role in wrong:
        print(f"\n{role.name}: expected {role.verdict}, because {role.because}", file=sys.stderr)
    print(f"\n{len(account.ROLES) - len(wrong)} of {len(account.ROLES)} roles got the expected verdict")
    too_large = options.most_memory is not None and memory > options.most_memory
    if too_large:
        print(
            f"\nThe function uses {memory:.1f} MiB of memory. The limit is {options.most_memory:g} MiB.",
            file=sys.stderr,
        )
    return 1 if wrong or too_large or not is_found else 0


NEW_NODE = account.Role(
    "checkout-node",
    "shop: node group checkout",
    account.NON_COMPLIANT,
    "it can push",
    managed=("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPowerUser"),
)


def new_node_group(lab):
    """Sends the event of a new role twice: before and after a node group is made with it. The function has just listed
    the clusters, but the second change is newer. Returns a row for each event, and whether the verdicts are as
    expected.
    """
    seed.create_role(lab.client("iam"), NEW_NODE)
    rows = []
    for step in ("the role is new", "after the node group"):
        if rows:
            seed.create_node_group(lab.client("eks"), "shop", "checkout", NEW_NODE.arn)
        # AWS Config captures a change some time after it, and the function gets it some time later.
        captured = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        item = {**events.role_item(NEW_NODE), "configurationItemCaptureTime": captured}
        _, _, _, eks, *_ = send(lab, step, events.event(events.changed(item)))
        stored = lab.evaluations()[NEW_NODE.id]
        rows.append((step, stored["ComplianceType"], eks or 0, stored["Annotation"]))
    return rows, [row[1] for row in rows] == [account.NOT_APPLICABLE, NEW_NODE.verdict]


def is_as_expected(role, stored, findings):
    """Whether the evaluation and the finding of a role match its expected verdict. Only node roles have findings."""
    status = findings.get(role.id, {}).get("Compliance", {}).get("Status")
    return stored.get(role.id, {}).get("ComplianceType") == role.verdict and status == (
        STATUS[role.verdict] if role.node else None
    )


def send(lab, name, event):
    """Sends an event, and returns its row: name, milliseconds, calls, calls per service, operations."""
    progress(f"events/{name}")
    lab.forget_calls()
    begun = time.monotonic()
    answer = lab.send(event)
    milliseconds = round((time.monotonic() - begun) * 1000)
    if not answer.ok:
        raise ProgramFailed("function", f"{name} failed: {answer.error}", lab.function_log())
    calls = lab.calls()
    services = Counter(call["service"] for call in calls)
    names = Counter(call["operation"] for call in calls)
    operations = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in names.items())
    return (name, milliseconds, len(calls), *(services[s] or "" for s in SERVICES), operations)


def evaluation_rows(stored):
    """One row for each resource. Node roles are first, NON_COMPLIANT ones before the others."""
    known = {role.id: (role.name, role.node) for role in account.ROLES}
    known |= {policy.id: (policy.name, "") for policy in account.POLICIES}
    known |= {events.role_outside_account(name).id: (name, "") for name in events.OUTSIDE_ACCOUNT}
    rows = [
        (*known.get(identity, (identity, "")), e["ComplianceType"], e.get("Annotation") or "")
        for identity, e in stored.items()
    ]
    rows.sort(key=lambda row: (not row[1], ORDER.index(row[2]), row[1], row[0]))
    return [(name, node or "—", *rest) for name, node, *rest in rows]


def finding_fields(finding):
    """The most important fields of a finding, by label."""
    advice, requirements = (
        finding["Remediation"]["Recommendation"],
        finding["Compliance"].get("RelatedRequirements", []),
    )
    return {
        "title": finding["Title"],
        "severity": finding["Severity"]["Label"],
        "compliance": ", ".join([finding["Compliance"]["Status"], *requirements]),
        "description": finding["Description"],
        "remediation": f"{advice['Text']} {advice['Url']}",
        "resource": ", ".join(f"{resource['Type']} {resource['Id']}" for resource in finding["Resources"]),
        "id": finding["Id"],
    }


def columns():
    return max(40, shutil.get_terminal_size((TABLE_COLUMNS, 24)).columns)


def wrapped(text, width):
    """The lines of a text. Words that are longer than a line are broken only in narrow terminals."""
    narrow = columns() < TABLE_COLUMNS
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=narrow) or [""]


def print_text(text):
    """Prints a text indented. Narrow terminals get wrapped lines."""
    for line in text.splitlines():
        for part in wrapped(line, columns() - 2) if columns() < TABLE_COLUMNS else [line]:
            print(f"  {part}")


def print_fields(fields):
    width = max(map(len, fields))
    for name, text in fields.items():
        lines = wrapped(text, columns() - width - 4)
        print(f"  {name.ljust(width)}  " + ("\n" + " " * (width + 4)).join(lines))


def print_rows(heads, rows):
    """Prints rows as a table, or as a card for each row if the terminal is too narrow for a table."""
    rows = [[str(cell) for cell in row] for row in rows]
    if columns() < TABLE_COLUMNS:
        for row in rows:
            print_card(heads, row)
    else:
        print_table(heads, rows)


def print_card(heads, row):
    """Prints a row as a card: the first cell, then the texts on lines of their own and the numbers on one line."""
    title, *cells = row
    print(f"  {title}")
    named = list(zip(heads[1:], cells, strict=True))
    numbers = ", ".join(f"{head}: {cell}" for head, cell in named if cell.isdigit())
    for text in [numbers, *(cell for _, cell in named if not cell.isdigit() and cell != "—")]:
        for line in wrapped(text, columns() - 4) if text else []:
            print(f"    {coloured(line, len(line))}")


def print_table(heads, rows):
    """Prints rows in columns. The last column is wrapped to the width of the terminal."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    widths[-1] = min(widths[-1], max(30, columns() - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    for row in [heads, ["─" * width for width in widths], *rows]:
        lines = textwrap.wrap(row[-1], widths[-1], break_on_hyphens=False) or [""]
        for number, last in enumerate(lines):
            cells = [*(row[:-1] if number == 0 else [""] * (len(row) - 1)), last]
            print("  ".join(coloured(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def coloured(cell, width):
    padded = cell.rjust(width) if cell.isdigit() else cell.ljust(width)
    if cell in COLOURS and sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        return f"\033[{COLOURS[cell]}m{padded}\033[0m"
    return padded


def progress(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
