"""The workflows in .github/workflows: which actions they use, what they may do, what they run.

`make workflows` checks them with zizmor and actionlint too.
"""

import re
import subprocess

import pytest
import yaml

from local import ROOT
from local.release import publish

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*"))
# The only actions, by the commit of a version.
ACTIONS = {
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/setup-python": ("5fda3b95a4ea91299a34e894583c3862153e4b97", "v7.0.0"),
    "actions/upload-artifact": ("bbbca2ddaa5d8feaa63e36b76fdaad77386f024f", "v7.0.0"),
    "actions/attest-build-provenance": ("a2bbfa25375fe432b6a289bc6b6cd05ecd0c4c32", "v4.1.0"),
}
# What a job may do beyond reading the repository.
WRITES = {("release.yml", "publish"): {"attestations", "contents", "id-token"}}
RUN_LINES = 4


def load(path):
    """A workflow. YAML 1.1 reads the key `on` as true."""
    return {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text()).items()}


JOBS = [(path, name, job) for path in WORKFLOWS for name, job in load(path)["jobs"].items()]
STEPS = [(path, name, step) for path, name, job in JOBS for step in job["steps"]]
RUNS = [(path, name, step["run"]) for path, name, step in STEPS if "run" in step]


def test_every_workflow_has_its_fixed_name():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml", "weekly.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_uses_only_the_allowed_digests(path):
    used = re.findall(r"uses: *(.*)", path.read_text())
    assert used
    assert [
        one
        for one in used
        if one not in {f"{name}@{digest} # {version}" for name, (digest, version) in ACTIONS.items()}
    ] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_has_no_permission_itself(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"].keys() == {"group", "cancel-in-progress"}
    assert "pull_request_target" not in workflow["on"] and "workflow_run" not in workflow["on"]


@pytest.mark.parametrize("path, name, job", JOBS, ids=lambda value: value if isinstance(value, str) else "")
def test_job_has_least_permissions_and_a_timeout(path, name, job):
    assert 0 < job["timeout-minutes"] <= 120
    granted = {scope for scope, access in job["permissions"].items() if access != "read"}
    assert granted == WRITES.get((path.name, name), set())
    assert all(access in ("read", "write") for access in job["permissions"].values())
    assert not any(label.endswith("-latest") for label in re.findall(r"[\w.-]+", str(job["runs-on"])))


def test_checkout_keeps_no_credentials():
    checkouts = [step for _, _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize(
    "path, name, run", RUNS, ids=lambda value: value if isinstance(value, str) and "\n" not in value else ""
)
def test_script_is_short_and_has_no_expression(path, name, run):
    """An expression in a script would be text of others that the shell runs: it stands in `env`."""
    assert "${{" not in run
    assert len(run.strip().splitlines()) <= RUN_LINES


def test_make_target_in_a_workflow_exists():
    used = {words for _, _, run in RUNS for words in re.findall(r"^ *make (.*)$", run, re.MULTILINE)}
    assert used
    for words in used:
        dry = subprocess.run(
            ["make", "--dry-run", *words.split()], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert dry.returncode == 0, dry.stderr


def test_script_in_a_workflow_exists():
    used = {words[0] for _, _, run in RUNS if (words := run.split()) and words[0].startswith(".")}
    assert used == {".ci/run"}
    assert all((ROOT / path).is_file() for path in used)


def test_rust_version_is_in_one_place():
    version = (ROOT / ".github" / "rust-version").read_text().strip()
    oldest = re.search(r'^rust-version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    assert [int(part) for part in version.split(".")] >= [int(part) for part in oldest.split(".")]
    for path in WORKFLOWS:
        text = path.read_text()
        assert re.findall(r"\d+\.\d+\.\d+", re.sub(r"# v[\d.]+", "", text)) == [], "a version of Rust"
        assert text.count("rustup toolchain install") == text.count("rustup default")


def test_ci_runs_the_script_for_pushes_and_pull_requests():
    workflow = load(FOLDER / "ci.yml")
    assert workflow["on"].keys() == {"push", "pull_request"}
    assert [run for path, _, run in RUNS if path.name == "ci.yml"][-1] == ".ci/run"


def test_release_builds_every_target_on_a_job():
    jobs = load(FOLDER / "release.yml")["jobs"]
    assert [one["target"] for one in jobs["other"]["strategy"]["matrix"]["include"]] == list(publish.NOT_RUN)
    installed = [
        target for step in jobs["linux"]["steps"] for target in re.findall(r"target add (\S+)", step.get("run", ""))
    ]
    assert {*installed, "x86_64-unknown-linux-gnu"} == set(publish.TESTED)
    assert jobs["publish"]["needs"] == [name for name in jobs if name != "publish"]
    assert load(FOLDER / "release.yml")["on"] == {"push": {"tags": ["v[0-9]*"]}}


def test_release_attests_every_file_before_it_is_published():
    steps = load(FOLDER / "release.yml")["jobs"]["publish"]["steps"]
    names = [step.get("uses", "").partition("@")[0] or step["run"].strip().splitlines()[-1] for step in steps]
    assert names[-3:] == [
        "python -m local.release.publish collect built dist",
        "actions/attest-build-provenance",
        "python -m local.release.publish create dist",
    ]
    assert steps[-2]["with"] == {"subject-path": "dist/*"}


def test_release_checks_the_tag_before_it_builds():
    runs = [run for path, name, run in RUNS if (path.name, name) == ("release.yml", "linux")]
    assert runs[0] == "python -m local.release.publish tag"
    assert "make dist ZIG=1" in runs and runs.index("make dist ZIG=1") < runs.index("make dist-check")


def test_weekly_run_requires_advisories_and_newest_sources():
    assert load(FOLDER / "weekly.yml")["on"].keys() == {"schedule", "workflow_dispatch"}
    runs = [run for path, _, run in RUNS if path.name == "weekly.yml"]
    assert "make dependencies ADVISORIES=required" in runs and "make catalogue-newest" in runs
