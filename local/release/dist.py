"""Builds everything that a release has into the folder `dist/`, and names what this machine cannot build.

    python -m local.release.dist [--folder dist] [--zig]

An artefact is left out only if the standard library of its Rust target is not installed. Any other fault is an error.
"""

import argparse
import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from local import ROOT
from local.release import archive, build, sums
from local.release.environment import run, target_folder
from local.release.toolchain import ARCHITECTURES, LINUX_ARM64, LINUX_X86_64, has_target, host, install_command
from local.templates.plain import plain

# Each program with Cargo's flags for its features.
PROGRAMS = {
    build.FUNCTION: ("--features", "lambda"),
    build.COMMAND_LINE: ("--no-default-features", "--features", "cli"),
}


def parts(zig):
    """What is compiled: the Rust target, the name for people, and a function that builds it into a folder."""
    for architecture, target in ARCHITECTURES.items():
        yield target, build.function_name(architecture), partial(_function, architecture, zig or target != host())
    for target in dict.fromkeys((LINUX_X86_64, LINUX_ARM64, host())):
        yield target, f"{build.archive_name(target)} and its wheel", partial(build.command_line, target)


def _function(architecture, zig, folder):
    packed = folder / build.function_name(architecture)
    shutil.copy(build.function(architecture, zig), packed)
    run([sys.executable, "-m", "local.measure.check_binary", packed])


def crates(program):
    """Name and version of each crate that Cargo compiles into a program."""
    command = ["cargo", "tree", "--locked", "--target", LINUX_X86_64, "--edges", "normal", "--prefix", "none"]
    listed = subprocess.run([*command, *PROGRAMS[program]], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = {tuple(line.split()[:2]) for line in listed.splitlines()}
    return {(name, version.removeprefix("v")) for name, version in found if name != build.FUNCTION}


def bill_of_materials(program):
    """The crates in a program, as CycloneDX 1.5 in JSON."""
    written = ROOT / f"{program}.cdx"
    command = ["cargo", "cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5", "--target", LINUX_X86_64]
    run([*command, *PROGRAMS[program], "--override-filename", written.name])
    written = written.with_suffix(".cdx.json")
    text = written.read_text(encoding="utf-8")
    written.unlink()
    # The references name the checkout's folder.
    content = json.loads(text.replace(f"path+{ROOT.as_uri()}#", "pkg:cargo/"))
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def make(zig):
    """Builds what can be built. Returns the folder with it, and the names of the rest by Rust target."""
    folder = target_folder() / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    left_out = {}
    for target, name, build_part in parts(zig):
        if has_target(target):
            _step(name)
            build_part(folder)
        else:
            left_out.setdefault(target, []).append(name)
    _step("templates, bills of materials, digests")
    shutil.copy(ROOT / build.LICENCES, folder)
    for program in PROGRAMS:
        (folder / f"{program}.cdx.json").write_text(bill_of_materials(program), encoding="utf-8")
    (folder / f"{build.FUNCTION}.yaml").write_text(plain(ROOT / "template.yaml"), encoding="utf-8")
    for template in build.TEMPLATES:
        shutil.copy(ROOT / "deploy" / f"{template}.yaml", folder)
    module = ROOT / "deploy" / "terraform"
    files = [*module.glob("*.tf"), module / "README.md"]
    entries = {f"{build.FUNCTION}/{path.name}": (path.read_bytes(), False) for path in files}
    archive.write_zip(folder / "terraform.zip", entries)
    sums.write(folder)
    return folder, left_out


def replace(folder, built):
    """Moves what was built to the folder, in place of an earlier release."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / sums.NAME).is_file():
            sys.exit(f"error: {folder} holds other files than a release: move them, or choose another folder")
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(built, folder)


def _step(name):
    print(f"==> {name}", file=sys.stderr, flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folder", type=Path, default=ROOT / "dist")
    arguments.add_argument("--zig", action="store_true", help="compile the function with zig for this machine too")
    options = arguments.parse_args()
    built, left_out = make(options.zig)
    replace(options.folder, built)
    print((options.folder / sums.NAME).read_text(encoding="utf-8"), end="")
    for target, names in left_out.items():
        for name in names:
            print(f"not built here: {name}")
        print(f"    Rust's standard library for {target} is not installed: `{install_command(target)}`")


if __name__ == "__main__":
    main()
