"""Measures a schedule over a large account, bursts of events, warm invocations and cold starts: calls, time, memory.

    python -m local.measure.scale schedule   [--binary PATH] [--clusters N] [--node-roles N] …      `make scale`
    python -m local.measure.scale replay     [--binary PATH] [--invocations N]                      `make replay`
    python -m local.measure.scale burst      [--binary PATH] [--instances N] [--events N] …
    python -m local.measure.scale cold-start [--binary PATH] [--beside PATH] [--starts N]           `make coldstart`

Each prints its figures as JSON. `large_account.py` serves AWS. The lower bounds for calls and time are computed from
the account, not from the calls that the function made. So an unnecessary call is above the bound.
"""

import argparse
import itertools
import json
import queue
import resource
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

from local.lab import account, events
from local.lab.lab import Lab, default_binary
from local.lab.processes import ProgramFailed
from local.measure import large_account

# The maximum timeout of a Lambda function.
LAMBDA_SECONDS = 900.0
# How often Lambda invokes the function for an event that fails.
LAMBDA_ATTEMPTS = 3
# The function reads up to this many roles, and up to this many policies, one by one. It reads more from lists.
FEW = 32
# The page sizes and the numbers of concurrent calls of the function.
ROLES_ON_PAGE, POLICIES_ON_PAGE = 400, 200
REGIONS_AT_ONCE, EKS_PER_REGION, ROLES_AT_ONCE = 8, 8, 8
EKS_PAGE = EVALUATIONS_AT_ONCE = FINDINGS_AT_ONCE = 100
PARTS = 10  # of a replay; the memory after the last part is compared with the memory after the second


class InvocationFailed(Exception):
    """The function answered with an error."""


