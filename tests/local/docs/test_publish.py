"""`local/release/publish.py`: the tag, the files and the text of a release on GitHub."""

import json
import os
import re
import subprocess
import sys

import pytest

from local import ROOT
from local.release import build, dist, publish, sums

VERSION = build.version()
CHANGELOG = f"# Changelog\n\n## [Unreleased]\n\n- Later.\n\n## [{VERSION}] - 2026-12-01\n\n### Added\n\n- It.\n\n## [0.0.1]\n\n- Old.\n"
WHEELS = {
    "manylinux*_x86_64": "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "manylinux*_aarch64": "manylinux_2_17_aarch64.manylinux2014_aarch64",
    "macosx_*_arm64": "macosx_11_0_arm64",
    "macosx_*_x86_64": "macosx_10_12_x86_64",
    "win_amd64": "win_amd64",
}
LINUX = "linux"


def wheel(platform):
    return f"ecr_read_only-1.0.0rc1-py3-none-{WHEELS[platform]}.whl"


def built_files():
    """The files of each job, by the name under which it uploads them."""
    jobs = {target: [build.archive_name(target), wheel(platform)] for target, platform in publish.NOT_RUN.items()}
    others = [
        name for name in publish.patterns() if "*" not in name and not any(name in files for files in jobs.values())
    ]
    others = [name for name in others if ".whl" not in name]
    jobs[LINUX] = [*others, *(wheel(platform) for platform in publish.TESTED.values())]
    return jobs


@pytest.fixture
def built(tmp_path):
    """The folder into which `gh run download` puts the files of all jobs."""
    for job, names in built_files().items():
        folder = tmp_path / "built" / job
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text(f"{job}: {name}")
    sums.write(tmp_path / "built" / LINUX)
    return tmp_path / "built"


