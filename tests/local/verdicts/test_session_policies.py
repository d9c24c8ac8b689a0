"""Session policies of EKS Pod Identity: the verdict on a role is the worst one on its sessions."""

import json

import pytest

from helpers import assert_annotation, send
from local.lab import account, events, seed
from local.lab.account import COMPLIANT, NON_COMPLIANT

PULL = account.document(account.allow(account.PULL_ACTIONS))
PUSH = account.document(account.allow("ecr:PutImage"))
SCHEDULED = events.event(events.scheduled(), {"IncludeServiceAccountRoles": "true"})


def writing_role(name):
    everything = {"everything": account.document(account.allow("ecr:*"))}
    return account.Role(name, "", NON_COMPLIANT, "", inline=everything, trust=account.POD)


@pytest.fixture
def pods(fresh):
    """A lab with the cluster `team`. `pods(role, service_account, ...)` creates a role and an association with it."""
    eks = fresh.client("eks")
    seed.create_cluster(eks, account.Cluster("team", "API"))
    roles = {}

    def create(role, service_account, policy=None, target=None):
        for name in (role, target):
            if name and name not in roles:
                roles[name] = writing_role(name)
                seed.create_role(fresh.client("iam"), roles[name])
        limits = {"policy": json.dumps(policy), "disableSessionTags": True} if policy is not None else {}
        if target:
            limits["targetRoleArn"] = roles[target].arn
        answer = eks.create_pod_identity_association(
            clusterName="team", namespace="apps", serviceAccount=service_account, roleArn=roles[role].arn, **limits
        )
        return answer["association"]

    create.lab, create.roles, create.eks = fresh, roles, eks
    return create


def evidence(lab, role):
    lines = [json.loads(line) for line in lab.function_log().splitlines() if '"verdict"' in line]
    return json.loads([line["evidence"] for line in lines if line.get("resourceId") == role.id][-1])


def test_session_policy_limits_the_sessions_of_its_association(pods):
    limited = pods("limited", "app", PULL)
    pods("shared", "shared-app", PULL)
    pods("shared", "shared-web")
    pods("pushing", "pushing-app", PUSH)
    pods("first", "chained-app", PULL, target="target")
    lab, roles = pods.lab, pods.roles
    send(lab, SCHEDULED)
    verdicts = {name: lab.verdicts()[role.id] for name, role in roles.items()}
    assert verdicts == {
        "limited": COMPLIANT,
        "shared": NON_COMPLIANT,
        "pushing": NON_COMPLIANT,
        "first": NON_COMPLIANT,
        "target": COMPLIANT,
    }
    annotations = {name: lab.evaluations()[role.id]["Annotation"] for name, role in roles.items()}
    assert_annotation(annotations["shared"], "shared", "Pod Identity apps/shared-web", "and 1 more")
    assert_annotation(annotations["pushing"], "pushing", "can call ecr:PutImage (everything, statement 0)")
    found = evidence(lab, roles["shared"])["sessions"]
    assert [(one["compliance"], one["session_policy"] is None) for one in found] == [
        (NON_COMPLIANT, True),
        (COMPLIANT, False),
    ]
    (only,) = evidence(lab, roles["limited"])["sessions"]
    assert only["session_policy"] == limited["associationArn"]
    assert only["node_of"] == ["Pod Identity apps/app of cluster team, us-east-1"]
    assert "sessions" not in evidence(lab, roles["first"])

    # A new session policy shows with the next schedule. One call describes an association, with its policy.
    lab.forget_calls()
    named = {"clusterName": "team", "associationId": limited["associationId"]}
    pods.eks.update_pod_identity_association(**named, policy=json.dumps(PUSH))
    send(lab, SCHEDULED)
    assert lab.verdicts()[roles["limited"].id] == NON_COMPLIANT
    operations = [call["operation"] for call in lab.calls()]
    assert operations.count("ListPodIdentityAssociations") == 1
    assert operations.count("DescribePodIdentityAssociation") == 5


def test_malformed_session_policy_is_an_error_of_its_role(pods):
    association = pods("broken", "app", account.document({"Effect": "Perhaps", "Action": "*", "Resource": "*"}))
    pods("limited", "web", PULL)
    answer = pods.lab.send(SCHEDULED)
    assert not answer.ok and answer.payload["errorType"] == "RolesUnreadable"
    assert "`broken`" in answer.error and association["associationArn"] in answer.error
    assert pods.lab.verdicts() == {pods.roles["limited"].id: COMPLIANT}


def test_only_tag_of_a_cluster_left_out_outweighs_a_worker_policy(fresh):
    iam, eks = fresh.client("iam"), fresh.client("eks")
    for name in ("team", "other"):
        seed.create_cluster(eks, account.Cluster(name, "CONFIG_MAP"))
    managed = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
    roles = {
        name: account.Role(
            f"{name}-node", "", "", "", managed=managed, tags={f"kubernetes.io/cluster/{name}": "owned"},
            instance_profile={},
        )
        for name in ("team", "other", "deleted")
    }  # fmt: skip
    for role in roles.values():
        seed.create_role(iam, role)
    send(fresh, events.event(events.scheduled(), {"ClusterNames": "team"}))
    assert fresh.verdicts() == {roles["team"].id: COMPLIANT, roles["deleted"].id: COMPLIANT}
