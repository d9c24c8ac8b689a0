"""Runs a command so that what it builds is the same in every folder and at every time.

    python -m local.release.environment COMMAND [ARGUMENT ...]

No path of this machine enters the binary: rustc writes `/project` for the checkout and `/cargo` for Cargo's home. These
flags replace RUSTFLAGS. Archives carry the earliest time that a zip can hold.
"""

import os
import subprocess
import sys
from pathlib import Path

from local import ROOT

# 1980-01-01T00:00:00Z (https://reproducible-builds.org/docs/source-date-epoch/).
EARLIEST = 315532800
# Between two flags in CARGO_ENCODED_RUSTFLAGS, so that paths may hold spaces.
SEPARATOR = "\x1f"


def target_folder():
    """Cargo's folder for what it builds."""
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def cargo_home():
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def variables():
    """The environment of a release build."""
    # rustc takes the last prefix that matches, so the outermost folder is first.
    prefixes = {ROOT: "/project", target_folder(): "/project/target", cargo_home(): "/cargo"}
    flags = [f"--remap-path-prefix={folder}={name}" for folder, name in prefixes.items()]
    return {**os.environ, "CARGO_ENCODED_RUSTFLAGS": SEPARATOR.join(flags), "SOURCE_DATE_EPOCH": str(EARLIEST)}


def run(command, **more):
    """Runs a command in the release environment. Ends this program if the command fails."""
    ran = subprocess.run([str(word) for word in command], cwd=ROOT, env={**variables(), **more}, check=False)
    if ran.returncode:
        sys.exit(f"error: `{Path(command[0]).name} {command[1]}` failed with exit status {ran.returncode}")


if __name__ == "__main__":
    run(sys.argv[1:])
