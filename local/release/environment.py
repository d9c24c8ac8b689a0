"""Runs a command so that what it builds is the same in every folder and at every time.

    python -m local.release.environment ARCHITECTURE COMMAND [ARGUMENT ...]

No path of this machine enters the binary: rustc writes `/project` for the checkout and `/cargo` for Cargo's home. These
flags replace RUSTFLAGS. Archives carry the earliest time that a zip can hold. ARCHITECTURE is Lambda's name of the
function's processor.
"""

import os
import subprocess
import sys
from pathlib import Path

from local import ROOT

# 1980-01-01T00:00:00Z (https://reproducible-builds.org/docs/source-date-epoch/).
EARLIEST = 315532800
# The processors that cargo-lambda compiles for, in its own RUSTFLAGS, which ours replace. Lambda has no older ones
# (https://docs.aws.amazon.com/lambda/latest/dg/foundation-arch.html).
PROCESSORS = {"x86_64": "haswell", "arm64": "neoverse-n1"}
# Between two flags in CARGO_ENCODED_RUSTFLAGS, so that paths may hold spaces.
SEPARATOR = "\x1f"


def target_folder():
    """Cargo's folder for what it builds."""
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def cargo_home():
    return Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")


def variables(architecture=None):
    """The environment of a release build: of the function, for its architecture, or of the command line."""
    # rustc takes the last prefix that matches, so the outermost folder is first.
    prefixes = {ROOT: "/project", target_folder(): "/project/target", cargo_home(): "/cargo"}
    flags = [f"--remap-path-prefix={folder}={name}" for folder, name in prefixes.items()]
    flags += [f"-Ctarget-cpu={PROCESSORS[architecture]}"] if architecture else []
    return {**os.environ, "CARGO_ENCODED_RUSTFLAGS": SEPARATOR.join(flags), "SOURCE_DATE_EPOCH": str(EARLIEST)}


def run(command, architecture=None):
    """Runs a command in the release environment. Ends this program if the command fails."""
    ran = subprocess.run([str(word) for word in command], cwd=ROOT, env=variables(architecture), check=False)
    if ran.returncode:
        sys.exit(f"error: `{Path(command[0]).name} {command[1]}` failed with exit status {ran.returncode}")


if __name__ == "__main__":
    run(sys.argv[2:], sys.argv[1])
