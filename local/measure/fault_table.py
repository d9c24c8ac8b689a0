"""Faults as a table: every operation that the function uses × every way in which AWS can fail → what comes of it.

    python -m local.measure.fault_table [--binary PATH] [--fault NAME] [--operation NAME]      prints the table: `make faults`

Which operations the function uses is not written down here: each trigger is sent once with nothing planted, and what
the function then asks are the rows. A cell plants one fault on one operation, starts the function anew and sends the
trigger again. Right is: every verdict as without the fault, or a failed invocation that names the operation, and no
verdict on a role that the failed calls were about. An entity that is gone is no error; what was true before or after
it went may be said. Nothing else, and never COMPLIANT of what is not. Findings are held to the same: each is right, or
as it was before; and where Security Hub fails, every verdict has been stored.
"""

import argparse
import queue
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from local.identifiers import ACCOUNT, REGION, unique_id
from local.lab import account, events
from local.lab.account import Role, allow, document
from local.lab.lab import TIMED_OUT, Lab, default_binary
from local.lab.processes import ProgramFailed

FINDING = "finding of "
OTHER_REGION = "eu-west-1"
BEFORE, BEFORE_AT = "said before", "2026-11-01T00:00:00.000Z"
STALE = ("AROASTALE000000000001", "AROASTALE000000000002")
# Seconds that an invocation has where AWS is too slow or throttles for ever, and otherwise; and seconds that AWS takes.
SHORT, LONG, SLOW = 6.0, 90.0, 9.0
# Of the whole invocation, or with findings alone, when the verdicts are stored.
OUT_OF_TIME, OUT_OF_TIME_WITH_FINDINGS = "OutOfTime", "FindingsNotImported: not done with findings"


def managed(name):
    return f"arn:aws:iam::aws:policy/{name}"


