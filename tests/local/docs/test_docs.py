"""The pages: commands run if they need no account, links resolve, lists are complete, outputs are real."""

import itertools
import json
import os
import re
import shlex
import subprocess

import pytest
import yaml
from moto.server import ThreadedMotoServer

from helpers import actions, role_policies
from local import ROOT
from local.lab import account
from local.templates import resolve
from local.templates.plain import plain

DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), ROOT / "deploy" / "terraform" / "README.md"]
README = ROOT / "README.md"
README_LINES = 150
# Commands that other tests or CI run, or that need the network.
ELSEWHERE = (
    "pip install",
    "sam build",
    "sam deploy --guided",
    "sam publish",
    "cargo install",
    "cargo binstall",
    "uvx --from",
    "tar --extract",
    "cargo test",
    "git pull",
    "python3 tools/cost.py",
    "sha256sum --check",
    "terraform init",
    "terraform plan",
    "terraform apply",
    "terraform destroy",
    "git tag",
    "git push",
    "cd dist && sha256sum --check",
    "gh attestation verify",
    "rustup target add",
)
# Words that must be decoded. CONTRIBUTING.md has the rule.
RETIRED = re.compile(
    r"\b(untold|told|tells|tell|whatever|whoever asks|anew|of its own accord|for good|stands on|by itself|admits nobody"
    r"|comes of it|as .{1,20} calls for|is said of|left over to|a word)\b",
    re.IGNORECASE,
)


