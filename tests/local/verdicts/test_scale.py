"""Large accounts, long runs and cold starts, in small. `make scale`, `make replay`, `make coldstart` run the full size."""

import pytest

from helpers import send
from local.identifiers import ACCOUNT, unique_id
from local.lab import account, events
from local.measure import large_account, scale


def size(**numbers):
    return numbers


SIZES = {
    "many roles with few policies": size(clusters=20, regions=1, node_roles=200, other_roles=100, unmarked_roles=20),
    "many roles with many policies": size(clusters=7, regions=3, node_roles=1650, other_roles=10, unmarked_roles=0),
    "few EKS roles, many instance profiles": size(
        clusters=2, regions=2, node_roles=30, other_roles=10, unmarked_roles=40
    ),
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_schedule_makes_no_unnecessary_call(binary, size):
    with scale.lab_with_large_account(binary, **size, latency_ms=1) as lab:
        figures = scale.schedule(lab, size, 1, {})
    assert figures["other_calls_than_least"] == {}
    assert figures["wrong"] == 0
    assert sum(figures["verdicts"].values()) == size["node_roles"]
    assert figures["peak_resident_mib"] < 64


def test_findings_take_one_call_per_hundred(binary):
    size = SIZES["many roles with few policies"]
    with scale.lab_with_large_account(binary, **size, latency_ms=1) as lab:
        figures = scale.schedule(lab, size, 1, {}, {"SecurityHubFindings": "true"})
    assert figures["other_calls_than_least"] == {}
    assert figures["calls"]["securityhub:BatchImportFindings"] == 2
    assert figures["findings"] == {
        "ACTIVE FAILED": 200 // large_account.PUSHER,
        "ACTIVE PASSED": 200 - 200 // large_account.PUSHER,
    }


@pytest.mark.parametrize("service", ["iam", "eks"])
def test_steady_throttling_fails_no_schedule(binary, service):
    """More calls are throttled than the SDK's 100 retries allow."""
    size = {"clusters": 4, "regions": 1, "node_roles": 60, "other_roles": 10, "unmarked_roles": 60}
    rate = {f"{service}_per_second": 15}
    with scale.lab_with_large_account(binary, **size, latency_ms=1, **rate) as lab:
        figures = scale.schedule(lab, size, 1, {service: 15})
    assert (figures["failed_attempts"], figures["wrong"], figures["other_calls_than_least"]) == (0, 0, {})
    assert sum(figures["verdicts"].values()) == size["node_roles"]
    assert figures["throttled"][service] > 0


def test_burst_at_three_instances_fails_no_event(binary):
    size = {"clusters": 4, "regions": 1, "node_roles": 24, "other_roles": 10, "unmarked_roles": 0}
    with scale.lab_with_large_account(binary, **size, latency_ms=1, eks_per_second=20) as lab:
        figures = scale.burst(lab, size, instances=3, number=24)
    assert (figures["failures"], figures["wrong"]) == ([], 0)
    assert sum(figures["verdicts"].values()) == 24
    assert figures["calls_per_discovery"] <= 3


def test_lower_bound_follows_from_the_account():
    """The account of `make scale` needs 3,808 EKS calls, 64 at a time, 22 others of 20 ms, and 217 IAM calls."""
    large = large_account.Account(clusters=200, regions=8, node_roles=2000, other_roles=1000, unmarked_roles=200)
    assert sum(scale.least_calls(large).values()) == 3808 + 22 + 217
    least = scale.least_seconds(large, 20, {"iam": 20, "eks": 8})
    assert least == pytest.approx({
        "eks_latency": 3808 / 64 * 0.02,
        "eks_throttle": 3808 / 8 / 8 - 1,
        "iam_latency": (9 + 208 / 8) * 0.02,
        "iam_throttle": 217 / 20 - 1,
        "other_latency": 22 * 0.02,
    })  # fmt: skip
    assert scale.bound(least) == pytest.approx(3808 / 64 - 1 + 217 / 20 - 1 + 22 * 0.02)


def test_warm_invocations_use_constant_memory(binary):
    """The first fifth of the events fills the caches. After that, a leak of 1 KB per event would be visible."""
    with scale.lab_with_large_account(
        binary, clusters=4, regions=1, node_roles=40, other_roles=10, unmarked_roles=5, latency_ms=0
    ) as lab:
        figures = scale.replay(lab, 500)
    assert figures["growth_kib"] is None or figures["growth_kib"] < 300, figures["resident_kib"]


def test_cold_starts_measure_each_binary_in_turn(binary):
    with scale.lab_with_large_account(binary, **scale.SMALL, latency_ms=0) as lab:
        figures = scale.cold_start(lab, [lab.binary, lab.binary], 2)
    assert figures["calls"]["config:PutEvaluations"] == figures["calls"]["account:ListRegions"] == 2 * (2 + 1)
    assert all(median["cpu_ms"] > 0 and median["wall_ms"] > 0 for median in figures["medians"])
    # Both are the same binary, so a ratio far from 1 is a measurement error.
    assert 0.5 < figures["ratio"] < 2


def test_thousand_roles_get_correct_verdicts(fresh):
    """100 roles of node groups and 900 of self-managed nodes, with four kinds of permissions."""
    kinds = [
        ({"managed": [managed("AmazonEC2ContainerRegistryPullOnly")]}, account.COMPLIANT),
        ({"inline": {"push": account.document(account.allow("ecr:PutImage"))}}, account.NON_COMPLIANT),
        ({"inline": {"all": account.document(account.allow("ecr:*"))}, "boundary": bound_arn()}, account.COMPLIANT),
        ({"managed": [managed("AmazonEC2ContainerRegistryPowerUser")]}, account.NON_COMPLIANT),
    ]
    names = [f"node-{n:04}" for n in range(1000)]
    tagged = {"kubernetes.io/cluster/large": "owned"}
    by_tag = [{"tags": tagged, "instance_profile": {"name": name}} for name in names[100:]]
    fresh.control("POST", "entities", {
        "policies": [{"name": "bound", "document": account.document(account.allow(account.PULL_ACTIONS))}],
        "roles": [
            {"name": name, "trust": account.EC2, **kinds[n % len(kinds)][0], **(by_tag[n - 100] if n >= 100 else {})}
            for n, name in enumerate(names)
        ],
        "clusters": [{"name": "large", "mode": "CONFIG_MAP", "node_groups": {
            name: f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in names[:100]}}],
    })  # fmt: skip
    send(fresh, events.event(events.scheduled()), seconds=120)
    assert fresh.verdicts() == {unique_id("AROA", name): kinds[n % len(kinds)][1] for n, name in enumerate(names)}
    puts = [len(c["parameters"]["Evaluations"]) for c in fresh.calls() if c["operation"] == "PutEvaluations"]
    assert sum(puts) == 1000 and max(puts) <= 100


def managed(name):
    return f"arn:aws:iam::aws:policy/{name}"


def bound_arn():
    return f"arn:aws:iam::{ACCOUNT}:policy/bound"