def all_files(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_collected_release_has_every_file_with_its_digest(built, tmp_path):
    names = all_files(built)
    publish.collect(built, tmp_path / "dist")
    assert all_files(tmp_path / "dist") == names
    assert sums.read(tmp_path / "dist").keys() == names - {sums.NAME}
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", sums.NAME], cwd=tmp_path / "dist", check=True)


@pytest.mark.parametrize("job, name", [(job, name) for job, names in built_files().items() for name in names])
def test_release_without_a_file_is_refused(built, tmp_path, job, name):
    (built / job / name).unlink()
    if job == LINUX:
        sums.write(built / LINUX)
    with pytest.raises(publish.Unfit, match="is missing"):
        publish.collect(built, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    "path, expected",
    [
        ("linux/notes.txt", "notes.txt is no file of a release"),
        ("linux/ecr-read-only-9.9.9-x86_64-unknown-linux-gnu.tar.gz", "is no file of a release"),
        ("x86_64-apple-darwin/terraform.zip", "terraform.zip is there twice"),
        ("linux/ecr_read_only-0.9.0-py3-none-win_amd64.whl", "2 files match"),
    ],
)
def test_release_with_another_file_is_refused(built, tmp_path, path, expected):
    (built / path).write_text("x")
    with pytest.raises(publish.Unfit, match=re.escape(expected)):
        publish.collect(built, tmp_path / "dist")


def test_release_with_a_changed_file_is_refused(built, tmp_path):
    (built / LINUX / "bootstrap-arm64.zip").write_text("another")
    with pytest.raises(sums.WrongSum, match=r"bootstrap-arm64\.zip"):
        publish.collect(built, tmp_path / "dist")


def test_files_of_a_release_are_those_of_make_dist():
    made = {name.split(" ")[0] for _, name, _ in dist.parts(zig=True)}
    made |= {f"{name}.yaml" for name in (build.FUNCTION, *build.TEMPLATES)} | {
        f"{name}.cdx.json" for name in dist.PROGRAMS
    }
    made |= {build.LICENCES, "terraform.zip"}
    not_run = {build.archive_name(target) for target in publish.NOT_RUN}
    assert {name for name in publish.patterns() if not name.endswith(".whl")} == made | not_run
    assert publish.TESTED.keys() == set(build.ARCHITECTURES.values())


@pytest.fixture
def changelog(monkeypatch, tmp_path):
    """A checkout with another CHANGELOG.md."""

    def write(text):
        monkeypatch.setattr(publish, "ROOT", tmp_path)
        (tmp_path / "CHANGELOG.md").write_text(text)
        (tmp_path / ".github").mkdir(exist_ok=True)
        (tmp_path / ".github" / "rust-version").write_text("1.95.0\n")

    return write


def test_notes_have_the_section_of_the_version_only(changelog):
    changelog(CHANGELOG)
    notes = publish.notes()
    assert notes.startswith("### Added\n\n- It.\n\n## Files\n")
    assert "Later" not in notes and "Old" not in notes
    assert "**built, not run here**" in notes and "Rust 1.95.0" in notes
    assert [target for target in publish.NOT_RUN if f"`{build.archive_name(target)}`" not in notes] == []


def test_link_in_the_notes_has_the_address_of_the_tag(changelog, monkeypatch):
    changelog(CHANGELOG.replace("- It.", "- [It](docs/it.md#part), [spec](https://example.org/), [below](#files)."))
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    pages = f"https://github.example/owner/name/blob/v{VERSION}"
    notes = publish.notes()
    assert f"[It]({pages}/docs/it.md#part), [spec](https://example.org/), [below](#files)" in notes
    assert f"[SECURITY.md]({pages}/SECURITY.md#how-to-verify-a-release)" in notes


@pytest.mark.parametrize(
    "text",
    [
        "# Changelog\n\n## [Unreleased]\n\n- It.\n",
        f"## [{VERSION}]\n\n## [0.0.1]\n\n- Old.\n",
        f"## [{VERSION}0]\n\n- It.\n",
    ],
)
def test_version_without_changes_is_refused(changelog, text):
    changelog(text)
    with pytest.raises(publish.Unfit, match=r"CHANGELOG\.md has no section"):
        publish.notes()


@pytest.mark.parametrize(
    "tag", [VERSION, f"v{VERSION}0", "v9.9.9", f"v{VERSION}-rc.1", f"v{VERSION} ", f"v{VERSION}$(id)", ""]
)
def test_tag_of_another_version_is_refused(tag):
    refused = subprocess.run(
        [sys.executable, "-m", "local.release.publish", "tag"],
        cwd=ROOT,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: the tag is {tag}, but Cargo.toml has version {VERSION}")


@pytest.mark.parametrize("version, prerelease", [("1.0.0", False), ("1.0.0-rc.1", True), ("2.1.0-beta", True)])
def test_release_with_a_suffix_is_a_prerelease(changelog, monkeypatch, tmp_path, version, prerelease):
    """A program in place of GitHub's writes down its arguments and its input."""
    monkeypatch.setattr(build, "version", lambda: version)
    changelog(CHANGELOG.replace(VERSION, version))
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\njson.dump([sys.argv[1:], sys.stdin.read()], open({str(tmp_path / 'called')!r}, 'w'))\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("GITHUB_REF_NAME", f"v{version}")
    (tmp_path / "dist").mkdir()
    for name in ("b.zip", sums.NAME):
        (tmp_path / "dist" / name).write_text("x")
    assert publish.create(tmp_path / "dist") == 0
    arguments, text = json.loads((tmp_path / "called").read_text())
    assert arguments[:4] == ["release", "create", f"v{version}", "--verify-tag"]
    assert ("--prerelease" in arguments) == prerelease
    assert arguments[-2:] == [str(tmp_path / "dist" / name) for name in (sums.NAME, "b.zip")]
    assert text == publish.notes()


def test_release_fails_if_github_refuses(changelog, monkeypatch, tmp_path):
    changelog(CHANGELOG)
    (tmp_path / "gh").write_text("#!/bin/sh\nexit 4\n")
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("GITHUB_REF_NAME", f"v{VERSION}")
    (tmp_path / "dist").mkdir()
    assert publish.create(tmp_path / "dist") == 4
