"""Shows the rule at work with no AWS account: `make demo`.

Starts a local AWS, seeds an account, starts the function under cargo-lambda's Lambda emulator, sends it every event
in `events/`, and the first of them once more with findings for AWS Security Hub. Prints what AWS Config then holds,
which AWS calls each event cost, one finding as Security Hub holds it, and one notification as its subscriber reads it.
"""

import argparse
import json
import os
import shutil
import sys
import textwrap
import time
from collections import Counter

from local import ROOT
from local.lab import account, events
from local.lab.lab import Lab, default_binary
from local.lab.processes import Interrupted, ProgramFailed
from local.lab.subscriber import Subscriber

SERVICES = ("eks", "iam", "config", "securityhub")
ORDER = (account.NON_COMPLIANT, account.COMPLIANT, account.NOT_APPLICABLE)
COLOURS = {account.NON_COMPLIANT: "31", account.COMPLIANT: "32", account.NOT_APPLICABLE: "2"}
# The status of a finding of each verdict.
STATUS = {account.NON_COMPLIANT: "FAILED", account.COMPLIANT: "PASSED"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", default=default_binary(), help="the function's binary")
    arguments.add_argument("--calls", action="store_true", help="name every AWS call, not only their number")
    arguments.add_argument("--most-memory", type=float, metavar="MIB", help="fail if the function holds more than this")
    options = arguments.parse_args()
    lab = Lab(options.binary, on_step=progress)
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
    """Sends the events and prints the tables; the exit code says whether all came out as it should."""
    name_calls = options.calls
    subscriber = Subscriber(lab)
    samples = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))}
    first, schedule = next(iter(samples.items()))
    samples[f"{first}, with findings"] = {**schedule, "ruleParameters": json.dumps({"SecurityHubFindings": "true"})}
    costs = [send(lab, name, event) for name, event in samples.items()]
    held, told = lab.evaluations(), subscriber.read()
    findings = {identity.rsplit("/", 1)[-1]: finding for identity, finding in lab.findings().items()}
    print("\nWhat AWS Config now holds\n")
    print_table(("resource", "cluster and node kind", "last evaluation", "annotation"), evaluations(held))
    print("\nWhat each event cost\n")
    print_table(("event", "ms", "AWS calls", *(f"of {s}" for s in SERVICES), *(["which"] if name_calls else [])), [
        cost if name_calls else cost[:-1] for cost in costs
    ])  # fmt: skip
    worst = max(findings, key=lambda role_id: findings[role_id]["Severity"]["Normalized"])
    print(f"\nThe worst of {len(findings)} findings, as AWS Security Hub holds it\n")
    print_fields(finding_fields(findings[worst]))
    print(f"\nThe notification of that role, one of {len(told)}, as a subscriber of the topic reads it\n")
    print(textwrap.indent(next(message for message in told if worst in message), "  "))
    memory = (lab.resident_kib() or 0) / 1024
    if memory:
        print(
            f"\nresident memory of the function after these events: {memory:.1f} MiB ({lab.binary.parent.name} build)"
        )
    wrong = [role for role in account.ROLES if not as_it_should(role, held, findings)]
    for role in wrong:
        print(f"\n{role.name} should be {role.verdict}: {role.because}", file=sys.stderr)
    print(f"\n{len(account.ROLES) - len(wrong)} of {len(account.ROLES)} roles as the account calls for")
    too_much = options.most_memory is not None and memory > options.most_memory
    if too_much:
        print(f"\nat most {options.most_memory:g} MiB of resident memory are wanted", file=sys.stderr)
    return 1 if wrong or too_much else 0


def as_it_should(role, held, findings):
    """Whether AWS Config and Security Hub hold what the account calls for: a finding is of node roles alone."""
    status = findings.get(role.id, {}).get("Compliance", {}).get("Status")
    return held.get(role.id, {}).get("ComplianceType") == role.verdict and status == (
        STATUS[role.verdict] if role.node else None
    )


def send(lab, name, event):
    """Sends an event and returns its row in the table of costs."""
    progress(f"events/{name}")
    lab.forget_calls()
    begun = time.monotonic()
    answer = lab.send(event)
    took = round((time.monotonic() - begun) * 1000)
    if not answer.ok:
        raise ProgramFailed("function", f"{name} failed: {answer.error}", lab.function_log())
    calls = lab.calls()
    services = Counter(call["service"] for call in calls)
    names = Counter(call["operation"] for call in calls)
    which = ", ".join(name if count == 1 else f"{name} ×{count}" for name, count in names.items())
    return (name, took, len(calls), *(services[s] or "" for s in SERVICES), which)


def evaluations(held):
    """One row for each resource: node roles first and the worst of them first, then what is none."""
    known = {role.id: (role.name, role.node) for role in account.ROLES}
    known |= {policy.id: (policy.name, "") for policy in account.POLICIES}
    known |= {events.outside(name).id: (name, "") for name in events.OUTSIDE}
    rows = [
        (*known.get(identity, (identity, "")), e["ComplianceType"], e.get("Annotation") or "")
        for identity, e in held.items()
    ]
    rows.sort(key=lambda row: (not row[1], ORDER.index(row[2]), row[1], row[0]))
    return [(name, node or "—", *rest) for name, node, *rest in rows]


def finding_fields(finding):
    """What a reader of a finding looks at first."""
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


def print_fields(fields):
    width = max(map(len, fields))
    terminal = max(60, shutil.get_terminal_size((120, 24)).columns)
    for name, text in fields.items():
        lines = textwrap.wrap(text, terminal - width - 4, break_on_hyphens=False, break_long_words=False)
        print(f"  {name.ljust(width)}  " + ("\n" + " " * (width + 4)).join(lines))


def print_table(heads, rows):
    """Prints rows in columns as wide as they need; the last one is wrapped to what the terminal leaves."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    terminal = shutil.get_terminal_size((120, 24)).columns
    widths[-1] = min(widths[-1], max(30, terminal - sum(widths[:-1]) - 2 * (len(widths) - 1)))
    for row in [heads, ["─" * width for width in widths], *rows]:
        wrapped = textwrap.wrap(row[-1], widths[-1], break_on_hyphens=False) or [""]
        for number, last in enumerate(wrapped):
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
