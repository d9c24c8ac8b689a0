"""Which roles are node roles: parameters that add, exempt and narrow roles, regions, and the calls that this takes."""

from datetime import datetime, timedelta, timezone

import pytest

from helpers import assert_annotation, send
from local.identifiers import ACCOUNT, REGION, REGIONS
from local.lab import account, events
from local.lab.account import NOT_APPLICABLE

NODES = {role.name for role in account.ROLES if role.node}
IN_OTHER_REGION = {role for c in account.CLUSTERS if c.region != REGION for role in c.node_groups.values()}
POD_ROLES = {role for c in account.CLUSTERS for role in (*c.pod_identities.values(), *c.addons.values())}


def of_clusters(*names):
    return {role.name for role in account.ROLES if role.node.split(":")[0] in names}


def scheduled(**parameters):
    return events.event(events.scheduled(), parameters)


def changed(name, parameters=None):
    return events.event(events.changed(events.role_item(account.role(name))), parameters)


def evaluated(lab, rule):
    """The names of the roles that are COMPLIANT or NON_COMPLIANT."""
    names = {role.id: role.name for role in account.ROLES}
    return {names[identity] for identity, verdict in lab.verdicts(rule).items() if verdict != NOT_APPLICABLE}


CASES = {
    "no parameter": ({}, NODES),
    "NodeRoles adds by name": ({"NodeRoles": "ci-runner"}, NODES | {"ci-runner"}),
    "NodeRoles adds by pattern, with any trust policy": (
        {"NodeRoles": "ci-*, thumbnail-*"},
        NODES | {"ci-runner", "thumbnail-function"},
    ),
    "NodeRoles adds by ARN": (
        {"NodeRoles": f"arn:aws:iam::{ACCOUNT}:role/service-role/*"},
        NODES | {"thumbnail-function"},
    ),
    "ExemptRoles exempts": ({"ExemptRoles": "shop-*"}, {name for name in NODES if not name.startswith("shop-")}),
    "ExemptRoles wins over NodeRoles": ({"NodeRoles": "ci-runner", "ExemptRoles": "ci-*"}, NODES),
    "ExemptTag exempts": ({"ExemptTag": "team=storefront"}, NODES - {"shop-web-node"}),
    "ExemptTag with another value": ({"ExemptTag": "team=payments"}, NODES),
    "ExemptUntilTag with a value that is not a date": ({"ExemptUntilTag": "team"}, NODES),
    "ClusterRegions narrows": ({"ClusterRegions": "eu-west-1"}, IN_OTHER_REGION),
    "ClusterRegions with several regions": ({"ClusterRegions": "us-east-1,eu-west-1"}, NODES),
    "ClusterNames narrows": ({"ClusterNames": "pay*,media"}, of_clusters("payments", "media")),
    "IncludeServiceAccountRoles": ({"IncludeServiceAccountRoles": "true"}, NODES | POD_ROLES),
}


@pytest.mark.parametrize("parameters, expected", CASES.values(), ids=CASES)
def test_schedule_evaluates_the_selected_roles(lab, rule, parameters, expected):
    send(lab, scheduled(**parameters), rule)
    assert evaluated(lab, rule) == expected


@pytest.mark.parametrize("parameters, expected", CASES.values(), ids=CASES)
def test_change_events_select_the_same_roles(lab, rule, parameters, expected):
    names = ["ci-runner", "thumbnail-function", "shop-web-node", "shop-legacy-node", "media-encode-node",
             "payments-auto-node", "payments-former-node", "batch-karpenter-node", *POD_ROLES]  # fmt: skip
    for name in names:
        send(lab, changed(name, parameters), rule)
    assert evaluated(lab, rule) == expected & set(names)


@pytest.mark.parametrize("event", [scheduled, lambda **parameters: changed("shop-web-node", parameters)])
def test_date_in_a_tag_exempts_until_it_has_passed(lab, rule, event):
    iam, role = lab.client("iam"), account.role("shop-web-node")
    today = datetime.now(timezone.utc).date()
    try:
        for days, verdict, text in [
            (1, NOT_APPLICABLE, "is exempt until {}: the parameter ExemptUntilTag names its tag ecr-exempt-until."),
            (-2, role.verdict, "Its exemption ended on {}."),
        ]:
            day = str(today + timedelta(days))
            iam.tag_role(RoleName=role.name, Tags=[{"Key": "ecr-exempt-until", "Value": day}])
            answer = send(lab, event(ExemptUntilTag="ecr-exempt-until"), rule)
            evaluation = lab.evaluations(rule)[role.id]
            assert evaluation["ComplianceType"] == verdict
            assert_annotation(evaluation["Annotation"], role.name, text.format(day))
            assert answer.payload["rolesExempt"] == (verdict == NOT_APPLICABLE)
    finally:
        iam.untag_role(RoleName=role.name, TagKeys=["ecr-exempt-until"])


FACTS = {
    "media-encode-node": ["node group encode", "media", "eu-west-1"],
    "payments-training-node": ["HYPERPOD_LINUX", "payments"],
    "payments-branch-node": ["HYBRID_LINUX", "payments"],
    "shop-legacy-node": ["kubernetes.io/cluster/shop", "shop"],
    "batch-spot-node": ["alpha.eksctl.io/cluster-name", "batch"],
    "batch-karpenter-node": ["AmazonEKSWorkerNodePolicy"],
}


