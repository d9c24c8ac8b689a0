"""The fault table: every operation that the function calls × every way in which AWS can fail.

    python -m local.measure.fault_table [--binary PATH] [--fault NAME] [--operation NAME] [--rates]

prints the table: `make faults`. Before it, a small table shows runs at steady rates of IAM and of EKS.

The rows are not a fixed list. Each trigger is sent once without a fault, and the calls that the function makes are the
rows. A cell injects one fault into one operation, starts the function again and sends the trigger again. A result is
correct if one of these holds:

- Every verdict is the same as without the fault.
- The invocation fails, the error names the operation, and no role that the failed calls read has a new verdict. If
  the calls show which roles are node roles, the roles that other calls name may have their verdicts, and no role is
  cleared.

A deleted object is no error: its verdict may be the one before or after the deletion. COMPLIANT for a NON_COMPLIANT
role is never correct. Findings follow the same rules: each is correct or unchanged. If Security Hub fails, every
verdict is stored.
"""

import argparse
import queue
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from local.identifiers import ACCOUNT, OTHER_ACCOUNT, REGION, unique_id
from local.lab import account, events
from local.lab.account import Role, allow, document
from local.lab.lab import TIMED_OUT, Lab, default_binary
from local.lab.processes import ProgramFailed
from local.standin.throttle import THROTTLED

FINDING = "finding of "
OTHER_REGION = "eu-west-1"
# The annotation and time of verdicts and findings from before the fault.
PREVIOUS, PREVIOUS_TIME = "previous verdict", "2026-11-01T00:00:00.000Z"
# Roles that no longer exist. AWS Config still has verdicts on the first two. Of the last one only a finding is left.
STALE_ROLE_IDS = ("AROASTALE000000000001", "AROASTALE000000000002")
CLEARED_ROLE_ID = "AROASTALE000000000003"
# The invocation's timeout for slow faults and for others, and how long a slow call takes. All in seconds.
SHORT_TIMEOUT, LONG_TIMEOUT, SLOW_SECONDS = 6.0, 90.0, 9.0
# Part of the error when time runs out, with verdicts or only findings left.
OUT_OF_TIME = "before the Lambda timeout"


def managed(name):
    return f"arn:aws:iam::aws:policy/{name}"


