"""The schedule, the fan-out of a policy, batches, pages and timestamps."""

import pytest

from local.lab import account, events, seed

SCHEDULED = events.event(events.scheduled())
NODES = {role.id for role in account.ROLES if role.node}


def plain_role(name, **more):
    return account.Role(name, "", account.COMPLIANT, "", managed=("AmazonEC2ContainerRegistryPullOnly",), **more)


def test_a_schedule_evaluates_every_node_role_and_no_other(lab, rule):
    assert lab.send(SCHEDULED, rule).ok
    assert set(lab.evaluations(rule)) == NODES


def test_short_pages_are_followed_to_the_end(lab, rule):
    lab.control("POST", "page-size", {"size": 1})
    assert lab.send(SCHEDULED, rule).ok
    held = lab.evaluations(rule)
    assert {role.id: held[role.id]["ComplianceType"] for role in account.ROLES if role.node} == {
        role.id: role.verdict for role in account.ROLES if role.node
    }


@pytest.mark.parametrize("name", ["image-cache", "node-boundary"])
def test_a_policy_fans_out_to_the_node_roles_that_use_it(lab, rule, name):
    """image-cache is attached; node-boundary is a permissions boundary only."""
    policy = account.policy(name)
    assert lab.send(events.event(events.changed(events.policy_item(policy))), rule).ok
    users = {role.id for role in account.ROLES if name in role.managed or name == role.boundary}
    held = lab.evaluations(rule)
    assert users and set(held) == users | {policy.id}
    assert {held[identity]["ComplianceType"] for identity in users} == {account.COMPLIANT}


def test_a_new_default_version_changes_the_verdict(fresh):
    iam, eks = fresh.client("iam"), fresh.client("eks")
    policy = account.Policy("team", (account.document(account.allow(account.PULL_ACTIONS)),))
    seed.create_policy(iam, policy)
    role = account.Role("team-node", "", account.COMPLIANT, "")
    seed.create_role(iam, role)
    iam.attach_role_policy(RoleName=role.name, PolicyArn=policy.arn)
    seed.create_cluster(eks, account.Cluster("team", "CONFIG_MAP"))
    seed.create_node_group(eks, "team", "all", role.arn)
    changed = events.event(events.changed(events.policy_item(policy)))
    assert fresh.send(changed).ok
    assert fresh.evaluations()[role.id]["ComplianceType"] == account.COMPLIANT

    document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:PutImage","Resource":"*"}]}'
    iam.create_policy_version(PolicyArn=policy.arn, PolicyDocument=document, SetAsDefault=True)
    assert fresh.send(changed).ok
    assert fresh.evaluations()[role.id]["ComplianceType"] == account.NON_COMPLIANT


def test_the_schedule_clears_what_is_no_longer_a_node_role(fresh):
    """More than one page of earlier verdicts, and more than one batch of answers."""
    iam, eks = fresh.client("iam"), fresh.client("eks")
    roles = [plain_role(f"team-{number:03}-node") for number in range(101)]
    seed.create_cluster(eks, account.Cluster("kept", "CONFIG_MAP"))
    for number, role in enumerate(roles):
        seed.create_role(iam, role)
        seed.create_node_group(eks, "kept", f"group-{number:03}", role.arn)
    assert fresh.send(SCHEDULED).ok
    sizes = [len(c["parameters"]["Evaluations"]) for c in fresh.calls() if c["operation"] == "PutEvaluations"]
    assert sorted(sizes) == [1, 100]
    assert {e["ComplianceType"] for e in fresh.evaluations().values()} == {account.COMPLIANT}

    for number in range(1, 101):
        eks.delete_nodegroup(clusterName="kept", nodegroupName=f"group-{number:03}")
    fresh.cold_start()
    assert fresh.send(SCHEDULED).ok
    held = {identity: e["ComplianceType"] for identity, e in fresh.evaluations().items()}
    assert held.pop(roles[0].id) == account.COMPLIANT
    assert len(held) == 100 and set(held.values()) == {account.NOT_APPLICABLE}


def test_an_account_without_clusters(fresh):
    fresh.new_token()
    answer = fresh.send(SCHEDULED)
    assert answer.ok, answer.error
    assert fresh.evaluations() == {}


@pytest.mark.parametrize(
    "event, instant",
    [
        (SCHEDULED, events.NOTIFIED),
        (events.event(events.changed(events.role_item(account.role("shop-web-node")))), events.CAPTURED),
        (events.event(events.oversized(events.role_item(account.role("shop-web-node")))), events.CAPTURED),
        (events.event(events.changed(events.deleted_role_item(account.role("shop-web-node")))), events.CAPTURED),
    ],
    ids=["schedule: when the notification was made", "change: when the item was captured", "oversized", "deleted"],
)
def test_ordering_timestamp(lab, rule, event, instant):
    assert lab.send(event, rule).ok
    assert lab.evaluations(rule)[account.role("shop-web-node").id]["OrderingTimestamp"].startswith(instant[:-1])


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
def test_parameters(lab, rule, parameters, name, verdict):
    role = account.role(name)
    assert lab.send(events.event(events.changed(events.role_item(role)), parameters), rule).ok
    assert lab.evaluations(rule)[role.id]["ComplianceType"] == verdict


def test_a_role_replaced_under_its_name_gets_no_verdict_of_the_other(lab, rule):
    role = account.role("shop-web-node")
    item = events.role_item(role)
    item["resourceId"] = item["configuration"]["roleId"] = "AROAOLDOLDOLDOLDOLDOL"
    assert lab.send(events.event(events.changed(item)), rule).ok
    assert role.id not in lab.evaluations(rule)
    assert lab.evaluations(rule)["AROAOLDOLDOLDOLDOLDOL"]["ComplianceType"] == account.NOT_APPLICABLE