def commands(page):
    """The commands of a page's console blocks, continued lines joined, comments cut."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield re.sub(r"\s+# .*", "", line[2:])


def sessions(page):
    """The runs of the command line on a page: each command with the output below it."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL):
        yield from re.findall(r"^\$ (ecr-read-only .*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


COMMANDS = sorted({command for page in PAGES for command in commands(page)})
AWS = [command for command in COMMANDS if command.startswith("aws ")]
MAKE = [command for command in COMMANDS if command.startswith("make ")]
SESSIONS = [(page.name, *session) for page in PAGES for session in sessions(page)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """The checkout with a release in `dist/`."""
    folder = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.name != "dist":
            (folder / path.name).symlink_to(path)
    (folder / "dist").mkdir()
    (folder / "dist" / "bootstrap-x86_64.zip").touch()
    (folder / "dist" / "eks-node-role-ecr-read-only.yaml").write_text(plain(ROOT / "template.yaml"))
    return folder


@pytest.fixture(scope="module")
def cli(checkout):
    """Runs an AWS CLI command on a separate moto."""
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
        _, *words = itertools.takewhile(lambda word: word not in (">", ">>", "|"), shlex.split(command))
        # By option, for queue URLs outweigh the variable.
        words = [program, "--endpoint-url", f"http://{host}:{port}", *words]
        return subprocess.run(
            words, cwd=checkout, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    yield run
    server.stop()


def test_command_on_a_page_is_of_a_known_kind():
    assert AWS and MAKE and SESSIONS
    others = [
        command for command in COMMANDS if not command.startswith(("aws ", "make ", "ecr-read-only ", *ELSEWHERE))
    ]
    assert [
        c for c in others if not re.match(r"(CARGO_LAMBDA_COMPILER=\w+ sam build|ORACLE_\w+=.* cargo test)", c)
    ] == []


def ecr_read_only(*words):
    """Runs the command line of this project."""
    program = os.environ.get("CLI_BINARY") or pytest.fail("CLI_BINARY is not set: `make test` builds the command line")
    return subprocess.run([(ROOT / program).resolve(), *words], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("page, command, output", SESSIONS)
def test_session_on_a_page_is_what_the_cli_prints(page, command, output):
    """A page without an output shows a file that only its reader has: then the example stands in for it."""
    words = ["examples/account.json" if word == "account.json" else word for word in shlex.split(command)[1:]]
    ran = ecr_read_only(*words)
    assert ran.returncode in (0, 1), ran.stderr
    assert output in ("", ran.stdout), f"{page} shows another output"


@pytest.mark.parametrize("command", AWS)
def test_aws_command_on_a_page_is_accepted(cli, command):
    """moto knows some operations. For the others it is enough that the CLI accepted and sent the command."""
    ran = cli(command)
    sent = ran.returncode == 0 or re.search(r"An error occurred \(|Unable to parse response|does not exist", ran.stderr)
    assert sent, ran.stderr


@pytest.mark.parametrize(
    "command", ["aws sqs receive-message", "aws sqs purge-queue --nonsense", "aws configservice nonsense"]
)
def test_aws_cli_refuses_an_unknown_command(cli, command):
    ran = cli(command)
    assert ran.returncode != 0 and not re.search(
        r"An error occurred \(|Unable to parse response|does not exist", ran.stderr
    )


def test_account_ids_command_prints_what_the_template_accepts(cli):
    for command in ("create-organization", "create-account --email a@example.org --account-name a"):
        assert cli(f"aws organizations {command}").returncode == 0
    (command,) = (command for command in AWS if "list-accounts" in command and command.endswith("| tr -d '\"'"))
    ids = cli(command).stdout.strip().replace('"', "")
    declared = {"AccountIds": resolve.load(ROOT / "deploy" / "invoke-permissions.yaml")["Parameters"]["AccountIds"]}
    assert len(resolve.parameter_values(declared, {"AccountIds": ids})["AccountIds"]) == 2


@pytest.mark.parametrize("command", MAKE)
def test_make_command_on_a_page_has_a_target(command):
    dry = subprocess.run([*shlex.split(command), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def anchors(page):
    """GitHub's anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_link_on_a_page_resolves(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (anchor and anchor not in anchors(to)):
            broken.append(target)
    assert broken == []


def test_readme_links_every_page_of_docs():
    readme = README.read_text()
    pages = [str(page.relative_to(ROOT)) for page in DOCS.rglob("*.md")]
    assert [page for page in pages if f"({page})" not in readme] == []


def test_readme_is_short():
    assert len(README.read_text().splitlines()) <= README_LINES


def test_table_row_stands_on_one_page_only():
    """A table stands once; other pages link to it."""
    pages_of = {}
    for page in PAGES:
        rows = [
            line
            for line in page.read_text().splitlines()
            if line.startswith("|") and not re.match(r"\|[-:|]+\|$", line)
        ]
        for row in rows:
            pages_of.setdefault(row, set()).add(page.name)
    # A header is no row: two tables may have the same columns.
    assert [row for row, pages in pages_of.items() if len(pages) > 1 and "`" in row] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_path_on_a_page_exists(page):
    """ARCHITECTURE.md's code map, whose paths are relative, has a separate test: `tests/code_map.rs`."""
    folders = "src|tests|local|docs|deploy|tools|events|examples|benches|fuzz"
    named = re.findall(rf"`((?:{folders})/[\w./*-]*)`", page.read_text())
    assert page.name != "CONTRIBUTING.md" or len(named) > 30
    assert [path for path in named if not any(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_uses_no_retired_word(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    assert [match[0] for match in RETIRED.finditer(text)] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml")), ids=lambda path: path.stem
)
def test_issue_form_is_complete(path):
    form = yaml.safe_load(path.read_text())
    assert form.keys() >= {"name", "description", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] and field["id"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
    assert re.search(r"remove.*secrets", path.read_text(), re.IGNORECASE)


def test_permissions_page_has_every_action_of_the_function():
    page = (DOCS / "reference" / "permissions.md").read_text()
    resources = resolve.resolved(ROOT / "template.yaml", resolve.EVERY_PART["template.yaml"])["Resources"]
    actions_of_role = actions(role_policies(resources, "FunctionRole").values())
    assert len(actions_of_role) > 30
    assert [
        action for action in actions_of_role if f"`{action.split(':')[1]}`" not in page and f"`{action}`" not in page
    ] == []


def test_errors_page_has_every_error_type():
    sources = [path.read_text() for path in (ROOT / "src" / "rule").rglob("*.rs")]
    functions = [
        source.split("fn error_type(")[1].split("\n    }\n")[0] for source in sources if "fn error_type(" in source
    ]
    types = {name for function in functions for name in re.findall(r'=> "(\w+)"', function)}
    assert len(types) > 8
    rows = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "reference" / "errors.md").read_text(), re.MULTILINE))
    assert rows == types


def test_metrics_page_has_every_metric():
    counters = re.search(r"const COUNTERS: .*?\[(.*?)\];", (ROOT / "src" / "metrics.rs").read_text(), re.DOTALL)[1]
    page = (DOCS / "reference" / "log-and-metrics.md").read_text()
    assert [name for name in re.findall(r'"(\w+)"', counters) if f"`{name}`" not in page] == []


def test_cli_page_has_every_option():
    usage = ecr_read_only("check", "--help")
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", usage.stdout, re.MULTILINE)) - {"--help"}
    assert len(options) > 8
    page = (DOCS / "reference" / "cli.md").read_text()
    assert [option for option in options if f"`{option}" not in page] == []


def test_annotation_on_a_page_is_one_of_the_demo(demo):
    names = "|".join(role.name for role in account.ROLES)
    shown = {
        (page.name, line) for page in PAGES for line in re.findall(rf"^(?:{names}) .*$", page.read_text(), re.MULTILINE)
    }
    assert len(shown) > 1
    annotations = {evaluation.get("Annotation") for evaluation in demo.evaluations().values()}
    assert [line for line in shown if line[1] not in annotations] == []


def names(command):
    known = "fields filter stats sort desc dedup by and like ispresent count latest max sum pct as"
    return set(re.findall(r"@?[A-Za-z]\w*", re.sub(r'"[^"]*"', "", command))) - set(known.split())


def unknown_names(query, known):
    """Names that a query uses and that do not exist there.

    `known` are the fields of the log. After `stats`, only its results exist.
    """
    unknown = set()
    for command in query.strip().split("\n| "):
        made = set(re.findall(r" as (\w+)", command))
        unknown |= names(command) - made - known
        known = made | (names(command.partition(" by ")[2]) if command.startswith("stats ") else known)
    return unknown


def test_query_on_a_page_names_fields_of_the_log(demo):
    """The demo has no failure and no exempt role, so their fields come from the source."""
    lines = [json.loads(line) for line in demo.processes.log("function").splitlines() if line.startswith("{")]
    known = {name for line in lines for name in line} | {"@timestamp"}
    for source in ("main.rs", "summary.rs"):
        known |= set(re.findall(r"(\w+) = ", (ROOT / "src" / source).read_text()))
    queries = re.findall(
        r"```\n((?:fields|filter|stats).*?)```", (DOCS / "reference" / "log-and-metrics.md").read_text(), re.DOTALL
    )
    assert len(queries) == 11
    assert {query: unknown for query in queries if (unknown := unknown_names(query, known))} == {}
    assert [query for query in queries if "accountId" not in query] == []


def test_log_field_after_stats_is_unknown():
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Stats.html
    assert (
        unknown_names('filter message = "x"\n| stats count(*) as times by role\n| sort times desc', {"message", "role"})
        == set()
    )
    assert unknown_names('stats count(*) as times by role\n| filter message = "x"', {"message", "role"}) == {"message"}


def test_cost_page_shows_what_the_tool_prints():
    printed = subprocess.run(["python3", "tools/cost.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() in (DOCS / "reference" / "cost.md").read_text()
