"""A stand-in for AWS that serves one large account fast. It is for time and memory, not for correctness.

    python -m local.measure.large_account [--clusters N] [--regions N] [--node-roles N] [--other-roles N]
                                          [--unmarked-roles N] [--latency-ms N] [--iam-per-second N]
                                          [--eks-per-second N] [--grant push|everything]

moto answers about 300 calls per second on one core, which would limit the measurement. This server answers only the
calls that the function makes, from a generated account. Each answer takes the latency. IAM has a token bucket, and EKS
has one for each region. The only errors are throttling, "not found", and "not served" for any other call. Every eighth
node role can push, or all of them can do everything.
`GET /local/stats` shows the calls, and whether the stored verdicts are correct.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape

from local.identifiers import ACCOUNT, issuer, unique_id
from local.lab import account
from local.lab.account import allow, document
from local.standin.throttle import THROTTLED, Throttle

REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-central-1", "ap-south-1",
           "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ca-central-1")  # fmt: skip
PUSHER = 8
IAM_PAGE = 1000
AWS_POLICIES = {
    "AmazonEKSWorkerNodePolicy": document(
        allow(["ec2:Describe*", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"])
    ),
    "AmazonEC2ContainerRegistryPullOnly": document(allow([*account.PULL_ACTIONS, "ecr:BatchImportUpstreamImage"])),
    "AmazonEKS_CNI_Policy": document(
        allow(["ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:CreateTags"])
    ),
    "AmazonSSMManagedInstanceCore": document(
        allow(["ssm:UpdateInstanceInformation", "ssmmessages:*", "ec2messages:*"])
    ),
}
ROLES_TO_A_POLICY = 50


class NotFound(Exception):
    """The call names an object that does not exist."""


class NotServed(Exception):
    """This server has no answer for the call. It is not NotFound, which the function accepts for deleted objects."""


class Account:
    """Node roles `node-N`, other roles `other-N`, and clusters `cluster-N` in the regions in turn. Nothing is random.

    Roles `unmarked-N` are EC2 roles with an instance profile of the same name. Only the tags of the profile show
    whether they are for self-managed nodes, which takes one call for each profile. They are not.
    """

    def __init__(self, clusters, regions, node_roles, other_roles, unmarked_roles, grant="push"):
        self.regions = REGIONS[:regions]
        self.node_roles, self.unmarked_roles = node_roles, unmarked_roles
        self.clusters = {f"cluster-{n:03}": self.regions[n % regions] for n in range(clusters)}
        self.roles = {}
        self.policies = {f"arn:aws:iam::aws:policy/{name}": d for name, d in AWS_POLICIES.items()}
        self.nodes_of = {name: [] for name in self.clusters}
        names = list(self.clusters)
        for n in range(node_roles):
            own = f"arn:aws:iam::{ACCOUNT}:policy/team-{n // ROLES_TO_A_POLICY:03}"
            self.policies.setdefault(
                own, document(allow(["logs:PutLogEvents", "s3:GetObject"], f"arn:aws:s3:::team-{n}/*"))
            )
            inline = None
            if grant == "everything":
                inline = document(allow("*"))
            elif n % PUSHER == 0:
                inline = document(allow("ecr:PutImage", account.repository(f"team-{n}"), sid="Push"))
            attached = [f"arn:aws:iam::aws:policy/{name}" for name in AWS_POLICIES] + [own]
            self.roles[f"node-{n:05}"] = {
                "trust": account.EC2,
                "attached": attached,
                "inline": {"push": inline} if inline else {},
            }
            self.nodes_of[names[n % clusters]].append(f"node-{n:05}")
        for n in range(other_roles):
            trust = account.trusted_by("lambda.amazonaws.com" if n % 2 else "ecs-tasks.amazonaws.com")
            inline = {"all": document(allow(["logs:*", "s3:GetObject", "dynamodb:Query"]))}
            self.roles[f"other-{n:05}"] = {"trust": trust, "attached": [], "inline": inline}
        for n in range(unmarked_roles):
            self.roles[f"unmarked-{n:05}"] = {
                "trust": account.EC2,
                "attached": [],
                "inline": {"all": document(allow("s3:*"))},
            }
        self.ids = {unique_id("AROA", name): name for name in self.roles}

    def node_groups(self, cluster):
        """The node roles with a node group: every second one. All node roles of a cluster have access entries."""
        return self.nodes_of[cluster][::2]

    def verdict(self, identity):
        """The correct verdict of a resource, by its id."""
        name = self.ids.get(identity, "")
        if not name.startswith("node-"):
            return account.NOT_APPLICABLE
        return account.NON_COMPLIANT if self.roles[name]["inline"] else account.COMPLIANT


def xml(operation, **fields):
    result = f"<{operation}Result>{_fields(fields)}</{operation}Result>"
    return f'<{operation}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/">{result}</{operation}Response>'


def _fields(fields):
    return "".join(f"<{name}>{_value(value)}</{name}>" for name, value in fields.items() if value is not None)


def _value(value):
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return _fields(value)
        case list():
            return "".join(f"<member>{_value(each)}</member>" for each in value)
    return escape(str(value))


def error(service, code, message):
    """The body of an error response."""
    if service != "iam":
        return json.dumps({"__type": code, "message": message}).encode()
    xml = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    return f"<ErrorResponse>{xml}</ErrorResponse>".encode()


def encoded(policy):
    return quote(json.dumps(policy), safe="-_.~")


class Service:
    """The answers of the AWS services. Raises NotFound for an unknown object, NotServed for an unknown operation."""

    def __init__(self, account):
        self.account = account
        self.evaluations, self.findings = {}, {}

    def list_regions(self, path):
        if path != "/listRegions":
            raise NotServed(path)
        return {
            "Regions": [{"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"} for name in self.account.regions]
        }

    def config(self, operation, body):
        if operation == "PutEvaluations":
            for evaluation in body["Evaluations"]:
                self.evaluations[evaluation["ComplianceResourceId"]] = evaluation["ComplianceType"]
            return {"FailedEvaluations": []}
        listed = [identity for identity, verdict in self.evaluations.items() if verdict != account.NOT_APPLICABLE]
        start = int(body.get("NextToken") or 0)
        results = [
            {
                "EvaluationResultIdentifier": {
                    "EvaluationResultQualifier": {
                        "ConfigRuleName": "load",
                        "ResourceType": "AWS::IAM::Role",
                        "ResourceId": identity,
                    }
                },
                "ComplianceType": self.evaluations[identity],
            }
            for identity in listed[start : start + 100]
        ]
        return {"EvaluationResults": results, **({"NextToken": str(start + 100)} if start + 100 < len(listed) else {})}

    def security_hub(self, path, body):
        """Stores and returns findings. Only the filters RecordState and Id are used, because there is only one rule."""
        if path == "/findings/import":
            self.findings |= {finding["Id"]: finding for finding in body["Findings"]}
            return "BatchImportFindings", {
                "FailedCount": 0,
                "SuccessCount": len(body["Findings"]),
                "FailedFindings": [],
            }
        if path != "/findings":
            raise NotServed(path)
        filters = {
            name: [each["Value"] for each in body["Filters"][name]]
            for name in ("RecordState", "Id")
            if name in body["Filters"]
        }
        found = [f for f in self.findings.values() if all(f[name] in values for name, values in filters.items())]
        size, start = int(body.get("MaxResults") or 100), int(body.get("NextToken") or 0)
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return "GetFindings", {"Findings": found[start : start + size], **more}

    def eks(self, region, path, query):
        parts = path.strip("/").split("/")[1:]
        if not parts:
            return "ListClusters", self._page(
                "clusters", [name for name, at in self.account.clusters.items() if at == region], query
            )
        cluster, *rest = parts
        if self.account.clusters.get(cluster) != region:
            raise NotFound(cluster)
        nodes, groups = self.account.nodes_of[cluster], self.account.node_groups(cluster)
        arn = f"arn:aws:iam::{ACCOUNT}:role/"
        match rest:
            case []:
                identity = {"oidc": {"issuer": issuer(region, cluster)}}
                about = {
                    "name": cluster,
                    "status": "ACTIVE",
                    "identity": identity,
                    "accessConfig": {"authenticationMode": "API_AND_CONFIG_MAP"},
                }
                return "DescribeCluster", {"cluster": about}
            case ["node-groups"]:
                return "ListNodegroups", self._page("nodegroups", groups, query)
            case ["node-groups", name]:
                return "DescribeNodegroup", {
                    "nodegroup": {"nodegroupName": name, "clusterName": cluster, "nodeRole": arn + name}
                }
            case ["fargate-profiles"]:
                return "ListFargateProfiles", {"fargateProfileNames": []}
            case ["access-entries"]:
                return "ListAccessEntries", self._page("accessEntries", [arn + name for name in nodes], query)
            case ["access-entries", principal]:
                entry = {"clusterName": cluster, "principalArn": unquote(principal), "type": "EC2_LINUX"}
                return "DescribeAccessEntry", {"accessEntry": entry}
            case ["pod-identity-associations"]:
                return "ListPodIdentityAssociations", {"associations": []}
            case ["addons"]:
                return "ListAddons", {"addons": []}
        raise NotServed(path)

    @staticmethod
    def _page(key, items, query):
        size, start = int(query.get("maxResults") or 100), int(query.get("nextToken") or 0)
        more = {"nextToken": str(start + size)} if start + size < len(items) else {}
        return {key: items[start : start + size], **more}

    def iam(self, operation, parameters):
        role = self.account.roles.get(parameters.get("RoleName"))
        if "RoleName" in parameters and role is None:
            raise NotFound(parameters["RoleName"])
        policy = self.account.policies.get(parameters.get("PolicyArn"))
        if "PolicyArn" in parameters and policy is None:
            raise NotFound(parameters["PolicyArn"])
        match operation:
            case "GetRole":
                return xml(operation, Role=self._role(parameters["RoleName"], role))
            case "ListRolePolicies":
                return self._list(operation, "PolicyNames", list(role["inline"]), parameters)
            case "GetRolePolicy":
                text = encoded(role["inline"][parameters["PolicyName"]])
                return xml(
                    operation, RoleName=parameters["RoleName"], PolicyName=parameters["PolicyName"], PolicyDocument=text
                )
            case "ListAttachedRolePolicies":
                return self._list(
                    operation, "AttachedPolicies", [self._attached(arn) for arn in role["attached"]], parameters
                )
            case "GetPolicy":
                return xml(operation, Policy=self._policy(parameters["PolicyArn"]))
            case "GetPolicyVersion":
                return xml(operation, PolicyVersion=self._version(policy))
            case "ListEntitiesForPolicy":
                users = [
                    {"RoleName": n, "RoleId": unique_id("AROA", n)}
                    for n, r in self.account.roles.items()
                    if parameters["PolicyArn"] in r["attached"]
                ]
                users = [] if parameters.get("PolicyUsageFilter") == "PermissionsBoundary" else users
                return self._list(operation, "PolicyRoles", users, parameters)
            case "ListInstanceProfilesForRole":
                return self._list(operation, "InstanceProfiles", self._profiles(parameters["RoleName"]), parameters)
            case "ListInstanceProfiles":
                profiles = [profile for name in self.account.roles for profile in self._profiles(name)]
                return self._list(operation, "InstanceProfiles", profiles, parameters)
            case "GetInstanceProfile":
                (profile,) = self._profiles(parameters["InstanceProfileName"])
                return xml(operation, InstanceProfile={**profile, "Tags": [{"Key": "team", "Value": "web"}]})
            case "ListRoles":
                return self._list(
                    operation, "Roles", [self._role(n, r) for n, r in self.account.roles.items()], parameters
                )
            case "GetAccountAuthorizationDetails":
                return self._details(operation, parameters)
        raise NotServed(operation)

    def _list(self, operation, key, items, parameters):
        found, more = self._page_of(items, parameters)
        return xml(operation, **{key: found}, **more)

    @staticmethod
    def _page_of(items, parameters):
        size, start = min(int(parameters.get("MaxItems") or 100), IAM_PAGE), int(parameters.get("Marker") or 0)
        more = start + size < len(items)
        return items[start : start + size], {"IsTruncated": more, **({"Marker": start + size} if more else {})}

    def _details(self, operation, parameters):
        wanted = {value for name, value in parameters.items() if name.startswith("Filter.")}
        entities = [("role", name) for name in self.account.roles if not wanted or "Role" in wanted]
        for arn in self.account.policies:
            kind = "AWSManagedPolicy" if "::aws:" in arn else "LocalManagedPolicy"
            entities += [("policy", arn)] if not wanted or kind in wanted else []
        found, more = self._page_of(entities, parameters)
        roles = [
            {
                **self._role(name, self.account.roles[name]),
                "InstanceProfileList": self._profiles(name),
                "RolePolicyList": [
                    {"PolicyName": n, "PolicyDocument": encoded(d)}
                    for n, d in self.account.roles[name]["inline"].items()
                ],
                "AttachedManagedPolicies": [self._attached(arn) for arn in self.account.roles[name]["attached"]],
            }
            for kind, name in found
            if kind == "role"
        ]
        policies = [
            {**self._policy(arn), "PolicyVersionList": [self._version(self.account.policies[arn])]}
            for kind, arn in found
            if kind == "policy"
        ]
        return xml(operation, UserDetailList=[], GroupDetailList=[], RoleDetailList=roles, Policies=policies, **more)

    def _profiles(self, name):
        """The instance profiles with a role. Lists leave out their tags."""
        if not name.startswith("unmarked-"):
            return []
        arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}"
        roles = [self._role(name, self.account.roles[name])]
        named = {"Path": "/", "InstanceProfileName": name, "InstanceProfileId": unique_id("AIPA", name), "Arn": arn}
        return [{**named, "CreateDate": "2026-03-02T08:00:00Z", "Roles": roles}]

    @staticmethod
    def _role(name, role):
        return {
            "Path": "/",
            "RoleName": name,
            "RoleId": unique_id("AROA", name),
            "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "CreateDate": "2026-03-02T08:00:00Z",
            "AssumeRolePolicyDocument": encoded(role["trust"]),
        }

    @staticmethod
    def _attached(arn):
        return {"PolicyName": arn.rsplit("/", 1)[-1], "PolicyArn": arn}

    @staticmethod
    def _policy(arn):
        name = arn.rsplit("/", 1)[-1]
        return {
            "PolicyName": name,
            "PolicyId": unique_id("ANPA", name),
            "Arn": arn,
            "Path": "/",
            "DefaultVersionId": "v1",
            "AttachmentCount": 1,
        }

    @staticmethod
    def _version(policy):
        return {
            "Document": encoded(policy),
            "VersionId": "v1",
            "IsDefaultVersion": True,
            "CreateDate": "2026-03-02T08:00:00Z",
        }


class Server:
    """The part of HTTP/1.1 that the SDK uses: keep-alive, and bodies with a length."""

    def __init__(self, account, latency, per_second):
        """`latency` in seconds. `per_second` has the calls per second that each limited service accepts."""
        self._service, self._latency = Service(account), latency
        self._throttle = Throttle(per_second)
        self.reset()

    def reset(self):
        self._calls, self._throttled, self._most, self._now = Counter(), Counter(), Counter(), Counter()
        self._began = time.process_time()

    async def serve(self, reader, writer):
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                method, target, _ = lines[0].split(" ", 2)
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length") or 0))
                status, kind, answer = await self._answer(method, target, headers, body)
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, method, target, headers, body):
        path, _, query = target.partition("?")
        if path.startswith("/local/"):
            return 200, "application/json", json.dumps(self._local(method, path)).encode()
        region, service = headers["authorization"].split("/")[2:4]
        parameters = dict(parse_qsl(body.decode())) if service == "iam" else {}
        operation = parameters.get("Action") or headers.get("x-amz-target", path.rsplit("/", 1)[-1]).rsplit(".", 1)[-1]
        kind = "text/xml" if service == "iam" else "application/json"
        self._now[service] += 1
        self._most[service] = max(self._most[service], self._now[service])
        try:
            admitted = self._throttle.admits(service, region=region)
            await asyncio.sleep(self._latency)
            if not admitted:
                self._throttled[service] += 1
                code, status = THROTTLED[service]
                return status, kind, error(service, code, "Rate exceeded")
            match service:
                case "iam":
                    answer = self._service.iam(operation, parameters)
                case "eks":
                    operation, answer = self._service.eks(region, path, dict(parse_qsl(query)))
                case "config":
                    answer = self._service.config(operation, json.loads(body))
                case "securityhub":
                    operation, answer = self._service.security_hub(path, json.loads(body))
                case "account":
                    operation, answer = "ListRegions", self._service.list_regions(path)
                case _:
                    raise NotServed(service)
            self._calls[f"{service}:{operation}"] += 1
            return 200, kind, (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        except (NotFound, NotServed) as unknown:
            self._calls[f"{service}:{operation}"] += 1
            if isinstance(unknown, NotServed):
                status, code = 400, "NotServed"
            else:
                status, code = 404, "NoSuchEntity" if service == "iam" else "ResourceNotFoundException"
            return status, kind, error(service, code, str(unknown))
        finally:
            self._now[service] -= 1

    def _local(self, method, path):
        if (method, path) == ("DELETE", "/local/stats"):
            self.reset()
            self._service.evaluations.clear()
            self._service.findings.clear()
            return {}
        large, verdicts = self._service.account, self._service.evaluations
        return {
            "calls": dict(self._calls),
            "throttled": dict(self._throttled),
            "most_at_once": dict(self._most),
            "cpu_seconds": round(time.process_time() - self._began, 2),
            "verdicts": dict(Counter(verdicts.values())),
            "findings": dict(
                Counter(f"{f['RecordState']} {f['Compliance']['Status']}" for f in self._service.findings.values())
            ),
            "wrong": sum(large.verdict(identity) != verdict for identity, verdict in verdicts.items()),
        }


async def run(options):
    large = Account(
        options.clusters,
        options.regions,
        options.node_roles,
        options.other_roles,
        options.unmarked_roles,
        options.grant,
    )
    rates = {"iam": options.iam_per_second, "eks": options.eks_per_second}
    server = Server(large, options.latency_ms / 1000, rates)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=2**20)
    print(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", flush=True)
    await listener.serve_forever()


def parse():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--clusters", type=int, default=200)
    arguments.add_argument("--regions", type=int, default=8, choices=range(1, len(REGIONS) + 1))
    arguments.add_argument("--node-roles", type=int, default=2000)
    arguments.add_argument("--other-roles", type=int, default=1000)
    arguments.add_argument("--unmarked-roles", type=int, default=200)
    arguments.add_argument(
        "--grant",
        choices=("push", "everything"),
        default="push",
        help="every eighth node role may push (default), or every node role may do everything",
    )
    arguments.add_argument("--latency-ms", type=float, default=20)
    arguments.add_argument("--iam-per-second", type=float, help="calls per second that IAM accepts (default: no limit)")
    arguments.add_argument(
        "--eks-per-second", type=float, help="calls per second that EKS accepts in each region (default: no limit)"
    )
    return arguments.parse_args()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(run(parse()))
