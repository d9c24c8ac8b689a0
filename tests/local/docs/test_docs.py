"""The pages: their commands are run where that needs no account, their links lead somewhere, and what they list is there."""

import itertools
import json
import os
import re
import shlex
import subprocess

import pytest
from moto.server import ThreadedMotoServer

from helpers import actions, role_policies
from local import ROOT
from local.templates import resolve

PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
# What the tests and CI run elsewhere, or what needs the network.
ELSEWHERE = ("pip install", "sam build", "sam deploy --guided", "cargo run", "echo", "python3 tools/cost.py")


def commands(page):
    """The commands of a page's console blocks, continued lines joined, comments cut."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield re.sub(r"\s+# .*", "", line[2:])


COMMANDS = sorted({command for page in PAGES for command in commands(page)})
AWS = [command for command in COMMANDS if command.startswith("aws ")]
MAKE = [command for command in COMMANDS if command.startswith("make ")]


@pytest.fixture(scope="module")
def cli():
    """Runs an AWS CLI command on a moto of its own."""
    program = os.environ.get("AWS_CLI")
    if not program:
        pytest.fail("AWS_CLI names no AWS CLI: `make test` installs one")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }

    def run(command):
        # What the shell does with the answer is cut, what is quoted is not.
        _, *words = itertools.takewhile(lambda word: word not in (">", "|"), shlex.split(command))
        # By option, for queue URLs outweigh the variable.
        words = [program, "--endpoint-url", f"http://{host}:{port}", *words]
        return subprocess.run(
            words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    yield run
    server.stop()


def test_every_command_of_the_pages_is_of_a_kind_that_is_tried():
    assert AWS and MAKE
    others = [command for command in COMMANDS if not command.startswith(("aws ", "make ", *ELSEWHERE))]
    assert [
        command
        for command in others
        if not re.match(r"(CARGO_LAMBDA_COMPILER=\w+ sam build|cargo test|ORACLE_)", command)
    ] == []


@pytest.mark.parametrize("command", AWS)
def test_the_aws_cli_takes_the_command_and_asks_aws(cli, command):
    """What moto knows answers; of the rest it is enough that the CLI found nothing wrong and sent it."""
    ran = cli(command)
    sent = ran.returncode == 0 or re.search(r"An error occurred \(|Unable to parse response|does not exist", ran.stderr)
    assert sent, ran.stderr


@pytest.mark.parametrize(
    "command", ["aws sqs receive-message", "aws sqs purge-queue --nonsense", "aws configservice nonsense"]
)
def test_the_aws_cli_refuses_what_is_no_command(cli, command):
    ran = cli(command)
    assert ran.returncode != 0 and not re.search(
        r"An error occurred \(|Unable to parse response|does not exist", ran.stderr
    )


def test_the_ids_of_all_accounts_come_as_the_template_takes_them(cli):
    for command in ("create-organization", "create-account --email a@example.org --account-name a"):
        assert cli(f"aws organizations {command}").returncode == 0
    (command,) = (command for command in AWS if "list-accounts" in command and command.endswith("| tr -d '\"'"))
    ids = cli(command).stdout.strip().replace('"', "")
    declared = {"AccountIds": resolve.load(ROOT / "deploy" / "invoke-permissions.yaml")["Parameters"]["AccountIds"]}
    assert len(resolve.parameter_values(declared, {"AccountIds": ids})["AccountIds"]) == 2


@pytest.mark.parametrize("command", MAKE)
def test_make_knows_the_target(command):
    dry = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def anchors(page):
    """GitHub's anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            broken.append(target)
    assert broken == []


def test_every_page_of_docs_is_named_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme] == []


def test_the_page_of_deploying_has_every_parameter_of_the_template():
    parameters = resolve.load(ROOT / "template.yaml")["Parameters"]
    page = (ROOT / "docs" / "deploy.md").read_text()
    assert [name for name in parameters if f"`{name}`" not in page] == []


def test_the_page_of_permissions_has_every_action_of_the_functions_role():
    page = (ROOT / "docs" / "permissions.md").read_text()
    resources = resolve.resolved(ROOT / "template.yaml", resolve.EVERY_PART["template.yaml"])["Resources"]
    actions_of_role = actions(role_policies(resources, "FunctionRole").values())
    assert len(actions_of_role) > 30
    assert [
        action for action in actions_of_role if f"`{action.split(':')[1]}`" not in page and f"`{action}`" not in page
    ] == []


def test_the_page_of_operations_has_every_alarm():
    alarms = [
        resource["Properties"]["AlarmName"].removeprefix(resolve.STACK)
        for resource in resolve.resolved(ROOT / "template.yaml", resolve.EVERY_PART["template.yaml"])[
            "Resources"
        ].values()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert len(alarms) == 7
    assert [alarm for alarm in alarms if f"`…{alarm}`" not in OPERATIONS] == []


def names(command):
    words = set("fields filter stats sort desc dedup by and like ispresent count latest sum pct as".split())
    return set(re.findall(r"@?[A-Za-z]\w*", re.sub(r'"[^"]*"', "", command))) - words


def unknown_names(query, known):
    """Names that mean nothing where they stand: `known` are the log's, and after `stats` there is only what that made."""
    unknown = set()
    for command in query.strip().split("\n| "):
        made = set(re.findall(r" as (\w+)", command))
        unknown |= names(command) - made - known
        known = made | (names(command.partition(" by ")[2]) if command.startswith("stats ") else known)
    return unknown


def test_the_queries_name_fields_that_the_log_has(demo):
    """Fields that failures alone have are named in the source of the binary."""
    lines = [json.loads(line) for line in demo.processes.log("function").splitlines() if line.startswith("{")]
    known = {name for line in lines for name in line} | {"@timestamp"}
    known |= set(re.findall(r"(\w+) = ", (ROOT / "src" / "main.rs").read_text()))
    queries = re.findall(r"```\n((?:fields|filter|stats).*?)```", OPERATIONS, re.DOTALL)
    assert len(queries) == 7
    assert {query: unknown for query in queries if (unknown := unknown_names(query, known))} == {}


def test_a_field_of_the_log_means_nothing_after_stats():
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
    assert (
        unknown_names('filter message = "x"\n| stats count(*) as times by role\n| sort times desc', {"message", "role"})
        == set()
    )
    assert unknown_names('stats count(*) as times by role\n| filter message = "x"', {"message", "role"}) == {"message"}


def test_the_page_of_costs_shows_what_the_tool_prints():
    printed = subprocess.run(["python3", "tools/cost.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() in (ROOT / "docs" / "cost.md").read_text()
