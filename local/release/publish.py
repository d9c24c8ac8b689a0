"""Makes a release on GitHub from the files that the jobs of the workflow built.

    python -m local.release.publish tag                fails unless the tag is `v` and the version in Cargo.toml
    python -m local.release.publish collect FROM TO    puts the files of all jobs into one folder, with SHA256SUMS
    python -m local.release.publish notes              prints the text of the release
    python -m local.release.publish create FOLDER      creates the release with the files of a folder

GITHUB_REF_NAME has the tag. A release needs a section of its version in CHANGELOG.md. A version with a suffix, such as
1.0.0-rc.1, is a pre-release.
"""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local import ROOT
from local.release import build, sums

# The platforms of a command line in the name of its wheel
# (https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/).
TESTED = {
    "x86_64-unknown-linux-gnu": "manylinux*_x86_64",
    "aarch64-unknown-linux-gnu": "manylinux*_aarch64",
}
# Other jobs build these, and no test runs them.
NOT_RUN = {
    "aarch64-apple-darwin": "macosx_*_arm64",
    "x86_64-apple-darwin": "macosx_*_x86_64",
    "x86_64-pc-windows-msvc": "win_amd64",
}


class Unfit(Exception):
    """The tag, the changelog or the files are not those of a release."""


def patterns():
    """The files of a release without SHA256SUMS. The names of wheels are patterns."""
    package = build.COMMAND_LINE.replace("-", "_")
    platforms = TESTED | NOT_RUN
    return [
        *map(build.function_name, build.ARCHITECTURES),
        *(f"{name}.yaml" for name in (build.FUNCTION, *build.TEMPLATES)),
        "terraform.zip",
        *map(build.archive_name, platforms),
        *(f"{package}-*-py3-none-{platform}.whl" for platform in platforms.values()),
        *(f"{program}.cdx.json" for program in (build.FUNCTION, build.COMMAND_LINE)),
        build.LICENCES,
    ]


def check_tag(tag):
    if tag != f"v{build.version()}":
        raise Unfit(f"the tag is {tag}, but Cargo.toml has version {build.version()}: expected v{build.version()}")


def collect(source, folder):
    """Moves the files of all jobs into one folder. Fails if a file is missing, or if one is there that is none."""
    found = sorted(path for path in source.rglob("*") if path.is_file())
    for path in found:
        if path.name == sums.NAME:
            sums.verified(path.parent)
    files = [path for path in found if path.name != sums.NAME]
    names = [path.name for path in files]
    faults = [f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    faults += [
        f"{name} is no file of a release"
        for name in names
        if not any(fnmatch.fnmatchcase(name, one) for one in patterns())
    ]
    for pattern in patterns():
        if (count := len(fnmatch.filter(set(names), pattern))) != 1:
            faults.append(f"{pattern} is missing" if count == 0 else f"{count} files match {pattern}")
    if faults:
        raise Unfit("; ".join(faults))
    folder.mkdir(parents=True)
    for path in files:
        shutil.move(path, folder / path.name)
    sums.write(folder)


def changes():
    """The section of this version in CHANGELOG.md, without its heading."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    section = re.search(rf"^## \[{re.escape(build.version())}\].*\n((?:(?!## ).*\n)*)", text, re.MULTILINE)
    if not section or not section[1].strip():
        raise Unfit(f"CHANGELOG.md has no section `## [{build.version()}]`, or it is empty")
    # A link to a page needs its address there: a release is no page of the repository.
    return re.sub(r"\]\((?!https?:|#)", f"]({_pages()}", section[1].strip())


def _pages():
    """The address of the tag's pages, or nothing outside of GitHub."""
    server, repository = (os.environ.get(name) for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"))
    return f"{server}/{repository}/blob/v{build.version()}/" if server and repository else ""


def notes():
    rust = (ROOT / ".github" / "rust-version").read_text(encoding="utf-8").strip()
    not_run = "\n".join(f"- `{build.archive_name(target)}`, and its wheel" for target in NOT_RUN)
    return f"""{changes()}

## Files

The function and the command line for Linux are tested before the release. These files are **built, not run here**:

{not_run}

`SHA256SUMS` has the digest of every file, and each file has a provenance attestation.
[SECURITY.md]({_pages()}SECURITY.md#how-to-verify-a-release) shows how to verify both, and how to build the files for
Linux again with Rust {rust} and compare them.
"""


def create(folder):
    check_tag(tag := os.environ["GITHUB_REF_NAME"])
    command = ["gh", "release", "create", tag, "--verify-tag", "--title", build.version(), "--notes-file", "-"]
    prerelease = ["--prerelease"] if "-" in build.version() else []
    files = [str(path) for path in sorted(folder.iterdir())]
    return subprocess.run([*command, *prerelease, *files], input=notes(), text=True, check=False).returncode


def main():
    try:
        match sys.argv[1:]:
            case ["tag"]:
                check_tag(os.environ["GITHUB_REF_NAME"])
                changes()
            case ["collect", source, folder]:
                collect(Path(source), Path(folder))
            case ["notes"]:
                print(notes())
            case ["create", folder]:
                sys.exit(create(Path(folder)))
            case _:
                sys.exit(__doc__)
    except (Unfit, sums.WrongSum) as unfit:
        sys.exit(f"error: {unfit}")


if __name__ == "__main__":
    main()
