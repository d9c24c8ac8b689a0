"""`SHA256SUMS`: the digests of the files in a folder, in the form that `sha256sum --check` reads.

    python -m local.release.sums FILE

ends with an error unless the file `SHA256SUMS` beside FILE has FILE's digest.
"""

import hashlib
import re
import sys
from pathlib import Path

NAME = "SHA256SUMS"
# A `*` before the name means binary mode, and changes nothing on Linux.
_LINE = re.compile(r"^([0-9a-f]{64}) [ *](.+)$")


class WrongSum(Exception):
    """A file is not the one that `SHA256SUMS` names."""


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(folder):
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != NAME)
    (folder / NAME).write_text("".join(f"{digest(path)}  {path.name}\n" for path in files), encoding="utf-8")


def read(folder):
    """The digests in the folder's `SHA256SUMS`, by file name."""
    path = folder / NAME
    if not path.is_file():
        raise WrongSum(f"{path} does not exist: get it from the same release, and put it beside the other files")
    digests = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        matched = _LINE.match(line)
        if not matched:
            raise WrongSum(f"{path}, line {number}: not a SHA-256 digest and a file name")
        if digests.setdefault(matched[2], matched[1]) != matched[1]:
            raise WrongSum(f"{path}, line {number}: a second digest of {matched[2]}")
    return digests


def verify(path):
    """Raises WrongSum unless `SHA256SUMS` beside the file has its digest."""
    if not path.is_file():
        raise WrongSum(f"{path} does not exist")
    expected = read(path.parent).get(path.name)
    if expected is None:
        raise WrongSum(f"{path.parent / NAME} does not name {path.name}: it belongs to another release")
    found = digest(path)
    if found != expected:
        raise WrongSum(
            f"{path} is not the file of the release: its SHA-256 digest is {found}, and {NAME} has {expected}. "
            "Get the file again"
        )


def verified(folder):
    """The digests in the folder's `SHA256SUMS`, by file name. Raises WrongSum unless each file has its digest."""
    digests = read(folder)
    for name in digests:
        verify(folder / name)
    return digests


if __name__ == "__main__":
    try:
        verify(Path(sys.argv[1]))
    except WrongSum as wrong:
        sys.exit(f"error: {wrong}")
