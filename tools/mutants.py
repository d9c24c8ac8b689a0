"""Breaks the code in many small ways and checks that a test notices: `make mutants FILES="src/policy/condition.rs"`.

cargo-mutants makes the mutants and runs the tests of the core. The quick tests run first, the others only for the
mutants that survive them. A mutant that survives both must be in tests/mutants.json, with the reason why no verdict can
differ. The program fails if another mutant survives, or if a listed mutant is caught or no longer exists.

An entry of the list names the file, the mutation as cargo-mutants prints it, and the line of code that it changes
(without indentation), so that it stays valid when lines move.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
LIST = ROOT / "tests/mutants.json"
# `src/access/request.rs:51:9: replace Request::value with None`
NAME = re.compile(r"(?P<file>[^:]+):(?P<line>\d+):\d+: (?P<mutation>.*)")
# Before the `--`, so that the build has them too: the core alone.
BUILD = ["--no-default-features", "--cargo-arg=--lib", "--cargo-arg=--test", "--cargo-arg=library"]
# Unit tests, cases and the algebra of patterns: 2 seconds. The rest takes 15 seconds.
QUICK_TESTS = ["tests::", "verdicts::", "language::"]
ALL_TESTS = ["--skip", "many::", "--skip", "layering::", "--skip", "code_map::"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cargo-mutants", required=True, help="the program cargo-mutants")
    arguments.add_argument("--output", type=pathlib.Path, required=True, help="the folder for results and logs")
    arguments.add_argument("--shard", help="test only a part, such as 1/8")
    arguments.add_argument("files", nargs="+", help="source files, relative to the project")
    options = arguments.parse_args()
    for file in options.files:
        if not (ROOT / file).is_file():
            sys.exit(f"error: {file} is not a file of the project")
    run(options, [], QUICK_TESTS)
    run(options, ["--iterate", "--baseline", "skip", "--timeout", "180"], ALL_TESTS)
    survivors, caught = results(options.output / "mutants.out"), results(options.output / "mutants.out", "caught")
    sys.exit(report(survivors, caught, options))


def run(options, more, tests):
    """Runs cargo-mutants. Its exit code 2 means that mutants survived, 3 that a test took too long."""
    files = [argument for file in options.files for argument in ("--file", file)]
    shard = ["--shard", options.shard] if options.shard else []
    command = [options.cargo_mutants, "mutants", "--no-shuffle", "--colors", "never", "--no-times"]
    command += ["--output", str(options.output), *files, *shard, *BUILD, *more, "--", "--", *tests]
    code = subprocess.run(command, cwd=ROOT).returncode
    if code not in (0, 2, 3):
        sys.exit(f"error: cargo-mutants failed with exit code {code}; its logs are in {options.output}/mutants.out")


def results(folder, kind="missed"):
    """The mutants of one kind, each with its place."""
    names = [*(folder / f"{kind}.txt").read_text().splitlines()]
    if kind == "caught":
        # A mutant that makes a test run for ever is noticed too.
        names += (folder / "timeout.txt").read_text().splitlines()
        names += (folder / "previously_caught.txt").read_text().splitlines()
    return {identity(name): name for name in names}


def identity(name):
    match = NAME.fullmatch(name)
    lines = (ROOT / match["file"]).read_text().splitlines()
    return match["file"], match["mutation"], lines[int(match["line"]) - 1].strip()


def report(survivors, caught, options):
    """Prints what is wrong, and returns the exit code."""
    entries = json.loads(LIST.read_text())
    listed = {(entry["file"], entry["mutation"], entry["line"]) for entry in entries if entry["because"]}
    unlisted = [name for key, name in sorted(survivors.items()) if key not in listed]
    of_files = {key for key in listed if key[0] in options.files}
    stale = sorted(key for key in of_files - set(survivors) if key in caught or not options.shard)
    for name in unlisted:
        print(f"survived: {name}")
    for file, mutation, line in stale:
        why = "a test catches it" if (file, mutation, line) in caught else "it no longer exists"
        print(f"listed in {LIST.relative_to(ROOT)}, but {why}: {file}: {mutation}: {line}")
    print(
        f"{len(caught)} mutants caught, {len(survivors) - len(unlisted)} survived as listed, {len(unlisted)} survived"
    )
    return 1 if unlisted or stale else 0


if __name__ == "__main__":
    main()
