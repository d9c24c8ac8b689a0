"""Every place that has the version has the same one, and a release says what changes verdicts."""

import re

import pytest

from local import ROOT
from local.release import build, publish
from local.templates.resolve import load

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

VERSION = build.version()
DIRECTION = re.compile(
    r"(COMPLIANT|NOT_APPLICABLE|a verdict|no verdict) → (NON_COMPLIANT|COMPLIANT|NOT_APPLICABLE|a verdict|no verdict)"
)


def toml(path):
    return tomllib.loads((ROOT / path).read_text())


def sections(text):
    """The sections of a changelog by heading, newest first."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


CHANGELOG = sections((ROOT / "CHANGELOG.md").read_text())


def locked(path):
    """The version of this package in a lock file."""
    (package,) = (one for one in toml(path)["package"] if one["name"] == build.FUNCTION)
    return package["version"]


def test_version_has_the_form_of_semantic_versioning():
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9a-z]+(\.[0-9a-z]+)*)?", VERSION)


@pytest.mark.parametrize("path", ["Cargo.lock", "fuzz/Cargo.lock"])
def test_lock_file_has_the_version(path):
    assert locked(path) == VERSION


def test_template_has_the_version():
    metadata = load(ROOT / "template.yaml")["Metadata"]["AWS::ServerlessRepo::Application"]
    assert metadata["SemanticVersion"] == VERSION


def test_licences_have_the_version():
    assert f"- {build.FUNCTION} {VERSION}\n" in (ROOT / build.LICENCES).read_text()


@pytest.mark.parametrize("page", ["docs/tasks/deploy.md", "docs/reference/cli.md"])
def test_page_shows_this_version(page):
    shown = re.findall(r"ecr-read-only[/ ](\d+\.\d+\.\d+[^\s/]*)", (ROOT / page).read_text())
    assert set(shown) == {VERSION}


def test_newest_release_in_the_changelog_is_this_version():
    unreleased, newest, *_ = CHANGELOG
    assert unreleased == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d", newest)
    assert publish.changes()


def verdict_changes(section):
    """The lines of "What changes verdicts", or None without that part."""
    found = re.search(r"^### What changes verdicts\n((?:(?!### ).*\n)*)", section, re.MULTILINE)
    return found and [line for line in re.split(r"^(?=- )", found[1], flags=re.MULTILINE) if line.startswith("- ")]


def faults(changelog):
    """Releases without the part about verdicts or with another part before it, and lines without a direction."""
    for heading, section in changelog.items():
        if heading == "[Unreleased]":
            continue
        lines = verdict_changes(section)
        first = re.search(r"^### (.*)$", section, re.MULTILINE)
        if lines is None or first[1] != "What changes verdicts":
            yield f"{heading} does not begin with what changes verdicts"
        for line in lines or []:
            if not DIRECTION.search(" ".join(line.split())):
                yield f"{heading}: no direction in {line}"


def test_release_begins_with_what_changes_verdicts():
    assert list(faults(CHANGELOG)) == []
    assert len(verdict_changes(next(section for name, section in CHANGELOG.items() if VERSION in name))) > 10


@pytest.mark.parametrize(
    "section",
    [
        "### Added\n\n- **A**: b.\n",
        "### Added\n\n- **A**: b.\n\n### What changes verdicts\n\n- **A**: COMPLIANT → NON_COMPLIANT.\n",
        "### What changes verdicts\n\n- **A**: COMPLIANT →\n  NON_COMPLIANT.\n- **B**: another verdict.\n",
    ],
)
def test_release_without_directions_is_found(section):
    assert len(list(faults({"[9.9.9] - 2099-01-01": section}))) == 1


# cargo-binstall: https://github.com/cargo-bins/cargo-binstall/blob/main/SUPPORT.md


def binstall(target):
    """The address of the archive for a target, and the path of the program in it."""
    settings = toml("Cargo.toml")["package"]["metadata"]["binstall"]
    settings = {**settings, **settings["overrides"].get(target, {})}
    known = {
        "repo": "REPOSITORY",
        "version": VERSION,
        "target": target,
        "bin": build.COMMAND_LINE,
        "binary-ext": ".exe" if "-windows-" in target else "",
    }
    texts = [
        re.sub(r"\{ ([a-z-]+) \}", lambda match: known[match[1]], settings[name]) for name in ("pkg-url", "bin-dir")
    ]
    return *texts, settings["pkg-fmt"]


@pytest.mark.parametrize("target", [*publish.TESTED, *publish.NOT_RUN])
def test_binstall_finds_the_archive_of_a_release(target):
    address, program, form = binstall(target)
    assert address == f"REPOSITORY/releases/download/v{VERSION}/{build.archive_name(target)}"
    assert form == ("zip" if "-windows-" in target else "tgz")
    # `make dist-check` tests that the program is at the top of the archive.
    assert program == (f"{build.COMMAND_LINE}.exe" if "-windows-" in target else build.COMMAND_LINE)


def test_binstall_takes_releases_only():
    assert toml("Cargo.toml")["package"]["metadata"]["binstall"]["disabled-strategies"] == ["quick-install", "compile"]