def test_annotation_names_the_cluster_and_the_fact(lab, rule):
    send(lab, scheduled(), rule)
    evaluations = lab.evaluations(rule)
    for name, facts in FACTS.items():
        assert_annotation(evaluations[account.role(name).id]["Annotation"], name, *facts)


def test_every_annotation_starts_with_the_role_name(lab, rule):
    send(lab, scheduled(), rule)
    evaluations = lab.evaluations(rule)
    for name in NODES:
        assert_annotation(evaluations[account.role(name).id]["Annotation"], name)


def test_changed_fargate_profile_evaluates_its_role_only(lab, rule):
    shop = next(cluster for cluster in account.CLUSTERS if cluster.name == "shop")
    send(lab, events.event(events.changed(events.fargate_profile_item(shop, "jobs"))), rule)
    assert evaluated(lab, rule) == {"shop-jobs-pod-execution"}


@pytest.mark.parametrize("cluster", account.CLUSTERS, ids=lambda cluster: cluster.name)
def test_changed_cluster_evaluates_the_roles_it_names(lab, rule, cluster):
    send(lab, events.event(events.changed(events.cluster_item(cluster))), rule)
    named = {*cluster.node_groups.values(), *cluster.fargate_profiles.values(), cluster.auto_mode}
    named |= {role for role, kind in cluster.access_entries.items() if kind != "STANDARD"}
    assert evaluated(lab, rule) == named - {None}


class TestRegions:
    @pytest.fixture
    def set_regions(self, lab):
        yield lambda regions: lab.control("POST", "regions", {"regions": regions})
        lab.control("POST", "regions", {"regions": REGIONS})

    def test_enabled_regions_are_read_and_no_other(self, lab, rule):
        send(lab, scheduled(), rule)
        read = {call["region"] for call in lab.calls() if call["operation"] == "ListClusters"}
        assert read == {name for name, status in REGIONS.items() if status != "DISABLED"}

    def test_disabled_region_in_a_parameter_has_no_nodes(self, lab, rule):
        send(lab, scheduled(ClusterRegions="us-east-1,me-south-1"), rule)
        assert evaluated(lab, rule) == NODES - IN_OTHER_REGION

    def test_newly_disabled_region_clears_its_node_roles(self, lab, rule, set_regions):
        send(lab, scheduled(), rule)
        set_regions({**REGIONS, "eu-west-1": "DISABLED"})
        send(lab, scheduled(), rule)
        assert evaluated(lab, rule) == NODES - IN_OTHER_REGION
        assert lab.verdicts(rule)[account.role("media-encode-node").id] == NOT_APPLICABLE

    def test_region_denied_by_an_scp_is_skipped_or_an_error(self, lab, rule):
        """A service control policy denies one region. Skipping keeps its verdicts; an error names it and the parameters."""
        send(lab, scheduled(), rule)
        before = lab.verdicts(rule)
        message = (
            "User: x is not authorized to perform: eks:ListClusters with an explicit deny in a service control policy"
        )
        lab.inject_fault(
            "eks", "ListClusters", code="AccessDeniedException", status=403, times=None, message=message,
            where={"region": "eu-west-1"},
        )  # fmt: skip
        send(lab, scheduled(), rule)
        assert lab.verdicts(rule) == before
        answer = lab.send(scheduled(DeniedRegions="error"), rule)
        assert not answer.ok and "eu-west-1" in answer.error and "DeniedRegions" in answer.error
        assert lab.verdicts(rule) == before
        send(lab, scheduled(ClusterRegions="us-east-1"), rule)


class TestCalls:
    """The number of AWS calls is documented."""

    def operations(self, lab):
        return [f"{call['service']}:{call['operation']}" for call in lab.calls()]

    def test_node_role_with_cached_clusters_needs_few_calls(self, lab, rule):
        """GetRole, two lists, GetPolicy for each policy, GetRolePolicy for each inline policy, PutEvaluations."""
        lab.cold_start()
        for name in ("payments-fraud-node", "shop-gateway-node"):
            send(lab, changed(name), rule)
        lab.forget_calls()
        role = account.role("payments-fraud-node")
        send(lab, changed(role.name), rule)
        assert sorted(self.operations(lab)) == sorted([
            "iam:GetRole", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies", "config:PutEvaluations",
            *["iam:GetPolicy"] * (len(role.managed) + 1), *["iam:GetRolePolicy"] * len(role.inline),
        ])  # fmt: skip

    def test_schedule_makes_no_call_twice(self, lab, rule):
        lab.cold_start()
        send(lab, scheduled(), rule)
        calls = [
            (c["service"], c["operation"], c["region"], str(sorted(c["parameters"].items(), key=str)))
            for c in lab.calls()
        ]
        assert len(calls) == len(set(calls))

    def test_schedule_does_not_use_cached_clusters(self, lab, rule):
        for _ in range(2):
            lab.forget_calls()
            send(lab, scheduled(), rule)
        assert self.operations(lab).count("eks:DescribeCluster") == len(account.CLUSTERS)
