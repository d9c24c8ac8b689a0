"""Which roles are nodes': the parameters that add, take out and narrow, in several regions; regions that are closed."""

import pytest

from local.identifiers import ACCOUNT, REGIONS
from local.lab import account, events
from local.lab.account import COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE

NODES = {role.name for role in account.ROLES if role.node}
ABROAD = {"media-encode-node"}
POD_ROLES = {"shop-cart-pod", "batch-builder-pod"}


def of_clusters(*names):
    return {role.name for role in account.ROLES if role.node.split(":")[0] in names}


def scheduled(**parameters):
    return events.event(events.scheduled(), parameters)


def judged(lab, rule):
    """The names of the roles that got a verdict."""
    names = {role.id: role.name for role in account.ROLES}
    return {names[identity] for identity, e in lab.evaluations(rule).items() if e["ComplianceType"] != NOT_APPLICABLE}


CASES = {
    "no parameter": ({}, NODES),
    "NodeRoles adds by name": ({"NodeRoles": "ci-runner"}, NODES | {"ci-runner"}),
    "NodeRoles adds by a pattern, whatever the trust policy": (
        {"NodeRoles": "ci-*, thumbnail-*"},
        NODES | {"ci-runner", "thumbnail-function"},
    ),
    "NodeRoles adds by ARN": (
        {"NodeRoles": f"arn:aws:iam::{ACCOUNT}:role/service-role/*"},
        NODES | {"thumbnail-function"},
    ),
    "ExemptRoles takes out": ({"ExemptRoles": "shop-*"}, {name for name in NODES if not name.startswith("shop-")}),
    "ExemptRoles wins over NodeRoles": ({"NodeRoles": "ci-runner", "ExemptRoles": "ci-*"}, NODES),
    "ExemptTag takes out": ({"ExemptTag": "team=storefront"}, NODES - {"shop-web-node"}),
    "ExemptTag of another value": ({"ExemptTag": "team=payments"}, NODES),
    "ClusterRegions narrows": ({"ClusterRegions": "eu-west-1"}, ABROAD),
    "ClusterRegions of several": ({"ClusterRegions": "us-east-1,eu-west-1"}, NODES),
    "ClusterNames narrows": ({"ClusterNames": "pay*,media"}, of_clusters("payments", "media")),
    "IncludeServiceAccountRoles": ({"IncludeServiceAccountRoles": "true"}, NODES | POD_ROLES),
}


@pytest.mark.parametrize("parameters, expected", CASES.values(), ids=CASES)
def test_a_schedule(lab, rule, parameters, expected):
    answer = lab.send(scheduled(**parameters), rule)
    assert answer.ok, answer.error
    assert judged(lab, rule) == expected


@pytest.mark.parametrize("parameters, expected", CASES.values(), ids=CASES)
def test_events_apply_the_same_test(lab, rule, parameters, expected):
    looked_at = ["ci-runner", "thumbnail-function", "shop-web-node", "shop-legacy-node", "media-encode-node", "payments-auto-node",
                 "payments-former-node", "batch-karpenter-node", *POD_ROLES]  # fmt: skip
    for name in looked_at:
        answer = lab.send(events.event(events.changed(events.role_item(account.role(name))), parameters), rule)
        assert answer.ok, answer.error
    assert judged(lab, rule) == expected & set(looked_at)


def test_a_finding_says_which_cluster_and_by_which_fact(lab, rule):
    assert lab.send(scheduled(), rule).ok
    held = lab.evaluations(rule)
    for name, facts in {
        "media-encode-node": ["node group encode", "media", "eu-west-1"],
        "payments-training-node": ["HYPERPOD_LINUX", "payments"],
        "payments-branch-node": ["HYBRID_LINUX", "payments"],
        "shop-legacy-node": ["kubernetes.io/cluster/shop", "shop"],
        "batch-spot-node": ["alpha.eksctl.io/cluster-name", "batch"],
        "batch-karpenter-node": ["AmazonEKSWorkerNodePolicy"],
    }.items():
        annotation = held[account.role(name).id]["Annotation"]
        assert [fact for fact in facts if fact not in annotation] == [], annotation


def test_a_changed_fargate_profile_reaches_its_role_alone(lab, rule):
    shop = next(cluster for cluster in account.CLUSTERS if cluster.name == "shop")
    assert lab.send(events.event(events.changed(events.fargate_profile_item(shop, "jobs"))), rule).ok
    assert judged(lab, rule) == {"shop-jobs-pod-execution"}


