"""A schedule over a large account, and many warm invocations: calls, time against what throttling imposes, memory.

    python local/scale.py schedule [--binary PATH] [--clusters N] [--node-roles N] …      `make scale`
    python local/scale.py replay   [--binary PATH] [--invocations N]                      `make replay`

Both print their figures as JSON. AWS is `load.py`.
"""

import argparse
import itertools
import json
import sys
import time
from collections import Counter

import account
import events
from lab import Lab, default_binary
from processes import ProgramFailed

# No invocation has more at Lambda.
LAMBDA_SECONDS = 900.0
SETTLED = 10  # parts of a replay: memory of the last is held against that of the second


class Failed(Exception):
    """The function's answer was a failure."""


def lab_of_load(binary, **options):
    arguments = [part for name, value in options.items() if value is not None for part in (f"--{name.replace('_', '-')}", str(value))]
    return Lab(binary, seeded=False, emulator=False, aws=("load.py", *arguments))


def send(lab, event):
    answer = lab.invoke({**event, "resultToken": "load"}, LAMBDA_SECONDS)
    if not answer.ok:
        raise Failed(f"{answer.error}\n{lab.function_log()[-2000:]}")
    return answer.payload


def schedule(lab, latency_ms, iam_per_second):
    """One schedule of a cold function: what it cost, beside the least that it could."""
    lab.control("DELETE", "stats")
    begun = time.monotonic()
    send(lab, events.event(events.scheduled()))
    seconds = time.monotonic() - begun
    stats = lab.control("GET", "stats")
    responder = stats.pop("cpu_seconds")
    calls, services = stats["calls"], Counter()
    for operation, count in calls.items():
        services[operation.split(":")[0]] += count
    # What the bucket imposes: it begins full with a second's worth. What pages and latency impose: every list in its own
    # order, of which EKS's are asked side by side, as many as the function had in flight.
    throttle = max(0.0, services["iam"] / iam_per_second - 1) if iam_per_second else 0.0
    one_after_another = services["iam"] / stats["most_at_once"]["iam"] + services["config"] + services["account"]
    side_by_side = services["eks"] / stats["most_at_once"]["eks"]
    pages = (one_after_another + side_by_side) * latency_ms / 1000
    return {
        "seconds": round(seconds, 2),
        "bound_seconds": round(throttle + pages, 2),
        "bound_by_throttle": round(throttle, 2),
        "bound_by_latency_and_pages": round(pages, 2),
        "ratio": round(seconds / (throttle + pages), 2) if throttle + pages else None,
        "cpu_seconds_of_function": lab.cpu_seconds(),
        "cpu_seconds_of_responder": responder,
        "most_resident_mib": round((lab.resident_kib(most=True) or 0) / 1024, 1),
        "calls_by_service": dict(services),
        **stats,
    }


def mixed_events():
    """What a busy account sends: seven of eight are of roles that the trust policy rules out, the eighth is something else.

    That is a node's role, whole or oversized, one that is gone, one that was deleted, or a policy of node roles.
    """
    ruled_out = account.Role("other-00001", "", "", "", trust=account.trusted_by("lambda.amazonaws.com"))
    gone = account.Role("gone", "", "", "")
    policy = account.Policy("team-000", (account.document(account.allow("s3:GetObject")),))
    rare = [events.changed(events.role_item(gone)), events.changed(events.gone(gone)), events.changed(events.policy_item(policy))]
    for number in range(40):
        item = events.role_item(account.Role(f"node-{number:05}", "", "", ""))
        rare.append(events.oversized(item) if number % 2 else events.changed(item))
    for each in rare:
        yield from [events.event(events.changed(events.role_item(ruled_out)))] * 7
        yield events.event(each)


def replay(lab, invocations):
    """Warm invocations of a mix of events, with the resident memory after each of `SETTLED` equal parts."""
    mix, resident = itertools.cycle(list(mixed_events())), []
    begun = time.monotonic()
    for number in range(invocations):
        send(lab, next(mix))
        if (number + 1) % max(1, invocations // SETTLED) == 0:
            resident.append(lab.resident_kib())
    seconds = time.monotonic() - begun
    return {
        "invocations": invocations,
        "seconds": round(seconds, 1),
        "per_second": round(invocations / seconds),
        "resident_kib": resident,
        "grown_kib": resident[-1] - resident[1] if all(resident) else None,
        "calls": lab.control("GET", "stats")["calls"],
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("what", choices=("schedule", "replay"))
    arguments.add_argument("--binary", default=default_binary(), help="the function's binary")
    arguments.add_argument("--clusters", type=int, default=200)
    arguments.add_argument("--regions", type=int, default=8)
    arguments.add_argument("--node-roles", type=int, default=2000)
    arguments.add_argument("--other-roles", type=int, default=1000)
    arguments.add_argument("--unmarked-roles", type=int, default=200)
    arguments.add_argument("--latency-ms", type=float, default=20)
    arguments.add_argument("--iam-per-second", type=float, default=20)
    arguments.add_argument("--invocations", type=int, default=10_000)
    arguments.add_argument("--most-ratio", type=float, help="fail if a schedule takes more than this many times the bound")
    arguments.add_argument("--most-memory", type=float, metavar="MIB", help="fail if the function ever held more than this")
    arguments.add_argument("--most-growth", type=float, metavar="KIB", default=1024, help="fail if a replay grows by more than this")
    options = arguments.parse_args()
    size = {name: getattr(options, name) for name in ("clusters", "regions", "node_roles", "other_roles", "unmarked_roles")}
    try:
        if options.what == "schedule":
            lab = lab_of_load(options.binary, **size, latency_ms=options.latency_ms, iam_per_second=options.iam_per_second)
        else:
            lab = lab_of_load(options.binary, clusters=4, regions=2, node_roles=40, other_roles=100, unmarked_roles=20, latency_ms=0)
        lab.processes.catch_signals()
        with lab:
            figures = replay(lab, options.invocations) if options.what == "replay" else schedule(lab, options.latency_ms, options.iam_per_second)
    except (Failed, ProgramFailed) as failure:
        sys.exit(f"error: {failure}\n{getattr(failure, 'log', '')}".rstrip())
    print(json.dumps(figures, indent=2))
    limits = {"ratio": options.most_ratio, "most_resident_mib": options.most_memory, "grown_kib": options.most_growth, "wrong": 0}
    over = [f"{name} is {figures[name]}, at most {limit:g} is wanted" for name, limit in limits.items()
            if limit is not None and (figures.get(name) or 0) > limit]  # fmt: skip
    if over:
        sys.exit("\n".join(over))


if __name__ == "__main__":
    main()
