"""The limits of the deployment package: `local/measure/check_binary.py`, and the pages that quote them."""

import os
import re
import subprocess
import sys
import zipfile

import pytest

from local import ROOT
from local.measure import check_binary

X86_64, ARM64, RISC_V = 62, 183, 243
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
QUOTED = re.compile(r"([\d.]+)\s+MB\s+(unpacked|zipped)")
LIMITS = {"unpacked": check_binary.MOST_BINARY_BYTES, "zipped": check_binary.MOST_ZIP_BYTES}


def program(machine=X86_64, glibc=("2.2.5", "2.34"), size=5000, noise=0):
    """The parts of a program that the check reads. Noise makes the zip as large as the program."""
    header = b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + machine.to_bytes(2, "little")
    names = b"".join(b"\0GLIBC_" + version.encode() for version in glibc) + b"\0"
    return (header + names + os.urandom(noise)).ljust(size, b"\0")


def checked(path):
    return subprocess.run(
        [sys.executable, "-m", "local.measure.check_binary", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def packed(folder, files):
    path = folder / "bootstrap.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("machine, name", [(X86_64, "x86_64"), (ARM64, "arm64")])
def test_package_within_the_limits_passes(tmp_path, machine, name):
    passed = checked(packed(tmp_path, {"bootstrap": program(machine, size=check_binary.MOST_BINARY_BYTES)}))
    assert passed.returncode == 0, passed.stderr
    assert passed.stdout.splitlines()[0] == f"architecture {name}"
    assert "binary 9.70 MB (limit 9.7 MB)" in passed.stdout and "needs glibc 2.34 (limit 2.34)" in passed.stdout


@pytest.mark.parametrize("machine", [X86_64, ARM64])
@pytest.mark.parametrize(
    "content, expected",
    [
        ({"size": check_binary.MOST_BINARY_BYTES + 1}, ["the binary is too large"]),
        ({"noise": check_binary.MOST_ZIP_BYTES}, ["the zip is too large"]),
        ({"glibc": ("2.17", "2.35")}, ["it needs a glibc newer than 2.34"]),
        ({"glibc": ("2.9", "2.100")}, ["it needs a glibc newer than 2.34"]),
        ({"glibc": ("3.0",)}, ["it needs a glibc newer than 2.34"]),
        ({"glibc": ()}, ["it names no glibc version, as a program of another C library does"]),
        (
            {"noise": 10_000_000, "glibc": ("2.39",)},
            ["the binary is too large", "the zip is too large", "it needs a glibc newer than 2.34"],
        ),
    ],
)
def test_package_outside_a_limit_is_refused(tmp_path, machine, content, expected):
    path = packed(tmp_path, {"bootstrap": program(machine, **content)})
    refused = checked(path)
    assert refused.returncode == 1
    assert refused.stderr == f"error: {path}: {'; '.join(expected)}\n"


@pytest.mark.parametrize(
    "content", [b"", b"#!/bin/sh\n", program(RISC_V), b"\x7fELF\x01\x01" + program()[6:], program()[:10]]
)
def test_program_of_another_kind_is_refused(tmp_path, content):
    refused = checked(packed(tmp_path, {"bootstrap": content}))
    assert refused.returncode == 1
    assert refused.stderr.endswith(": `bootstrap` is not a Linux program for x86_64 or arm64\n")


@pytest.mark.parametrize("names", [[], ["main"], ["bootstrap", "README"]])
def test_package_with_other_files_is_refused(tmp_path, names):
    refused = checked(packed(tmp_path, {name: program() for name in names}))
    assert refused.returncode == 1
    assert f"contains {', '.join(names) or 'nothing'}, expected only `bootstrap`" in refused.stderr


@pytest.mark.parametrize("content", [None, b"", b"not a zip", "cut"])
def test_unreadable_package_is_refused(tmp_path, content):
    path = packed(tmp_path, {"bootstrap": program(noise=90_000)})
    if content is None:
        path.unlink()
    elif content == "cut":
        # Damages the compressed data, and keeps the directory at the end.
        path.write_bytes(path.read_bytes().replace(path.read_bytes()[2000:3000], b"\0" * 1000))
    else:
        path.write_bytes(content)
    refused = checked(path)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {path} is no readable zip: ") and "Traceback" not in refused.stderr


def test_glibc_versions_are_those_that_readelf_lists(binary):
    if not binary:
        pytest.fail("FUNCTION_BINARY is not set: `make test` builds the function")
    path = ROOT / binary
    listed = subprocess.run(
        ["readelf", "--version-info", "--wide", path], capture_output=True, text=True, check=True
    ).stdout
    versions = {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", listed)}
    assert len(versions) > 3
    assert check_binary.glibc_versions(path.read_bytes()) == versions


def test_pages_quote_the_limits_of_the_check():
    quoted = {(page.name, size, kind) for page in PAGES for size, kind in QUOTED.findall(page.read_text())}
    assert {name for name, _, _ in quoted} >= {"README.md", "deploy.md", "performance.md"}
    assert {kind for _, _, kind in quoted} == LIMITS.keys()
    assert [each for each in quoted if float(each[1]) * 1e6 != LIMITS[each[2]]] == []


def test_page_with_the_glibc_limit_quotes_the_check():
    quoted = re.findall(r"Lambda has version ([\d.]+)", (ROOT / "docs" / "tasks" / "deploy.md").read_text())
    assert quoted == [".".join(map(str, check_binary.NEWEST_GLIBC))]


def test_measured_sizes_are_within_the_limits():
    page = (ROOT / "docs" / "explanation" / "performance.md").read_text()
    sizes = dict(re.findall(r"^\| (release binary|zip) \| ([\d.]+) MB \|", page, re.MULTILINE))
    assert 0 < float(sizes["release binary"]) * 1e6 <= check_binary.MOST_BINARY_BYTES
    assert 0 < float(sizes["zip"]) * 1e6 <= check_binary.MOST_ZIP_BYTES
