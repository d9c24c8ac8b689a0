"""The schedule, changes of policies, batches, pages, timestamps, and the parameters that change verdicts."""

import json

import pytest

from helpers import send
from local.lab import account, events, seed

SCHEDULED = events.event(events.scheduled())
NODE_VERDICTS = {role.id: role.verdict for role in account.ROLES if role.node}


def pulling_role(name):
    return account.Role(name, "", account.COMPLIANT, "", managed=("AmazonEC2ContainerRegistryPullOnly",))


def changed(role, parameters=None):
    return events.event(events.changed(events.role_item(role)), parameters)


def test_schedule_evaluates_all_node_roles_and_no_other(lab, rule):
    send(lab, SCHEDULED, rule)
    assert lab.verdicts(rule) == NODE_VERDICTS


def test_short_pages_give_the_same_verdicts(lab, rule):
    lab.control("POST", "page-size", {"size": 1})
    send(lab, SCHEDULED, rule)
    assert lab.verdicts(rule) == NODE_VERDICTS


@pytest.mark.parametrize("name", ["image-cache", "node-boundary"], ids=["attached", "permissions boundary"])
def test_changed_policy_evaluates_the_node_roles_with_it(lab, rule, name):
    policy = account.policy(name)
    send(lab, events.event(events.changed(events.policy_item(policy))), rule)
    users = {role.id for role in account.ROLES if name in role.managed or name == role.boundary}
    verdicts = lab.verdicts(rule)
    assert users and set(verdicts) == users | {policy.id}
    assert {verdicts[identity] for identity in users} == {account.COMPLIANT}


def test_new_default_version_changes_the_verdict(fresh):
    iam, eks = fresh.client("iam"), fresh.client("eks")
    policy = account.Policy("team", (account.document(account.allow(account.PULL_ACTIONS)),))
    seed.create_policy(iam, policy)
    role = account.Role("team-node", "", account.COMPLIANT, "")
    seed.create_role(iam, role)
    iam.attach_role_policy(RoleName=role.name, PolicyArn=policy.arn)
    seed.create_cluster(eks, account.Cluster("team", "CONFIG_MAP"))
    seed.create_node_group(eks, "team", "all", role.arn)
    policy_changed = events.event(events.changed(events.policy_item(policy)))
    send(fresh, policy_changed)
    assert fresh.verdicts()[role.id] == account.COMPLIANT

    push = json.dumps(account.document(account.allow("ecr:PutImage")))
    iam.create_policy_version(PolicyArn=policy.arn, PolicyDocument=push, SetAsDefault=True)
    send(fresh, policy_changed)
    assert fresh.verdicts()[role.id] == account.NON_COMPLIANT


def test_schedule_clears_roles_that_are_no_longer_node_roles(fresh):
    """With more than one page of earlier verdicts, and more than one batch of evaluations."""
    iam, eks = fresh.client("iam"), fresh.client("eks")
    roles = [pulling_role(f"team-{number:03}-node") for number in range(101)]
    seed.create_cluster(eks, account.Cluster("kept", "CONFIG_MAP"))
    for number, role in enumerate(roles):
        seed.create_role(iam, role)
        seed.create_node_group(eks, "kept", f"group-{number:03}", role.arn)
    send(fresh, SCHEDULED)
    sizes = [len(c["parameters"]["Evaluations"]) for c in fresh.calls() if c["operation"] == "PutEvaluations"]
    assert sorted(sizes) == [1, 100]
    assert set(fresh.verdicts().values()) == {account.COMPLIANT}

    for number in range(1, 101):
        eks.delete_nodegroup(clusterName="kept", nodegroupName=f"group-{number:03}")
    fresh.cold_start()
    send(fresh, SCHEDULED)
    verdicts = fresh.verdicts()
    assert verdicts.pop(roles[0].id) == account.COMPLIANT
    assert len(verdicts) == 100 and set(verdicts.values()) == {account.NOT_APPLICABLE}


def test_account_without_clusters_has_no_evaluations(fresh):
    fresh.new_token()
    send(fresh, SCHEDULED)
    assert fresh.evaluations() == {}


WEB_NODE = account.role("shop-web-node")
ORDERING = {
    "schedule: time of the notification": (SCHEDULED, events.NOTIFIED),
    "change: time of the item": (changed(WEB_NODE), events.CAPTURED),
    "oversized: time of the item": (events.event(events.oversized(events.role_item(WEB_NODE))), events.CAPTURED),
    "deleted: time of the item": (events.event(events.changed(events.deleted_role_item(WEB_NODE))), events.CAPTURED),
}


@pytest.mark.parametrize("event, time", ORDERING.values(), ids=ORDERING)
def test_ordering_timestamp_is_the_time_of_the_event(lab, rule, event, time):
    send(lab, event, rule)
    assert lab.evaluations(rule)[WEB_NODE.id]["OrderingTimestamp"].startswith(time[:-1])


@pytest.mark.parametrize(
    "parameters, name, verdict",
    [
        ({"AllowedAccess": "pull-only"}, "shop-search-node", account.NON_COMPLIANT),
        ({"AllowedAccess": "pull-only"}, "shop-web-node", account.COMPLIANT),
        ({"AllowedAccess": "cis"}, "shop-web-node", account.NON_COMPLIANT),
        ({"AllowedAccess": "cis", "RequirePullAccess": "true"}, "payments-fraud-node", account.COMPLIANT),
        ({"AdditionalAllowedActions": "ecr:CreateRepository"}, "shop-gateway-node", account.COMPLIANT),
    ],
)
def test_parameter_changes_the_verdict(lab, rule, parameters, name, verdict):
    role = account.role(name)
    send(lab, changed(role, parameters), rule)
    assert lab.verdicts(rule)[role.id] == verdict


def test_replaced_role_gets_no_verdict_of_the_old_role(lab, rule):
    item, old_id = events.role_item(WEB_NODE), "AROAOLDOLDOLDOLDOLDOL"
    item["resourceId"] = item["configuration"]["roleId"] = old_id
    send(lab, events.event(events.changed(item)), rule)
    assert lab.verdicts(rule) == {old_id: account.NOT_APPLICABLE}