def lab_with_large_account(binary, **options):
    arguments = [
        part
        for name, value in options.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    return Lab(binary, seeded=False, emulator=False, aws=("local.measure.large_account", *arguments))


def send(lab, event):
    answer = lab.invoke({**event, "resultToken": "load"}, LAMBDA_SECONDS)
    if not answer.ok:
        raise InvocationFailed(f"{answer.error}\n{lab.function_log()[-2000:]}")
    return answer.payload


def least_calls(large, findings=False):
    """The number of calls by operation that a cold schedule needs, for more than `FEW` roles."""
    customer_managed = [arn for arn in large.policies if "::aws:" not in arn]
    # AWS managed policies are read one by one, and the account's policies if they are few: policy, then version.
    one_by_one = len(large.policies) - (len(customer_managed) if len(customer_managed) > FEW else 0)
    calls = {
        "account:ListRegions": 1,
        **sum((least_eks_calls(large, region) for region in large.regions), Counter()),
        # For few roles the list of instance profiles shows self-managed nodes, for many the account details do.
        "iam:ListInstanceProfiles": _pages(large.unmarked_roles, large_account.IAM_PAGE)
        if large.node_roles <= FEW
        else 0,
        "iam:GetAccountAuthorizationDetails": _pages(len(large.roles), ROLES_ON_PAGE)
        + (_pages(len(customer_managed), POLICIES_ON_PAGE) if len(customer_managed) > FEW else 0),
        "iam:GetInstanceProfile": large.unmarked_roles,
        "iam:GetPolicy": one_by_one,
        "iam:GetPolicyVersion": one_by_one,
        "config:GetComplianceDetailsByConfigRule": 1,
        "config:PutEvaluations": _pages(large.node_roles, EVALUATIONS_AT_ONCE),
        "securityhub:GetFindings": 1 if findings else 0,
        "securityhub:BatchImportFindings": _pages(large.node_roles, FINDINGS_AT_ONCE) if findings else 0,
    }
    return {operation: count for operation, count in calls.items() if count}


def least_eks_calls(large, region):
    """The number of EKS calls by operation that a cold schedule needs in a region."""
    clusters = [cluster for cluster, at in large.clusters.items() if at == region]
    groups, entries = [[len(of(cluster)) for cluster in clusters] for of in (large.node_groups, large.nodes_of.get)]
    return Counter({
        "eks:ListClusters": _pages(len(clusters), EKS_PAGE),
        "eks:DescribeCluster": len(clusters),
        "eks:ListNodegroups": sum(_pages(count, EKS_PAGE) for count in groups),
        "eks:ListFargateProfiles": len(clusters),
        "eks:ListAccessEntries": sum(_pages(count, EKS_PAGE) for count in entries),
        "eks:DescribeNodegroup": sum(groups),
        "eks:DescribeAccessEntry": sum(entries),
    })  # fmt: skip


def _pages(count, size):
    """The number of pages of a list. An empty list has one page."""
    return max(1, -(-count // size))


def least_seconds(large, latency_ms, per_second, findings=False):
    """The lower bounds in seconds, by what they bound.

    `per_second` has the rates of "iam" and of "eks" in each region, if they have one. A token bucket is full at the
    start, with the calls of one second. Latency and throttling overlap, so the larger one counts. IAM is called after
    EKS.
    """
    services, lists = Counter(), 0
    for operation, count in least_calls(large, findings).items():
        services[operation.split(":")[0]] += count
        lists += count if operation in ("iam:ListInstanceProfiles", "iam:GetAccountAuthorizationDetails") else 0
    regions = min(len(set(large.clusters.values())), REGIONS_AT_ONCE)
    latency = latency_ms / 1000
    busiest = max(least_eks_calls(large, region).total() for region in large.regions)
    return {
        "eks_latency": services["eks"] / (EKS_PER_REGION * regions) * latency,
        "eks_throttle": _throttled_seconds(busiest, per_second.get("eks")),
        "iam_latency": (lists + (services["iam"] - lists) / ROLES_AT_ONCE) * latency,
        "iam_throttle": _throttled_seconds(services["iam"], per_second.get("iam")),
        "other_latency": (services["account"] + services["config"] + services["securityhub"]) * latency,
    }


def _throttled_seconds(calls, per_second):
    return max(0.0, calls / per_second - 1) if per_second else 0.0


def bound(least):
    """The lower bound of a schedule in seconds, from `least_seconds`."""
    eks, iam = (max(least[f"{service}_latency"], least[f"{service}_throttle"]) for service in ("eks", "iam"))
    return eks + iam + least["other_latency"]


def schedule(lab, size, latency_ms, per_second, parameters=None):
    """Measures one schedule of a cold function over an account of this size, and the lower bounds.

    A failed schedule is repeated, as Lambda does, but at once.
    """
    large = large_account.Account(**size)
    findings = "SecurityHubFindings" in (parameters or {})
    least = least_calls(large, findings)
    lab.control("DELETE", "stats")
    event, failures = events.event(events.scheduled(), parameters), []
    begun = time.monotonic()
    while True:
        try:
            send(lab, event)
            break
        except InvocationFailed as failure:
            failures.append(failure)
            if len(failures) == LAMBDA_ATTEMPTS:
                raise
    seconds = time.monotonic() - begun
    stats = lab.control("GET", "stats")
    stand_in_cpu, calls = stats.pop("cpu_seconds"), stats["calls"]
    least_time = least_seconds(large, latency_ms, per_second, findings)
    least_total = bound(least_time)
    return {
        "seconds": round(seconds, 2),
        "failed_attempts": len(failures),
        "bound_seconds": round(least_total, 2),
        "bounds": {name: round(value, 2) for name, value in least_time.items()},
        "ratio": round(seconds / least_total, 2) if least_total else None,
        "cpu_seconds_of_function": lab.cpu_seconds(),
        "cpu_seconds_of_stand_in": stand_in_cpu,
        "peak_resident_mib": round((lab.resident_kib(peak=True) or 0) / 1024, 1),
        "total_calls": sum(calls.values()),
        "least_total_calls": sum(least.values()),
        "other_calls_than_least": {
            operation: {"made": calls.get(operation, 0), "least": least.get(operation, 0)}
            for operation in sorted({*calls, *least})
            if calls.get(operation) != least.get(operation)
        },
        **stats,
    }


def mixed_events(parameters=None):
    """The events of a busy account. Seven of eight are for roles that cannot be node roles by their trust policy.

    The eighth is for a node role (complete or oversized), a deleted role, or a policy of node roles.
    """
    ruled_out = account.Role("other-00001", "", "", "", trust=account.trusted_by("lambda.amazonaws.com"))
    gone = account.Role("gone", "", "", "")
    policy = account.Policy("team-000", (account.document(account.allow("s3:GetObject")),))
    rare = [
        events.changed(events.role_item(gone)),
        events.changed(events.deleted_role_item(gone)),
        events.changed(events.policy_item(policy)),
    ]
    for number in range(40):
        item = events.role_item(account.Role(f"node-{number:05}", "", "", ""))
        rare.append(events.oversized(item) if number % 2 else events.changed(item))
    for each in rare:
        yield from [events.event(events.changed(events.role_item(ruled_out)), parameters)] * 7
        yield events.event(each, parameters)


def replay(lab, invocations, parameters=None):
    """Measures warm invocations with a mix of events: the resident memory after each of `PARTS` equal parts."""
    mix, resident = itertools.cycle(list(mixed_events(parameters))), []
    begun = time.monotonic()
    for number in range(invocations):
        send(lab, next(mix))
        if (number + 1) % max(1, invocations // PARTS) == 0:
            resident.append(lab.resident_kib())
    seconds = time.monotonic() - begun
    return {
        "invocations": invocations,
        "seconds": round(seconds, 1),
        "per_second": round(invocations / seconds),
        "resident_kib": resident,
        "growth_kib": resident[-1] - resident[1] if all(resident) else None,
        "calls": lab.control("GET", "stats")["calls"],
    }


def burst(lab, size, instances, number):
    """Measures events that arrive at the same time at several cold instances: each is about another node role.

    Each instance handles one event at a time, as in Lambda. `calls_per_discovery` is the number of EKS calls made,
    divided by the number that one discovery needs.
    """
    waiting, failures = queue.SimpleQueue(), []
    for each in range(number):
        role = account.Role(f"node-{each % size['node_roles']:05}", "", "", "")
        waiting.put(events.event(events.changed(events.role_item(role))))

    def handle(instance):
        with suppress(queue.Empty):
            while True:
                event = waiting.get_nowait()
                try:
                    send(instance, event)
                except InvocationFailed as failure:
                    failures.append(str(failure))

    lab.control("DELETE", "stats")
    begun = time.monotonic()
    with ExitStack() as stack:
        others = [
            stack.enter_context(Lab(lab.binary, seeded=False, emulator=False, beside=lab)) for _ in range(instances - 1)
        ]
        threads = [threading.Thread(target=handle, args=(instance,)) for instance in (lab, *others)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    stats, large = lab.control("GET", "stats"), large_account.Account(**size)
    made = sum(count for operation, count in stats["calls"].items() if operation.startswith("eks:"))
    least = sum((least_eks_calls(large, region) for region in large.regions), Counter()).total()
    return {
        "seconds": round(time.monotonic() - begun, 2),
        "events": number,
        "failed_invocations": len(failures),
        "failures": failures[:3],
        "eks_calls": made,
        "eks_calls_of_one_discovery": least,
        "calls_per_discovery": round(made / least, 2),
        **stats,
    }


# The account for cold starts. It is small, because the start is measured, not the search for nodes.
SMALL = {"clusters": 1, "regions": 1, "node_roles": 2, "other_roles": 0, "unmarked_roles": 0}


def cold_start(lab, binaries, starts, parameters=None):
    """Starts each binary `starts` times with an event for a node role, and returns medians.

    The binaries take turns, so that other load on the machine affects all of them. `ratio` is the processor time of the
    first binary divided by that of the second. Processor time is what the kernel reports when the process ends. Wall
    time is from the start of the program to its answer.
    """
    event = events.event(events.changed(events.role_item(account.Role("node-00000", "", "", ""))), parameters)
    taken = [{"cpu_ms": [], "wall_ms": [], "resident_mib": []} for _ in binaries]
    for number in range(starts + 1):
        for binary, figures in zip(binaries, taken, strict=True):
            lab.binary = Path(binary)
            lab.cold_start()
            begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
            send(lab, event)
            wall, resident = time.monotonic() - begun, lab.resident_kib(peak=True) or 0
            lab.processes.stop("function")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if number:  # the first start reads the program from disk
                figures["cpu_ms"].append(1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
                figures["wall_ms"].append(1000 * wall)
                figures["resident_mib"].append(resident / 1024)
    medians = [{name: round(statistics.median(values), 1) for name, values in figures.items()} for figures in taken]
    first, *others = medians
    return {
        "starts": starts,
        "medians": [{"binary": str(binary), **figures} for binary, figures in zip(binaries, medians, strict=True)],
        "ratio": round(first["cpu_ms"] / others[0]["cpu_ms"], 2) if others else None,
        "resident_ratio": round(first["resident_mib"] / others[0]["resident_mib"], 2) if others else None,
        "peak_resident_mib": first["resident_mib"],
        "calls": lab.control("GET", "stats")["calls"],
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("what", choices=("schedule", "burst", "replay", "cold-start"))
    arguments.add_argument("--binary", default=default_binary(), help="the function's binary")
    arguments.add_argument("--clusters", type=int, default=200)
    arguments.add_argument("--regions", type=int, default=8)
    arguments.add_argument("--node-roles", type=int, default=2000)
    arguments.add_argument("--other-roles", type=int, default=1000)
    arguments.add_argument("--unmarked-roles", type=int, default=200)
    arguments.add_argument("--latency-ms", type=float, default=20)
    arguments.add_argument("--iam-per-second", type=float, default=20, help="calls that IAM accepts; 0: no limit")
    arguments.add_argument(
        "--eks-per-second", type=float, default=0, help="calls that EKS accepts in each region; 0: no limit"
    )
    arguments.add_argument("--grant", default="push", help="push: every eighth node role may push; everything: all may")
    arguments.add_argument("--invocations", type=int, default=10_000)
    arguments.add_argument("--instances", type=int, default=3, help="instances of the function in a burst")
    arguments.add_argument("--events", type=int, default=24, help="events of a burst")
    arguments.add_argument("--starts", type=int, default=20)
    arguments.add_argument("--beside", help="another binary to compare cold starts with")
    arguments.add_argument("--security-hub", action="store_true", help="enable findings for AWS Security Hub")
    arguments.add_argument(
        "--most-ratio",
        type=float,
        help="fail above this ratio to the lower bound, or to the other binary's time",
    )
    arguments.add_argument(
        "--most-memory", type=float, metavar="MIB", help="fail if the function used more memory than this"
    )
    arguments.add_argument(
        "--most-growth",
        type=float,
        metavar="KIB",
        default=1024,
        help="fail if the memory grows by more than this in a replay",
    )
    options = arguments.parse_args()
    size = {
        name: getattr(options, name)
        for name in ("clusters", "regions", "node_roles", "other_roles", "unmarked_roles", "grant")
    }
    if options.what == "schedule" and options.node_roles + options.unmarked_roles <= FEW:
        arguments.error(
            f"node roles and unmarked roles must be at least {FEW + 1} together; the bounds do not cover fewer roles"
        )
    parameters = {"SecurityHubFindings": "true"} if options.security_hub else {}
    per_second = {"iam": options.iam_per_second, "eks": options.eks_per_second}
    try:
        match options.what:
            case "schedule" | "burst":
                lab = lab_with_large_account(
                    options.binary,
                    **size,
                    latency_ms=options.latency_ms,
                    **{f"{service}_per_second": rate for service, rate in per_second.items() if rate},
                )
            case "replay":
                lab = lab_with_large_account(
                    options.binary,
                    clusters=4,
                    regions=2,
                    node_roles=40,
                    other_roles=100,
                    unmarked_roles=20,
                    latency_ms=0,
                )
            case "cold-start":
                lab = lab_with_large_account(options.binary, **SMALL, latency_ms=0)
        lab.processes.catch_signals()
        with lab:
            match options.what:
                case "schedule":
                    figures = schedule(lab, size, options.latency_ms, per_second, parameters)
                case "burst":
                    figures = burst(lab, size, options.instances, options.events)
                case "replay":
                    figures = replay(lab, options.invocations, parameters)
                case "cold-start":
                    figures = cold_start(
                        lab, [options.binary, *filter(None, [options.beside])], options.starts, parameters
                    )
    except (InvocationFailed, ProgramFailed) as failure:
        sys.exit(f"error: {failure}\n{getattr(failure, 'log', '')}".rstrip())
    print(json.dumps(figures, indent=2))
    limits = {
        "ratio": options.most_ratio,
        "peak_resident_mib": options.most_memory,
        "growth_kib": options.most_growth,
        "failed_attempts": 1,
        "failed_invocations": 0,
        "calls_per_discovery": 3,
        "wrong": 0,
    }
    over = [f"{name} is {figures[name]}, the limit is {limit:g}" for name, limit in limits.items()
            if limit is not None and (figures.get(name) or 0) > limit]  # fmt: skip
    over += [f"{operation}: {counts['made']} calls, the account needs {counts['least']}"
             for operation, counts in figures.get("other_calls_than_least", {}).items()]  # fmt: skip
    if over:
        sys.exit("\n".join(over))


if __name__ == "__main__":
    main()