def own(name):
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def arn(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


# The account. Of what comes in a list there are two, and where it matters it is the second that decides a verdict: whoever
# loses it says COMPLIANT of what is not.
PUSH, PULL = document(allow("ecr:PutImage", sid="Push")), document(allow(account.PULL_ACTIONS, sid="Pull"))
# More than are read one by one: these, and their policies, come out of lists in detail.
MANY = [f"many-{n:02}" for n in range(33)]
POLICIES = [
    {"name": "team", "document": PUSH},
    {"name": "bound", "document": PULL},
    *({"name": name, "document": PUSH if n % 2 else PULL} for n, name in enumerate(MANY)),
]
WORKER, PULL_ONLY = managed("AmazonEKSWorkerNodePolicy"), managed("AmazonEC2ContainerRegistryPullOnly")
ROLES = {
    "pulls": {"managed": [WORKER, PULL_ONLY]},
    "pushes": {"managed": [WORKER], "inline": {"a-pull": PULL, "b-push": PUSH}},
    "team": {"managed": [WORKER, own("team")], "inline": {"a-pull": PULL}},
    "bounded": {"managed": [WORKER], "inline": {"a-all": document(allow("ecr:*"))}, "boundary": own("bound")},
    "team-bounded": {"managed": [WORKER, own("team")], "boundary": own("bound")},
    "entry": {"managed": [WORKER, own("team")]},
    "jobs": {
        "managed": [managed("AmazonEKSFargatePodExecutionRolePolicy")],
        "trust": account.trusted_by("eks-fargate-pods.amazonaws.com"),
    },
    "self-managed": {
        "managed": [PULL_ONLY, own("team")],
        "instance_profile": {"name": "a", "tags": {"kubernetes.io/cluster/two": "owned"}},
    },
    "self-managed-too": {
        "inline": {"a-push": PUSH},
        "instance_profile": {"name": "b", "tags": {"kubernetes.io/cluster/two": "owned"}},
    },
    "abroad": {"managed": [WORKER, own("team")]},
    "pod": {"inline": {"a-push": PUSH}, "trust": account.POD},
    "addon": {"inline": {"a-push": PUSH}, "trust": account.POD},
    "signed-in": {
        "inline": {"a-push": PUSH},
        "trust": account.trusted_by_service_account(REGION, "two", "default:web"),
    },
    "function": {"inline": {"a-push": PUSH}, "trust": account.trusted_by("lambda.amazonaws.com")},
    "unused": {"inline": {"a-push": PUSH}},
    **{name: {"managed": [PULL_ONLY, own(name)]} for name in MANY},
}
CLUSTERS = {
    REGION: [
        {
            "name": "one",
            "mode": "API_AND_CONFIG_MAP",
            "node_groups": {"a": arn("pulls"), "b": arn("pushes")},
            "access_entries": {arn("entry"): "EC2", arn("unused"): "STANDARD"},
            "fargate_profiles": {"a": arn("jobs"), "b": arn("jobs")},
            "pod_identities": {"default:a": arn("pod"), "default:b": arn("pod")},
            "addons": {"a-cni": arn("addon"), "b-csi": arn("addon")},
        },
        {
            "name": "two",
            "mode": "CONFIG_MAP",
            "node_groups": {"a": arn("team"), "b": arn("bounded"), "c": arn("team-bounded")},
        },
    ],
    # Of each kind of part one, so that every operation is asked here too.
    OTHER_REGION: [
        {
            "name": "abroad",
            "mode": "API",
            "node_groups": {"a": arn("abroad")},
            "fargate_profiles": {"a": arn("jobs")},
            "pod_identities": {"default:a": arn("pod")},
            "addons": {"a-cni": arn("addon")},
        }
    ],
}
REGIONS = {REGION: "ENABLED_BY_DEFAULT", OTHER_REGION: "ENABLED_BY_DEFAULT"}


def _role(name):
    """The role as `events.py` describes roles."""
    data = ROLES[name]
    names = tuple(each.rsplit("/", 1)[-1] for each in data.get("managed", ()))
    return Role(name, "", "", "", managed=names, inline=data.get("inline", {}), trust=data.get("trust", account.EC2))


def _policy_changed(name):
    policy = account.Policy(name, (next(p["document"] for p in POLICIES if p["name"] == name),))
    return events.event(events.changed(events.policy_item(policy)))


def bulk(roles):
    """Roles as `bulk_create.py` describes them."""
    return [{"trust": account.EC2, **data, "name": name} for name, data in roles.items()]


# The account that the function reaches by a role there: one node role, which pushes.
THERE = "210987654321"
THERE_POLICY = document(
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
)
ROLES_THERE = {"audit": {"trust": THERE_POLICY}, "there": {"inline": {"a-pull": PULL, "b-push": PUSH}}}
CLUSTERS_THERE = [{"name": "there", "mode": "CONFIG_MAP", "node_groups": {"a": arn("there").replace(ACCOUNT, THERE)}}]


FINDINGS = {"SecurityHubFindings": "true"}


def _schedule_there():
    parameters = {"ExecutionRoleName": "audit", "ExecutionRoleRegion": REGION, "ClusterRegions": REGION, **FINDINGS}
    return {**events.event({**events.scheduled(), "awsAccountId": THERE}, parameters), "accountId": THERE}


# In this order: the first trigger that uses an operation shows what its faults come to.
TRIGGERS = {
    "schedule": events.event(events.scheduled()),
    "role changed": events.event(events.oversized(events.role_item(_role("pushes")))),
    "policy changed": _policy_changed("team"),
    "boundary changed": _policy_changed("bound"),
    "cluster changed": events.event(events.changed(events.cluster_item(account.Cluster("one", "API_AND_CONFIG_MAP")))),
    "schedule, pods too": events.event(events.scheduled(), {"IncludeServiceAccountRoles": "true"}),
    "schedule, many roles": events.event(events.scheduled(), {"NodeRoles": ",".join(MANY)}),
    "schedule, findings": events.event(events.scheduled(), FINDINGS),
    "schedule of another account": _schedule_there(),
}

# How each service words what can befall any operation: its own errors where its model has one, else the common ones.
THROTTLED = {
    "account": ("TooManyRequestsException", 429),
    "config": ("ThrottlingException", 400),
    "eks": ("ThrottlingException", 429),
    "iam": ("Throttling", 400),
    "securityhub": ("TooManyRequestsException", 429),
    "sts": ("Throttling", 400),
}
BROKEN = {
    "account": "InternalServerException",
    "config": "InternalFailure",
    "eks": "ServerException",
    "iam": "ServiceFailure",
    "securityhub": "InternalException",
    "sts": "InternalFailure",
}
DENIED = {"iam": "AccessDenied", "sts": "AccessDenied"}
UNKNOWN = {"iam": "InvalidClientTokenId", "sts": "InvalidClientTokenId"}


def _throttled(service, times):
    code, status = THROTTLED[service]
    return {"code": code, "status": status, "times": times, "message": "Rate exceeded"}


def _unknown_token(service):
    """Of EKS, which is asked in every region, one region alone says so: that may not be taken for a region without nodes."""
    where = {"region": OTHER_REGION} if service == "eks" else {}
    return {"code": UNKNOWN.get(service, "UnrecognizedClientException"), "status": 403, "times": None, "where": where}


# What is planted for each fault. "passes": what the SDK's retries must carry through.
FAULTS = {
    "throttled once": lambda service: {"passes": True, **_throttled(service, 1)},
    "throttled for ever": lambda service: _throttled(service, None),
    "500": lambda service: {"code": BROKEN[service], "status": 500, "times": None},
    "access denied": lambda service: {
        "code": DENIED.get(service, "AccessDeniedException"),
        "status": 403,
        "times": None,
    },
    "token unknown": _unknown_token,
    "reset once": lambda _: {"passes": True, "kind": "reset"},
    "connection reset": lambda _: {"kind": "reset", "times": None},
    "too slow": lambda _: {"kind": "slow", "seconds": SLOW, "times": None},
    "malformed": lambda _: {"kind": "malformed", "times": None},
    "page 2 fails": lambda service: {"code": BROKEN[service], "status": 500, "later_pages": True, "times": None},
    "deleted": lambda _: {"kind": "deleted"},
}


@dataclass(frozen=True)
class Cell:
    fault: str
    trigger: str
    service: str
    operation: str
    # What the call lists, where one operation lists things that are read for different ends; else empty.
    of: str = ""

    @property
    def row(self):
        return self.service, self.operation, self.of

    def __str__(self):
        return f"{row_name(self.row)} {self.fault} ({self.trigger})"


def row_name(row):
    service, operation, of = row
    return f"{service}:{operation}" + (f" of {of}" if of else "")


def row_of(call):
    return call["service"], call["operation"], ",".join(call["parameters"].get("Filter", ()))


@dataclass
class Outcome:
    """What a cell came to in a word, and all that is wrong with it."""

    word: str
    wrong: list = field(default_factory=list)
    seconds: float = 0.0


class Table:
    """The cells, and a lab to run them in. Of each trigger, `truth` is what the function says with nothing planted, and
    `calls` what it then asks."""

    def __init__(self, lab):
        self.lab = lab
        self.truth, self.calls, self._paged = {}, {}, {}
        self._rules = 0
        lab.control("POST", "regions", {"regions": REGIONS})
        lab.control("POST", "entities", {"policies": POLICIES, "roles": bulk(ROLES)})
        for region, clusters in CLUSTERS.items():
            lab.control("POST", "entities", {"region": region, "clusters": clusters})
        lab.control("POST", "entities", {"account": THERE, "roles": bulk(ROLES_THERE), "clusters": CLUSTERS_THERE})
        self._role_ids = {name: unique_id("AROA", name) for name in (*ROLES, *ROLES_THERE)}
        lab.control("POST", "snapshot", {})
        self._deletable = {tuple(each) for each in lab.control("GET", "deletable")}
        for trigger in TRIGGERS:
            answer, self.truth[trigger], calls = self._send(trigger)
            assert answer.ok, f"{trigger} fails with nothing planted: {answer.error}"
            self.calls[trigger] = calls
            answer, verdicts, calls = self._send(trigger, page_size=1)
            assert answer.ok and verdicts == self.truth[trigger], f"{trigger} changes its answer with the size of pages"
            self._paged[trigger] = {row_of(c) for c in calls if _later(c)}

    def rows(self):
        """Every operation the function uses, and what it lists by it, with the first trigger that uses it."""
        first = {}
        for trigger, calls in self.calls.items():
            for call in calls:
                first.setdefault(row_of(call), trigger)
        return first

    def cells(self, faults=FAULTS):
        """The cells that can be: not every list has pages, and not everything can go."""
        for row, first in self.rows().items():
            for fault in faults:
                triggers = [first]
                if fault == "page 2 fails":
                    triggers = [trigger for trigger in TRIGGERS if row in self._paged[trigger]][:1]
                if fault == "deleted" and row[:2] not in self._deletable:
                    triggers = []
                for trigger in triggers:
                    yield Cell(fault, trigger, *row)

    def run(self, cell):
        planted = FAULTS[cell.fault](cell.service)
        passes = planted.pop("passes", False)
        where = {**planted.pop("where", {}), **({"Filter": cell.of.split(",")} if cell.of else {})}
        begun = time.monotonic()
        answer, said, calls = self._send(
            cell.trigger,
            {"service": cell.service, "operation": cell.operation, "where": where, **planted},
            page_size=1 if cell.fault == "page 2 fails" else None,
            seconds=SHORT if cell.fault in ("too slow", "throttled for ever") else LONG,
        )
        truths = [self.truth[cell.trigger]]
        if cell.fault == "deleted":
            truths.append(self._send(cell.trigger)[1])
            self.lab.control("PUT", "snapshot")
        outcome = judge(cell, answer, said, truths, [call for call in calls if call.get("fault")], self._concerned)
        if passes and not answer.ok:
            outcome.wrong.append(f"a fault that passes fails the invocation: {answer.error}")
        outcome.seconds = time.monotonic() - begun
        return outcome

    def _send(self, trigger, fault=None, page_size=None, seconds=LONG):
        """Sends a trigger to a function that remembers nothing; returns its answer, what it said, and its calls."""
        lab = self.lab
        self._rules += 1
        rule, account_id = f"table-{self._rules}", TRIGGERS[trigger]["accountId"]
        self._say_before(rule, account_id)
        if "SecurityHubFindings" in TRIGGERS[trigger]["ruleParameters"]:
            self._find_before(rule, account_id)
        lab.cold_start()
        lab.forget_calls()
        lab.control("POST", "page-size", {"size": page_size})
        if fault:
            lab.control("POST", "faults", fault)
        try:
            answer = lab.send(TRIGGERS[trigger], rule, seconds)
        finally:
            lab.control("DELETE", "faults")
            lab.control("POST", "page-size", {"size": None})
        held = lab.evaluations(rule, account_id)
        said = {identity: e["ComplianceType"] for identity, e in held.items() if e.get("Annotation") != BEFORE}
        found = [
            f
            for f in lab.findings(account_id).values()
            if f["GeneratorId"].endswith(f"/{rule}") and f["UpdatedAt"] != BEFORE_AT
        ]
        # A finding is said of a role beside its verdict: its key is of the role's id, so that both are held to the same.
        said |= {
            f"{FINDING}{f['Id'].rsplit('/', 1)[-1]}": f"{f['RecordState']} {f['Compliance']['Status']}" for f in found
        }
        return answer, said, lab.calls()

    def _say_before(self, rule, account_id):
        """An earlier verdict on every role, and on two that are gone: a run that knows too little could clear them."""
        evaluations = [
            {
                "ComplianceResourceType": "AWS::IAM::Role",
                "ComplianceResourceId": identity,
                "ComplianceType": account.COMPLIANT,
                "Annotation": BEFORE,
                "OrderingTimestamp": BEFORE_AT,
            }
            for identity in (*STALE, *self._role_ids.values())
        ]
        self.lab.control("POST", "evaluations", {"rule": rule, "account": account_id, "evaluations": evaluations})

    def _find_before(self, rule, account_id):
        """The same as findings."""
        found = [
            events.finding(rule, identity, account_id, at=BEFORE_AT) for identity in (*STALE, *self._role_ids.values())
        ]
        errors = self.lab.control("POST", "findings", {"account": account_id, "findings": found})
        assert not errors, errors

    def _concerned(self, call):
        """The ids of the roles that a call was about, or None for all of them."""
        parameters = call["parameters"]
        if call["service"] == "iam" and "RoleName" in parameters:
            return {self._role_ids.get(parameters["RoleName"])}
        if call["service"] == "iam" and "InstanceProfileName" in parameters:
            names = [
                n
                for n, r in ROLES.items()
                if r.get("instance_profile", {}).get("name") == parameters["InstanceProfileName"]
            ]
            return {self._role_ids[name] for name in names}
        if call["service"] == "iam" and "PolicyArn" in parameters:
            users = [
                n for n, r in ROLES.items() if parameters["PolicyArn"] in (*r.get("managed", ()), r.get("boundary"))
            ]
            return {self._role_ids[name] for name in users}
        if row_of(call)[2] == "LocalManagedPolicy":
            # A later page fails where a page has one policy: what the first page told is read.
            untold = {own(policy["name"]) for policy in POLICIES[1 if _later(call) else 0 :]}
            users = [n for n, r in ROLES.items() if untold & {*r.get("managed", ()), r.get("boundary")}]
            return {self._role_ids[name] for name in users}
        return None


def judge(cell, answer, said, truths, met, concerned):
    """Holds what was said against what is true. `met` are the calls that met the fault."""
    outcome = Outcome("right" if answer.ok else "fails" if not said else "fails, others answered")
    wrong = outcome.wrong
    if not met:
        wrong.append("the fault met no call")
    if answer.ok:
        for identity in {*said, *truths[0], *truths[-1]}:
            true = {truth.get(identity) for truth in truths}
            if said.get(identity) not in true and not (None in true and said.get(identity) == account.NOT_APPLICABLE):
                wrong.append(f"said {said.get(identity)} of {identity}, and true is {true}")
        return outcome
    if answer.payload.get("errorType") == TIMED_OUT:
        outcome.word = "killed"
        wrong.append("Lambda had to end the invocation")
    elif answer.error.startswith((OUT_OF_TIME, OUT_OF_TIME_WITH_FINDINGS)):
        outcome.word = "out of time"
    elif cell.fault != "malformed" and cell.operation not in answer.error:
        wrong.append(f"the error does not name the operation: {answer.error}")
    if cell.fault == "deleted":
        wrong.append(f"what is gone fails the invocation: {answer.error}")
    unread = [concerned(call) for call in met]
    for identity, verdict in said.items():
        role_id = identity.removeprefix(FINDING)
        if verdict not in {truth.get(identity) for truth in truths}:
            wrong.append(f"said {verdict} of {identity}, and true is {truths[0].get(identity)}")
        elif not _clears(verdict) and _is_of_reading(cell) and any(ids is None or role_id in ids for ids in unread):
            wrong.append(f"said {verdict} of {identity}, which could not be read")
    if cell.service == "securityhub":
        unsaid = [identity for identity in truths[0] if not identity.startswith(FINDING) and identity not in said]
        wrong += [f"said nothing of {identity}, because of Security Hub" for identity in unsaid]
    return outcome


def _clears(said):
    """A role that is none of the rule's any more: what cannot be read of it does not matter."""
    return said == account.NOT_APPLICABLE or said.startswith("ARCHIVED")


def _is_of_reading(cell):
    """Whether the operation is part of finding out; these come after all verdicts are made."""
    return cell.service != "securityhub" and cell.operation not in (
        "GetComplianceDetailsByConfigRule",
        "PutEvaluations",
    )


def _later(call):
    return any(call["parameters"].get(token) for token in ("Marker", "NextToken", "nextToken"))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", default=default_binary(), help="the function's binary")
    arguments.add_argument("--fault", choices=FAULTS, help="only this fault")
    arguments.add_argument("--operation", help="only this operation")
    arguments.add_argument(
        "--labs", type=int, default=4, help="how many cells are run side by side: most of the time is waiting"
    )
    options = arguments.parse_args()
    faults = [options.fault] if options.fault else list(FAULTS)
    wrong = []
    try:
        with ExitStack() as stack:
            tables = queue.Queue()
            for _ in range(options.labs):
                lab = Lab(options.binary, seeded=False, emulator=False)
                lab.processes.catch_signals()
                tables.put(table := Table(stack.enter_context(lab)))
            pool = stack.enter_context(ThreadPoolExecutor(options.labs))
            stack.callback(pool.shutdown, cancel_futures=True)

            def run(cell):
                free = tables.get()
                try:
                    return free.run(cell)
                finally:
                    tables.put(free)

            rows = {}
            for cell in table.cells(faults):
                if options.operation in (None, cell.operation):
                    rows.setdefault(cell.row, {})[cell.fault] = cell, pool.submit(run, cell)
            print(
                "| operation | trigger | " + " | ".join(faults) + " |\n" + "|---" * (len(faults) + 2) + "|", flush=True
            )
            for name, row in rows.items():
                words = []
                for fault in faults:
                    if fault not in row:
                        words.append("—")
                        continue
                    cell, outcome = row[fault][0], row[fault][1].result()
                    words.append("**WRONG**" if outcome.wrong else outcome.word)
                    wrong += [f"{cell}: {each}" for each in outcome.wrong]
                print(f"| {row_name(name)} | {table.rows()[name]} | {' | '.join(words)} |", flush=True)
    except ProgramFailed as failure:
        sys.exit(f"error: {failure}\n{failure.log}".rstrip())
    if wrong:
        sys.exit("\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
