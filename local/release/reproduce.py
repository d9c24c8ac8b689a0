"""Builds the release a second time, in another folder, and compares the digests with those of the first build.

    python -m local.release.reproduce [--folder dist] [--zig]

The second build starts from a copy of the checkout's files and shares nothing with the first but the installed tools.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from local import ROOT
from local.release import sums
from local.release.environment import target_folder


def copy_checkout(folder):
    """Copies the files that Git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def differences(first, second):
    """The names of the files whose digests differ, or that only one of the two builds has."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folder", type=Path, default=ROOT / "dist", help="the first build")
    arguments.add_argument("--zig", action="store_true", help="as in the first build")
    options = arguments.parse_args()
    try:
        first = sums.verified(options.folder)
    except sums.WrongSum as wrong:
        sys.exit(f"error: {wrong}")
    # A longer path than the first build's, with another depth.
    copy = target_folder() / "reproduce" / "another-folder" / ROOT.name
    shutil.rmtree(copy, ignore_errors=True)
    copy_checkout(copy)
    command = [sys.executable, "-m", "local.release.dist", *(["--zig"] if options.zig else [])]
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    if subprocess.run(command, cwd=copy, env=environment, check=False).returncode:
        sys.exit("error: the second build failed")
    second = sums.read(copy / "dist")
    if differing := differences(first, second):
        for name in differing:
            print(f"differs: {name}")
        sys.exit(
            f"error: {len(differing)} of {len(first)} files are not the same in {options.folder} and {copy / 'dist'}"
        )
    print(f"{len(first)} files are the same in two builds in two folders")
    shutil.rmtree(target_folder() / "reproduce")


if __name__ == "__main__":
    main()