def own(name):
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def arn(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


# The account. Every list has two elements. Where it matters, the second element decides the verdict, so a function that
# loses it reports COMPLIANT for a NON_COMPLIANT role.
PUSH, PULL = document(allow("ecr:PutImage", sid="Push")), document(allow(account.PULL_ACTIONS, sid="Pull"))
# More roles than the function reads one by one. It reads these, and their policies, from lists.
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
    # One part of each kind, so that the function calls every operation in this region too.
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
    """The role as a `Role`, for the functions of `events.py`."""
    data = ROLES[name]
    names = tuple(each.rsplit("/", 1)[-1] for each in data.get("managed", ()))
    return Role(name, "", "", "", managed=names, inline=data.get("inline", {}), trust=data.get("trust", account.EC2))


def _policy_changed(name):
    policy = account.Policy(name, (next(p["document"] for p in POLICIES if p["name"] == name),))
    return events.event(events.changed(events.policy_item(policy)))


def bulk(roles):
    """The roles as the input of `bulk_create.py`."""
    return [{"trust": account.EC2, **data, "name": name} for name, data in roles.items()]


# Another account, which the function reads with a role there. It has one node role, which can push.
OTHER_ACCOUNT_ROLES = {"audit": {"trust": account.ACCOUNT_TRUST}, "there": {"inline": {"a-pull": PULL, "b-push": PUSH}}}
OTHER_ACCOUNT_CLUSTERS = [
    {"name": "there", "mode": "CONFIG_MAP", "node_groups": {"a": arn("there").replace(ACCOUNT, OTHER_ACCOUNT)}}
]


FINDINGS = {"SecurityHubFindings": "true"}


def _schedule_other_account():
    parameters = {"ExecutionRoleName": "audit", "ExecutionRoleRegion": REGION, "ClusterRegions": REGION, **FINDINGS}
    return {
        **events.event({**events.scheduled(), "awsAccountId": OTHER_ACCOUNT}, parameters),
        "accountId": OTHER_ACCOUNT,
    }


# The order matters: the first trigger that calls an operation is used for its row.
TRIGGERS = {
    "schedule": events.event(events.scheduled()),
    "role changed": events.event(events.oversized(events.role_item(_role("pushes")))),
    "policy changed": _policy_changed("team"),
    "boundary changed": _policy_changed("bound"),
    "cluster changed": events.event(events.changed(events.cluster_item(account.Cluster("one", "API_AND_CONFIG_MAP")))),
    "schedule with pod roles": events.event(events.scheduled(), {"IncludeServiceAccountRoles": "true"}),
    "schedule with many roles": events.event(events.scheduled(), {"NodeRoles": ",".join(MANY)}),
    "schedule with findings": events.event(events.scheduled(), FINDINGS),
    "schedule of another account": _schedule_other_account(),
}

# The error codes of each service. They come from its model, or from the common errors if the model has none.
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
    """For EKS only one region fails. The function must not treat it as a region without nodes."""
    where = {"region": OTHER_REGION} if service == "eks" else {}
    return {"code": UNKNOWN.get(service, "UnrecognizedClientException"), "status": 403, "times": None, "where": where}


@dataclass(frozen=True)
class Fault:
    """A fault: `inject(service)` is the body of `POST /local/faults`, without the calls that it matches."""

    inject: Callable
    # A retry succeeds, so the invocation must succeed.
    temporary: bool = False
    # The SDK retries for seconds, so tests run it for few operations.
    retried: bool = False
    # The timeout of the invocation in seconds.
    timeout: float = LONG_TIMEOUT


# All faults by name.
FAULTS = {
    "throttled once": Fault(lambda service: _throttled(service, 1), temporary=True, retried=True),
    "always throttled": Fault(lambda service: _throttled(service, None), retried=True, timeout=SHORT_TIMEOUT),
    "error 500": Fault(lambda service: {"code": BROKEN[service], "status": 500, "times": None}, retried=True),
    "access denied": Fault(
        lambda service: {"code": DENIED.get(service, "AccessDeniedException"), "status": 403, "times": None}
    ),
    "unknown token": Fault(_unknown_token),
    "connection reset once": Fault(lambda _: {"kind": "reset"}, temporary=True),
    "connection always reset": Fault(lambda _: {"kind": "reset", "times": None}, retried=True),
    "too slow": Fault(
        lambda _: {"kind": "slow", "seconds": SLOW_SECONDS, "times": None}, retried=True, timeout=SHORT_TIMEOUT
    ),
    "malformed": Fault(lambda _: {"kind": "malformed", "times": None}),
    "page 2 fails": Fault(
        lambda service: {"code": BROKEN[service], "status": 500, "later_pages": True, "times": None}, retried=True
    ),
    "deleted": Fault(lambda _: {"kind": "deleted"}),
}


# Steady rates: the services that accept only so many calls a second, in each region, and the trigger for each of them.
# No invocation may fail, and every verdict must be correct.
RATES = (5, 10, 20)
# How many calls are accepted at once, so that the small account is throttled at every rate.
BURST = 5
LIMITED = {"iam": "schedule", "eks": "schedule"}


@dataclass(frozen=True)
class Cell:
    fault: str
    trigger: str
    service: str
    operation: str
    # The type that the call lists, if the function uses the operation for several types. Else empty.
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
    """The result of a cell, and everything that is wrong with it."""

    result: str
    wrong: list = field(default_factory=list)
    seconds: float = 0.0


class Table:
    """The cells, and a lab to run them in.

    For each trigger, `truth` has the verdicts and findings without a fault, and `calls` the calls of the function.
    """

    def __init__(self, lab):
        self.lab = lab
        self.truth, self.calls, self._paged = {}, {}, {}
        self._rules = 0
        lab.control("POST", "regions", {"regions": REGIONS})
        lab.control("POST", "entities", {"policies": POLICIES, "roles": bulk(ROLES)})
        for region, clusters in CLUSTERS.items():
            lab.control("POST", "entities", {"region": region, "clusters": clusters})
        lab.control(
            "POST",
            "entities",
            {"account": OTHER_ACCOUNT, "roles": bulk(OTHER_ACCOUNT_ROLES), "clusters": OTHER_ACCOUNT_CLUSTERS},
        )
        self._role_ids = {name: unique_id("AROA", name) for name in (*ROLES, *OTHER_ACCOUNT_ROLES)}
        lab.control("POST", "snapshot", {})
        deletable = {tuple(each) for each in lab.control("GET", "deletable")}
        self._deletable = set()
        for trigger in TRIGGERS:
            answer, self.truth[trigger], calls = self._send(trigger)
            assert answer.ok, f"{trigger} fails without a fault: {answer.error}"
            self.calls[trigger] = calls
            self._deletable |= {
                row_of(c) for c in calls if any((c["service"], name) in deletable for name in c["parameters"])
            }
            answer, verdicts, calls = self._send(trigger, page_size=1)
            assert answer.ok and verdicts == self.truth[trigger], f"{trigger} gives other verdicts with short pages"
            self._paged[trigger] = {row_of(c) for c in calls if _later(c)}

    def rows(self):
        """Every operation that the function calls, with the first trigger that calls it."""
        first = {}
        for trigger, calls in self.calls.items():
            for call in calls:
                first.setdefault(row_of(call), trigger)
        return first

    def cells(self, faults=FAULTS):
        """All possible cells. Not every list has pages, and not every object can be deleted."""
        for row, first in self.rows().items():
            for fault in faults:
                triggers = [first]
                if fault == "page 2 fails":
                    triggers = [trigger for trigger in TRIGGERS if row in self._paged[trigger]][:1]
                if fault == "deleted" and row not in self._deletable:
                    triggers = []
                for trigger in triggers:
                    yield Cell(fault, trigger, *row)

    def run(self, cell):
        fault = FAULTS[cell.fault]
        injected = fault.inject(cell.service)
        where = {**injected.pop("where", {}), **({"Filter": cell.of.split(",")} if cell.of else {})}
        begun = time.monotonic()
        answer, stored, calls = self._send(
            cell.trigger,
            {"service": cell.service, "operation": cell.operation, "where": where, **injected},
            page_size=1 if cell.fault == "page 2 fails" else None,
            seconds=fault.timeout,
        )
        truths = [self.truth[cell.trigger]]
        if cell.fault == "deleted":
            truths.append(self._send(cell.trigger)[1])
            self.lab.control("PUT", "snapshot")
        outcome = judge(cell, answer, stored, truths, [call for call in calls if call.get("fault")], self._roles_of)
        if fault.temporary and not answer.ok:
            outcome.wrong.append(f"a temporary fault fails the invocation: {answer.error}")
        outcome.seconds = time.monotonic() - begun
        return outcome

    def run_at_rate(self, service, rate):
        """The outcome of the service's trigger if the service accepts `rate` calls a second."""
        trigger, begun = LIMITED[service], time.monotonic()
        self.lab.control("POST", "limits", {"per_second": {service: rate}, "burst": BURST})
        try:
            answer, stored, calls = self._send(trigger)
        finally:
            self.lab.control("POST", "limits", {})
        outcome = Outcome("correct", seconds=time.monotonic() - begun)
        if not answer.ok:
            outcome.wrong.append(f"a steady rate fails the invocation: {answer.error}")
        elif stored != self.truth[trigger]:
            outcome.wrong.append(f"other verdicts: {stored}")
        elif not any(call.get("throttled") for call in calls):
            outcome.wrong.append("nothing was throttled: the account is too small for this rate")
        return outcome

    def _send(self, trigger, fault=None, page_size=None, seconds=LONG_TIMEOUT):
        """Sends a trigger to a new function. Returns its answer, the new verdicts and findings, and its calls."""
        lab = self.lab
        self._rules += 1
        rule, account_id = f"table-{self._rules}", TRIGGERS[trigger]["accountId"]
        self._store_previous_verdicts(rule, account_id)
        if "SecurityHubFindings" in TRIGGERS[trigger]["ruleParameters"]:
            self._store_previous_findings(rule, account_id)
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
        evaluations = lab.evaluations(rule, account_id).items()
        stored = {identity: e["ComplianceType"] for identity, e in evaluations if e.get("Annotation") != PREVIOUS}
        findings = [
            f
            for f in lab.findings(account_id).values()
            if f["GeneratorId"].endswith(f"/{rule}") and f["UpdatedAt"] != PREVIOUS_TIME
        ]
        # The key of a finding contains the role id, so that findings are checked like verdicts.
        stored |= {
            f"{FINDING}{f['Id'].rsplit('/', 1)[-1]}": f"{f['RecordState']} {f['Compliance']['Status']}"
            for f in findings
        }
        return answer, stored, lab.calls()

    def _store_previous_verdicts(self, rule, account_id):
        """Stores a previous verdict for every role and for two deleted roles. A run could wrongly clear them."""
        evaluations = [
            {
                "ComplianceResourceType": "AWS::IAM::Role",
                "ComplianceResourceId": identity,
                "ComplianceType": account.COMPLIANT,
                "Annotation": PREVIOUS,
                "OrderingTimestamp": PREVIOUS_TIME,
            }
            for identity in (*STALE_ROLE_IDS, *self._role_ids.values())
        ]
        self.lab.control("POST", "evaluations", {"rule": rule, "account": account_id, "evaluations": evaluations})

    def _store_previous_findings(self, rule, account_id):
        """Stores previous findings for the same roles, and one whose verdict was cleared."""
        findings = [
            events.finding(rule, identity, account_id, at=PREVIOUS_TIME)
            for identity in (*STALE_ROLE_IDS, CLEARED_ROLE_ID, *self._role_ids.values())
        ]
        errors = self.lab.control("POST", "findings", {"account": account_id, "findings": findings})
        assert not errors, errors

    def _roles_of(self, call):
        """The ids of the roles that a call reads, or None for all roles."""
        parameters = call["parameters"]
        if _shows_node_roles(*row_of(call)):
            return set()
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
            # With pages of one policy and a failure on a later page, the first policy was read.
            unread = {own(policy["name"]) for policy in POLICIES[1 if _later(call) else 0 :]}
            users = [n for n, r in ROLES.items() if unread & {*r.get("managed", ()), r.get("boundary")}]
            return {self._role_ids[name] for name in users}
        return None


def judge(cell, answer, stored, truths, failed_calls, roles_of):
    """Compares the stored verdicts and findings with the truth. `failed_calls` are the calls that got the fault."""
    outcome = Outcome("correct" if answer.ok else "fails" if not stored else "fails, other roles correct")
    wrong = outcome.wrong
    if not failed_calls:
        wrong.append("the fault matched no call")
    if answer.ok:
        for identity in {*stored, *truths[0], *truths[-1]}:
            expected, verdict = {truth.get(identity) for truth in truths}, stored.get(identity)
            if verdict not in expected and not (None in expected and verdict == account.NOT_APPLICABLE):
                wrong.append(f"{identity} is {verdict}, expected {expected}")
        return outcome
    if answer.payload.get("errorType") == TIMED_OUT:
        outcome.result = "timed out"
        wrong.append("the invocation ran into the Lambda timeout")
    elif OUT_OF_TIME in answer.error:
        outcome.result = "out of time"
        if cell.operation not in answer.error:
            wrong.append(f"the error does not name the operation: {answer.error}")
    elif cell.fault != "malformed" and cell.operation not in answer.error:
        wrong.append(f"the error does not name the operation: {answer.error}")
    elif cell.fault == "access denied" and "AccessDenied" not in answer.error:
        wrong.append(f"the error does not name AWS's error code: {answer.error}")
    if cell.fault == "deleted":
        wrong.append(f"a deleted object fails the invocation: {answer.error}")
    unread = [roles_of(call) for call in failed_calls]
    for identity, verdict in stored.items():
        role_id = identity.removeprefix(FINDING)
        if verdict not in {truth.get(identity) for truth in truths}:
            wrong.append(f"{identity} is {verdict}, expected {truths[0].get(identity)}")
        elif _clears(verdict) and _shows_node_roles(*cell.row) and role_id.startswith("AROA"):
            wrong.append(f"{identity} is {verdict}, but not all node roles are known")
        elif not _clears(verdict) and _precedes_verdicts(cell) and any(ids is None or role_id in ids for ids in unread):
            wrong.append(f"{identity} is {verdict}, but could not be read")
    if cell.service == "securityhub":
        missing = [identity for identity in truths[0] if not identity.startswith(FINDING) and identity not in stored]
        wrong += [f"{identity} has no verdict, because Security Hub failed" for identity in missing]
    return outcome


def _clears(verdict):
    """Whether the role is no longer a node role. Then it does not matter what could not be read."""
    return verdict == account.NOT_APPLICABLE or verdict.startswith("ARCHIVED")


def _shows_node_roles(service, operation, of):
    """Whether the operation shows which roles are node roles, not what a role may do."""
    if operation == "GetAccountAuthorizationDetails":
        return of == "Role"
    return service in ("account", "eks") or operation in ("ListRoles", "ListInstanceProfiles")


def _precedes_verdicts(cell):
    """Whether the function calls the operation before it decides. The others come after all verdicts."""
    return cell.service != "securityhub" and cell.operation not in (
        "GetComplianceDetailsByConfigRule",
        "PutEvaluations",
    )


def _later(call):
    """Whether the call requests a page after the first."""
    return any(call["parameters"].get(token) for token in ("Marker", "NextToken", "nextToken"))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", default=default_binary(), help="the function's binary")
    arguments.add_argument("--fault", choices=FAULTS, help="run only this fault")
    arguments.add_argument("--operation", help="run only this operation")
    arguments.add_argument("--labs", type=int, default=4, help="number of cells to run in parallel (default: 4)")
    arguments.add_argument("--rates", action="store_true", help="run only the steady rates")
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

            def run(of):
                idle = tables.get()
                try:
                    return of(idle)
                finally:
                    tables.put(idle)

            if options.rates or not (options.fault or options.operation):
                limited = {
                    service: [
                        pool.submit(run, lambda table, at=(service, rate): table.run_at_rate(*at)) for rate in RATES
                    ]
                    for service in LIMITED
                }
                print("| service | trigger | " + " | ".join(f"{rate} calls a second" for rate in RATES) + " |")
                print("|---" * (len(RATES) + 2) + "|", flush=True)
                for service, cells in limited.items():
                    outcomes = [cell.result() for cell in cells]
                    results = ["**WRONG**" if o.wrong else f"{o.result}, {o.seconds:.0f} s" for o in outcomes]
                    for rate, outcome in zip(RATES, outcomes, strict=True):
                        wrong += [f"{service} at {rate} calls a second: {each}" for each in outcome.wrong]
                    print(f"| {service} | {LIMITED[service]} | {' | '.join(results)} |", flush=True)
                print(flush=True)
            rows = {}
            for cell in [] if options.rates else table.cells(faults):
                if options.operation in (None, cell.operation):
                    rows.setdefault(cell.row, {})[cell.fault] = (
                        cell,
                        pool.submit(run, lambda table, cell=cell: table.run(cell)),
                    )
            if not rows:
                sys.exit("\n".join(wrong))
            print(
                "| operation | trigger | " + " | ".join(faults) + " |\n" + "|---" * (len(faults) + 2) + "|", flush=True
            )
            for name, row in rows.items():
                results = []
                for fault in faults:
                    if fault not in row:
                        results.append("—")
                        continue
                    cell, outcome = row[fault][0], row[fault][1].result()
                    results.append("**WRONG**" if outcome.wrong else outcome.result)
                    wrong += [f"{cell}: {each}" for each in outcome.wrong]
                print(f"| {row_name(name)} | {table.rows()[name]} | {' | '.join(results)} |", flush=True)
    except ProgramFailed as failure:
        sys.exit(f"error: {failure}\n{failure.log}".rstrip())
    if wrong:
        sys.exit("\n" + "\n".join(wrong))


if __name__ == "__main__":
    main()
