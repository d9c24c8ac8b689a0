"""Checks the crates in Cargo.lock and fuzz/Cargo.lock with cargo-deny: `make dependencies`.

Licences, duplicates and sources need no database. Advisories need that of RustSec: cargo-deny fetches it, or
`--database` names an archive of it (.tar.gz). If it cannot be fetched, the advisories are skipped with a message, or
with `--required` the program fails. A database that cannot be read and an advisory for one of the crates always fail.

Everything that it makes is in `--folder`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A git hook sets these to the checkout, which is another repository than the database.
HOOK = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_WORK_TREE")
# Where cargo-deny fetches the database from. With an archive, git gets the unpacked copy instead.
SOURCE = "https://github.com/RustSec/advisory-db"
ADVISORY = re.compile(r"(?:^|/)(crates/([\w-]+)/(RUSTSEC-\d{4}-\d{4})\.md)$")
# deny.toml is for both. An exception that is for one of them only is no fault of the other.
FOR_ONE_ONLY = ("license-exception-not-encountered", "license-not-encountered", "unmatched-skip")
PACKAGES = {
    "Cargo.toml": ["--allow", FOR_ONE_ONLY[0], "--deny", FOR_ONE_ONLY[2]],
    "fuzz/Cargo.toml": [option for lint in FOR_ONE_ONLY for option in ("--allow", lint)],
}
FETCH_SECONDS = 120


def unpack(archive, folder, environment):
    """Makes a git repository of the advisories in an archive, as cargo-deny wants it."""
    try:
        with tarfile.open(archive, "r:gz") as contents:
            advisories = {
                match.groups(): contents.extractfile(member).read()
                for member in contents
                if member.isfile() and (match := ADVISORY.search(member.name))
            }
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        sys.exit(f"error: {archive} is no readable archive (.tar.gz): {error}")
    if not advisories:
        sys.exit(f"error: {archive} has no advisory: expected files such as crates/NAME/RUSTSEC-2020-0001.md")
    for (name, crate, advisory), text in advisories.items():
        # cargo-deny skips an advisory that it cannot read, without a message.
        if not all(f'\n{key} = "{value}"'.encode() in text for key, value in (("id", advisory), ("package", crate))):
            sys.exit(f"error: {archive}: {name} is no advisory {advisory} for {crate}")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    author = ("-c", "user.name=none", "-c", "user.email=none", "-c", "commit.gpgsign=false")
    for command in (("init", "--initial-branch", "main"), ("add", "."), (*author, "commit", "--message", "Copy")):
        subprocess.run(["git", *command], cwd=folder, env=environment, check=True, capture_output=True)
    print(f"==> {len(advisories)} advisories in {archive}", flush=True)


def reason(stderr, status):
    """The last lines of an error without hints, on one line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and "RUST_BACKTRACE" not in line]
    return "; ".join(lines[-3:]) or f"exit status {status}"


def fetch(cargo_deny, environment):
    """Fetches the database. Returns the error if that fails, on one line."""
    try:
        ran = subprocess.run(
            [cargo_deny, "fetch", "db"],
            cwd=ROOT,
            env={**environment, "GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            text=True,
            check=False,
            timeout=FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {FETCH_SECONDS} s"
    return None if ran.returncode == 0 else reason(ran.stderr, ran.returncode)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cargo-deny", required=True, help="the program")
    parser.add_argument("--folder", type=Path, required=True, help="for the database")
    parser.add_argument(
        "--database", type=Path, help="an archive of the RustSec advisory database, instead of fetching"
    )
    parser.add_argument("--required", action="store_true", help="fail if the database cannot be fetched")
    options = parser.parse_args()

    shutil.rmtree(options.folder, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if name not in HOOK}
    environment |= {"ADVISORY_DATABASES": str(options.folder.resolve() / "fetched")}
    if options.database:
        unpacked = options.folder.resolve() / "unpacked"
        unpack(options.database, unpacked, environment)
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{unpacked.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": SOURCE,
        }
    checks = ["bans", "licenses", "sources", "advisories"]
    if error := fetch(options.cargo_deny, environment):
        if options.database or options.required:
            read = "read" if options.database else "fetched"
            sys.exit(f"error: the RustSec database could not be {read}: {error}")
        print(f"==> SKIPPED: advisories. The RustSec database could not be fetched: {error}")
        print(
            "    Run `make check ADVISORY_DB=FILE` with a copy of it (.tar.gz), or repeat with a network.", flush=True
        )
        checks.remove("advisories")

    cargo_deny = [options.cargo_deny, "--offline", "--locked", "--config", "deny.toml"]
    failed = False
    for manifest, lints in PACKAGES.items():
        print(f"==> {manifest}: {', '.join(checks)}", flush=True)
        command = ["cargo", "fetch", "--quiet", "--locked", "--manifest-path", manifest]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            sys.exit("error: the crates of Cargo.lock could not be fetched. The check needs those of every platform.")
        ran = subprocess.run(
            [*cargo_deny, "--manifest-path", manifest, "check", *lints, *checks],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        failed |= ran.returncode != 0
    sys.exit("error: cargo-deny refuses a crate" if failed else 0)


if __name__ == "__main__":
    main()
