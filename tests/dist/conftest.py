"""Fixtures: the artefacts that `make dist` wrote, and an environment without Rust."""

import os
import shutil
from pathlib import Path

import pytest

from local import ROOT

DIST = ROOT / os.environ.get("DIST", "dist")


@pytest.fixture(scope="session")
def dist():
    if not (DIST / "SHA256SUMS").is_file():
        pytest.fail(f"{DIST} holds no release: run `make dist`")
    return DIST


@pytest.fixture(scope="session")
def without_rust():
    """The environment of a machine without Rust, and without the settings of this one."""
    folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "cargo").exists()]
    environment = {"PATH": os.pathsep.join(folders), "HOME": os.environ["HOME"], "LANG": "C.UTF-8"}
    for program in ("cargo", "rustc", "rustup"):
        assert shutil.which(program, path=environment["PATH"]) is None
    return environment