@pytest.mark.parametrize("cluster", account.CLUSTERS, ids=lambda cluster: cluster.name)
def test_a_changed_cluster_reaches_the_roles_that_it_names(lab, rule, cluster):
    assert lab.send(events.event(events.changed(events.cluster_item(cluster))), rule).ok
    named = {*cluster.node_groups.values(), *cluster.fargate_profiles.values(), cluster.auto_mode}
    named |= {role for role, kind in cluster.access_entries.items() if kind != "STANDARD"}
    assert judged(lab, rule) == named - {None}


class TestRegions:
    @pytest.fixture
    def put(self, lab):
        yield lambda regions: lab.control("POST", "regions", {"regions": regions})
        lab.control("POST", "regions", {"regions": REGIONS})

    def asked(self, lab):
        return {call["region"] for call in lab.calls() if call["operation"] == "ListClusters"}

    def test_every_enabled_region_is_asked_and_no_other(self, lab, rule):
        assert lab.send(scheduled(), rule).ok
        assert self.asked(lab) == {name for name, status in REGIONS.items() if status != "DISABLED"}

    def test_a_region_that_was_named_and_is_closed_is_a_fact(self, lab, rule):
        answer = lab.send(scheduled(ClusterRegions="us-east-1,me-south-1"), rule)
        assert answer.ok, answer.error
        assert judged(lab, rule) == NODES - ABROAD

    def test_a_region_that_closes_takes_its_nodes_out(self, lab, rule, put):
        assert lab.send(scheduled(), rule).ok
        put({**REGIONS, "eu-west-1": "DISABLED"})
        assert lab.send(scheduled(), rule).ok
        assert judged(lab, rule) == NODES - ABROAD
        assert lab.evaluations(rule)[account.role("media-encode-node").id]["ComplianceType"] == NOT_APPLICABLE

    def test_a_region_that_fails_fails_the_invocation(self, lab, rule):
        lab.control("POST", "faults", {
            "service": "eks", "operation": "ListClusters", "code": "AccessDeniedException", "status": 403, "times": None,
            "where": {"region": "eu-west-1"},
        })  # fmt: skip
        answer = lab.send(scheduled(), rule)
        assert not answer.ok and "eu-west-1" in answer.error
        assert lab.evaluations(rule) == {}

    def test_a_service_control_policy_is_an_error_that_names_the_parameter(self, lab, rule):
        denied = (
            "User: x is not authorized to perform: eks:ListClusters with an explicit deny in a service control policy"
        )
        lab.control("POST", "faults", {
            "service": "eks", "operation": "ListClusters", "code": "AccessDeniedException", "status": 403, "times": None,
            "message": denied, "where": {"region": "eu-west-1"},
        })  # fmt: skip
        answer = lab.send(scheduled(), rule)
        assert not answer.ok and "ClusterRegions" in answer.error and "eu-west-1" in answer.error
        assert lab.evaluations(rule) == {}
        answer = lab.send(scheduled(ClusterRegions="us-east-1"), rule)
        assert answer.ok, answer.error


class TestCalls:
    """What must cost what: the issue of every AWS call is a promise."""

    def operations(self, lab):
        return [f"{call['service']}:{call['operation']}" for call in lab.calls()]

    def test_a_node_role_while_clusters_are_remembered(self, lab, rule):
        """GetRole, two lists, PutEvaluations; per policy one GetPolicy, per inline policy one GetRolePolicy; nothing else."""
        lab.cold_start()
        for name in ("payments-fraud-node", "shop-gateway-node"):
            assert lab.send(events.event(events.changed(events.role_item(account.role(name)))), rule).ok
        lab.forget_calls()
        role = account.role("payments-fraud-node")
        assert lab.send(events.event(events.changed(events.role_item(role))), rule).ok
        assert sorted(self.operations(lab)) == sorted([
            "iam:GetRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "config:PutEvaluations",
            *["iam:GetPolicy"] * (len(role.managed) + 1), *["iam:GetRolePolicy"] * len(role.inline),
        ])  # fmt: skip

    def test_a_schedule_makes_no_call_twice(self, lab, rule):
        lab.cold_start()
        assert lab.send(scheduled(), rule).ok
        calls = [
            (c["service"], c["operation"], c["region"], str(sorted(c["parameters"].items(), key=str)))
            for c in lab.calls()
        ]
        assert len(calls) == len(set(calls))

    def test_a_schedule_remembers_no_clusters(self, lab, rule):
        for _ in range(2):
            lab.forget_calls()
            assert lab.send(scheduled(), rule).ok
        assert self.operations(lab).count("eks:DescribeCluster") == len(account.CLUSTERS)


def test_verdicts_of_all_nodes(lab, rule):
    assert lab.send(scheduled(), rule).ok
    held = {identity: e["ComplianceType"] for identity, e in lab.evaluations(rule).items()}
    expected = {role.id: role.verdict for role in account.ROLES if role.node}
    assert held == expected and set(expected.values()) == {COMPLIANT, NON_COMPLIANT}
