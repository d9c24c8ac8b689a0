"""Asks several tools the same question about the same roles: can the role do more to Amazon ECR than read?

`make compare` runs it on generated roles. `make compare SET=managed` runs it on AWS managed policies, each alone on a role.
`make compare ROLE=generated-173` shows the answers on one role.

The tests' evaluator of single requests (`examples/comparison.rs`) decides who is right. It shares no code with the product:

- *can*: it allows a request in the role's own account, under every reading of AWS's documentation;
- *cannot*: our search finds no request, and the evaluator refuses each of many random requests;
- all other roles are not counted.
"""

import argparse
import collections
import fnmatch
import json
import re
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
AT = "2027-01-15T08:00:00Z"
CATALOGUE = json.loads((ROOT / "tests/support/catalogue.json").read_text())
# A Write action that reading needs: it fills a pull-through cache.
READS_TOO = "ecr:BatchImportUpstreamImage"
MOST_RESOURCES = 6

# Nothing is excluded; by default it skips AdministratorAccess, for example.
CLOUDSPLAINING_EXCLUSIONS = """\
policies: [""]
roles: [""]
users: [""]
groups: [""]
include-actions: [""]
exclude-actions: [""]
known-accounts: [""]
"""


def beyond_reading():
    """The actions that the question is about, `ecr:PutImage` first."""
    actions = [
        action
        for action in CATALOGUE
        if action["access_level"] not in ("Read", "List") and action["action"] != READS_TOO
    ]
    return sorted(actions, key=lambda action: action["action"] != "ecr:PutImage")


def listed(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def statements(document):
    return listed(document.get("Statement"))


class Role:
    """One role with its policies, in the form of a whole account."""

    def __init__(self, role, policies):
        arns = [policy["PolicyArn"] for policy in role["AttachedManagedPolicies"]]
        boundary = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        self.name = role["RoleName"]
        self.account = role["Arn"].split(":")[4]
        self.details = {
            "UserDetailList": [],
            "GroupDetailList": [],
            "RoleDetailList": [role],
            "Policies": [policies[arn] for arn in [*arns, *listed(boundary)]],
        }
        inline = [policy["PolicyDocument"] for policy in role["RolePolicyList"]]
        self.documents = [*inline, *(default_version(policies[arn]) for arn in arns)]
        self.boundary = default_version(policies[boundary]) if boundary else {}

    def requests(self, found):
        """What to ask a tool that wants whole requests, so that it need not search.

        Each action that an Allow statement names is asked for the repository `app`, for repositories that the Allow
        statements name, with their wildcards filled in, and for the resource of the request that our report shows.
        """
        documents = [*self.documents, self.boundary]
        allows = [one for document in documents for one in statements(document) if one["Effect"] == "Allow"]
        repositories = {
            "ecr": [f"arn:aws:ecr:us-east-1:{self.account}:repository/app"],
            "ecr-public": [f"arn:aws:ecr-public::{self.account}:repository/app"],
        }
        for entry in (entry for statement in allows for entry in listed(statement.get("Resource"))):
            for service, arns in repositories.items():
                arn = self.filled(entry, service)
                if arn and arn not in arns and len(arns) < MOST_RESOURCES:
                    arns.append(arn)
        requests = []
        for action in beyond_reading():
            name, types = action["action"], action["resource_types"]
            service = name.split(":")[0]
            if not any(names(statement, name) for statement in allows):
                continue
            if name in found:
                requests.append([name, found[name]])
            if not types:
                requests.append([name, "*"])
            elif types == ["registry"]:
                requests.append([name, f"arn:aws:{service}::{self.account}:registry/{self.account}"])
            else:
                requests += [[name, arn] for arn in repositories[service]]
        return requests

    def filled(self, entry, service):
        fields = entry.split(":", 5)
        if len(fields) < 6 or "${" in entry or not fields[5].startswith("repository/"):
            return None
        region = "" if service == "ecr-public" else re.sub(r"^.*[*?].*$", "us-east-1", fields[3])
        account = self.account if re.search(r"[*?]", fields[4]) else fields[4]
        name = fields[5].removeprefix("repository/").replace("*", "app").replace("?", "a")
        fits = fnmatch.fnmatchcase(service, fields[2]) and account == self.account
        valid = re.fullmatch(r"(?=.{2,200}$)[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*", name)
        return f"arn:aws:{service}:{region}:{account}:repository/{name}" if fits and valid else None


def default_version(policy):
    return next(one["Document"] for one in policy["PolicyVersionList"] if one["IsDefaultVersion"])


def names(statement, action):
    matches = [
        fnmatch.fnmatchcase(action.lower(), pattern.lower())
        for pattern in listed(statement.get("Action", statement.get("NotAction")))
    ]
    return any(matches) if "Action" in statement else not any(matches)


def roles_of(details):
    policies = {policy["Arn"]: policy for policy in details["Policies"]}
    return [Role(role, policies) for role in details["RoleDetailList"]]


def generated(options, kind):
    """`any` kind of role, or `ordinary` ones alone, which have only what people write."""
    command = [options.verifier, "roles", str(options.roles), str(options.first_seed), kind]
    details = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    # The AWS CLI joins the pages, and prints no mark of their end.
    del details["IsTruncated"]
    return details


def managed():
    """Every AWS managed policy that moto carries, each alone on the role of an EC2 instance.

    Policies of service-linked roles are left out: no other role can have them.
    """
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    data = {
        name: policy
        for name, policy in json.loads(aws_managed_policies_data).items()
        if policy["Path"] != "/aws-service-role/"
    }
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    date = "2025-01-01T00:00:00+00:00"
    details = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    for number, (name, policy) in enumerate(sorted(data.items())):
        arn = f"arn:aws:iam::aws:policy{policy['Path']}{name}"
        version = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": date, "Document": policy["Document"]}
        details["Policies"].append({
            "PolicyName": name, "PolicyId": f"ANPA{number:017}", "Arn": arn, "Path": policy["Path"],
            "DefaultVersionId": "v1", "AttachmentCount": 1, "PermissionsBoundaryUsageCount": 0, "IsAttachable": True,
            "CreateDate": date, "UpdateDate": date, "PolicyVersionList": [version],
        })  # fmt: skip
        details["RoleDetailList"].append({
            "Path": "/", "RoleName": name, "RoleId": f"AROA{number:017}", "CreateDate": date,
            "Arn": f"arn:aws:iam::111122223333:role/{name}", "RoleLastUsed": {}, "InstanceProfileList": [], "Tags": [],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "RolePolicyList": [], "AttachedManagedPolicies": [{"PolicyName": name, "PolicyArn": arn}],
        })  # fmt: skip
    return details


class Answers:
    """What a tool says of the roles: `reported` has those that can do more than read, with an example."""

    def __init__(self, reported, errors, seconds):
        self.reported, self.errors, self.seconds = reported, errors, seconds


def timed(command, **arguments):
    """Runs a command; the seconds are processor time, so that a busy machine counts less."""

    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    run = subprocess.run(command, text=True, capture_output=True, check=False, **arguments)
    return run, spent() - before


def ask_ours(options, file):
    command = [options.cli, "check", "--account-details", str(file), "--all-roles", "--format", "json", "--at", AT]
    run, seconds = timed(command)
    assert run.returncode in (0, 1), run.stderr
    file.with_name("report.json").write_text(run.stdout)
    report = {role["role_name"]: role for role in json.loads(run.stdout)["roles"]}
    actions = {action["action"] for action in beyond_reading()}
    own = {}
    for name, role in report.items():
        found = [entry for entry in role["permitted"] if entry["action"] in actions]
        if found:
            own[name] = [found[0]["action"], found[0]["resource"]]
    return report, Answers(own, {}, seconds)


def verified(options, roles, report):
    lines = [json.dumps({"details": role.details, "report": report[role.name]}) for role in roles]
    command = [options.verifier, "verify", str(options.probes)]
    run = subprocess.run(command, input="\n".join(lines), text=True, capture_output=True, check=True)
    return {answer["role"]: answer for answer in map(json.loads, run.stdout.splitlines())}


def ask_each(command, roles, report):
    """A tool behind a small program that reads a role with its requests per line, and answers one line for each."""
    lines = []
    for role in roles:
        found = {entry["action"]: entry["resource"] for entry in report[role.name]["permitted"]}
        lines.append(json.dumps({"role": role.name, "details": role.details, "requests": role.requests(found)}))
    run, seconds = timed(command, input="\n".join(lines))
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    if len(answers) != len(roles):
        raise RuntimeError(f"{command}: {len(answers)} answers for {len(roles)} roles\n{run.stderr[-2000:]}")
    reported = {answer["role"]: answer["reported"] for answer in answers if answer["reported"]}
    errors = {answer["role"]: answer["error"] for answer in answers if answer["error"]}
    return Answers(reported, errors, seconds)


def ask_cloudsplaining(options, roles, folder, *flags):
    """`cloudsplaining scan`. A policy that it cannot read ends the whole scan, so such roles are left out first."""
    reading = [json.dumps({"role": role.name, "documents": role.documents}) for role in roles]
    run, _ = timed([options.cloudsplaining / "python", HERE / "read_by_cloudsplaining.py"], input="\n".join(reading))
    errors = json.loads(run.stdout)
    read = [role for role in roles if role.name not in errors]
    details = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
    for role in read:
        details["RoleDetailList"] += role.details["RoleDetailList"]
        details["Policies"] += role.details["Policies"]
    file = folder / "cloudsplaining.json"
    file.write_text(json.dumps(details))
    (folder / "exclusions.yml").write_text(CLOUDSPLAINING_EXCLUSIONS)
    command = [options.cloudsplaining / "cloudsplaining", "scan", "--input-file", file, "--output", folder]
    command += ["--exclusions-file", folder / "exclusions.yml", "--skip-open-report", *flags]
    run, seconds = timed(command)
    results = folder / "iam-results-cloudsplaining.json"
    if run.returncode:
        raise RuntimeError(run.stderr.strip().splitlines()[-1])
    return Answers(flagged(json.loads(results.read_text())), errors, seconds)


def flagged(results):
    """The roles with a policy in which cloudsplaining flags an action beyond reading, or all of ECR's."""
    actions = {action["action"] for action in beyond_reading()}
    reported = {}
    for role in results["roles"].values():
        for kind in ("inline_policies", "aws_managed_policies", "customer_managed_policies"):
            for policy in role[kind]:
                policy = results[kind][policy]
                found = [*policy["InfrastructureModification"]["findings"], *policy["ResourceExposure"]["findings"]]
                found = sorted(actions.intersection(found))
                found += [
                    f"{service}:*"
                    for service in policy["ServiceWildcard"]["findings"]
                    if service in ("ecr", "ecr-public")
                ]
                if found:
                    reported.setdefault(role["name"], [found[0], policy["PolicyName"]])
    return reported


class Truth:
    """The roles that can do more than read, those that cannot, and why others are not counted."""

    def __init__(self, answers):
        self.can, self.cannot = set(), set()
        self.uncounted = collections.Counter()
        self.refuted = [name for name, answer in answers.items() if answer["refuted"]]
        self.by_chance_alone = []
        for name, answer in answers.items():
            if answer["certain"]:
                self.can.add(name)
                if not any(found["by"] == "report" for found in answer["certain"].values()):
                    self.by_chance_alone.append(name)
            elif answer["undecided"]:
                self.uncounted["we do not decide it"] += 1
            elif answer["doubtful"]:
                self.uncounted["the documentation has two readings"] += 1
            elif answer["elsewhere"]:
                self.uncounted["only if another account agrees"] += 1
            else:
                self.cannot.add(name)
        self.probes = sum(answers[name]["probes"] for name in self.cannot)


def main():
    options = arguments()
    folder = options.folder / (options.role or options.set)
    folder.mkdir(parents=True, exist_ok=True)
    details = managed() if options.set == "managed" else generated(options, "any")
    if options.role:
        details["RoleDetailList"] = [role for role in details["RoleDetailList"] if role["RoleName"] == options.role]
    file = folder / "account.json"
    file.write_text(json.dumps(details, indent=1))
    roles = roles_of(details)
    report, ours = ask_ours(options, file)
    answers = verified(options, roles, report)
    truth = Truth(answers)
    if options.role:
        show_role(options, file, roles[0])
    else:
        show_truth(options, file, roles, truth)
    tools = [("ecr-read-only check", lambda: ours)]
    if options.cloudsplaining:
        tools.append(("cloudsplaining scan", partial(ask_cloudsplaining, options, roles, folder)))
        flags = "--flag-all-risky-actions"
        tools.append((f"  {flags}", partial(ask_cloudsplaining, options, roles, folder, flags)))
    if options.iamspy:
        command = [options.iamspy / "python", HERE / "ask_iamspy.py"]
        tools.append(("IAMSpy can_i", partial(ask_each, command, roles, report)))
    if options.node:
        for mode in ("Strict", "Discovery"):
            command = [options.node, HERE / "ask_iam_simulate.mjs", mode]
            tools.append((f"iam-simulate {mode}", partial(ask_each, command, roles, report)))
    found = {}
    for name, ask in tools:
        print(f"asking: {name.strip()}", file=sys.stderr)
        try:
            found[name] = ask()
        except RuntimeError as problem:
            print(f"{name:32} {problem}")
    if options.role:
        for name, answers in found.items():
            print(f"{name:32} {answer(answers, options.role)}")
        return
    print()
    kept = show_table(found, truth, ours)
    if options.set == "generated":
        ordinary = {role["RoleName"] for role in generated(options, "ordinary")["RoleDetailList"]}
        truth.can, truth.cannot = truth.can & ordinary, truth.cannot & ordinary
        print(f"\nof these, the {len(truth.can | truth.cannot)} that have only what people write:")
        show_table(found, truth)
    (folder / "answers.json").write_text(json.dumps(kept, indent=1))
    print(f"\nWhich roles these are, with an example each, is in {folder / 'answers.json'}.")


def show_truth(options, file, roles, truth):
    what = f"generated roles from seed {options.first_seed}"
    what = "AWS managed policies, each alone on a role" if options.set == "managed" else what
    print(f"{len(roles):,} {what}, in {file}")
    print(f"  {len(truth.can)} can do more to ECR than read: each has a request that the evaluator allows")
    print(
        f"  {len(truth.cannot)} cannot: our search finds none, and the evaluator refuses {truth.probes:,} random requests"
    )
    for reason, count in sorted(truth.uncounted.items()):
        print(f"  {count} not counted: {reason}")
    print(
        f"  {len(truth.refuted)} where the evaluator refuses a request of ours, {len(truth.by_chance_alone)} that we miss"
    )


def answer(found, role):
    """What a tool says of one role."""
    if role in found.reported:
        return "can: " + ", ".join(found.reported[role])
    return found.errors.get(role, "cannot")


def show_role(options, file, role):
    """The role's statements about the 49 actions, and what our command line says of it."""
    (details,) = role.details["RoleDetailList"]
    policies = [(policy["PolicyName"], policy["PolicyDocument"]) for policy in details["RolePolicyList"]]
    policies += [(policy["PolicyName"], default_version(policy)) for policy in role.details["Policies"]]
    for name, document in policies:
        for index, statement in enumerate(statements(document)):
            if any(names(statement, action["action"]) for action in beyond_reading()):
                print(f"{name}, statement {index}: {json.dumps(statement)}")
    command = [options.cli, "check", "--account-details", str(file), "--all-roles", "--at", AT]
    print(subprocess.run(command, capture_output=True, text=True, check=False).stdout)


def show_table(found, truth, ours=None):
    print(f"{'':32}   right  missed  too many  failed{'       time' if ours else ''}")
    return {name.strip(): show(name, answers, truth, ours) for name, answers in found.items()}


def show(name, found, truth, ours):
    """One line of the table. The time is a multiple of ours."""
    failed = set(found.errors) - set(found.reported)
    reported = set(found.reported)
    missed = truth.can - reported - failed
    wrong = truth.cannot & reported
    counted = truth.can | truth.cannot
    right = len(counted) - len(missed) - len(wrong) - len(failed & counted)
    ratio = f" {found.seconds / ours.seconds:9,.0f}x" if ours else ""
    print(f"{name:32} {right:7} {len(missed):7} {len(wrong):9} {len(failed & counted):7}{ratio}")
    return {
        "missed": sorted(missed),
        "too many": {role: found.reported[role] for role in sorted(wrong)},
        "failed": {role: found.errors[role] for role in sorted(failed)},
        "seconds": round(found.seconds, 2),
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("generated", "managed"), default="generated")
    parser.add_argument("--role", help="show the answers on this role alone")
    parser.add_argument("--roles", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--probes", type=int, default=100, help="random requests per action of a role")
    parser.add_argument("--folder", type=Path, required=True, help="where the account and the answers go")
    parser.add_argument("--cli", required=True, help="ecr-read-only")
    parser.add_argument("--verifier", required=True, help="examples/comparison.rs, built")
    parser.add_argument("--cloudsplaining", type=Path, help="the bin folder of its Python environment")
    parser.add_argument("--iamspy", type=Path, help="the bin folder of its Python environment")
    parser.add_argument("--node", help="Node.js, for iam-simulate")
    return parser.parse_args()


if __name__ == "__main__":
    main()
