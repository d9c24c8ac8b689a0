"""Builds a release binary and packs it.

    python -m local.release.build function [--architecture arm64] [--zig]
    python -m local.release.build command-line [--target TARGET] [--folder dist]

`function` writes `target/lambda/NAME/bootstrap.zip`. `command-line` writes an archive for download and a Python wheel
with the same binary. Both name what is missing before they compile.
"""

import argparse
import zipfile
from pathlib import Path

from local import ROOT
from local.release import archive
from local.release.environment import run, target_folder
from local.release.toolchain import ARCHITECTURES, host, package_setting, stop_if_missing

FUNCTION, COMMAND_LINE = "eks-node-role-ecr-read-only", "ecr-read-only"
# The templates in deploy/ that a release has beside that of the stack.
TEMPLATES = ("conformance-pack", "invoke-permissions", "member-role", "organization-rule", "remediation")
# The licences of the crates in both programs. `make licences` writes it.
LICENCES = "THIRD-PARTY-LICENSES.txt"


def version():
    """The version in Cargo.toml."""
    return package_setting("version")


def function_name(architecture):
    """The name of the function's zip in a release."""
    return f"bootstrap-{architecture}.zip"


def archive_name(target):
    """The name of the command line's archive. `cargo binstall` finds it by the name in Cargo.toml."""
    return f"{COMMAND_LINE}-{version()}-{target}.{'zip' if _is_windows(target) else 'tar.gz'}"


def function(architecture, zig):
    """Builds the function, and returns the path of its zip."""
    stop_if_missing(ARCHITECTURES[architecture], zig)
    flag = {"x86_64": "--x86-64", "arm64": "--arm64"}[architecture]
    compiler = "cargo-zigbuild" if zig else "cargo"
    command = ["cargo", "lambda", "build", "--locked", "--release", flag, "--compiler", compiler, "--bin", FUNCTION]
    # Without this format, cargo-lambda moves the binary away from where Cargo and `make demo RELEASE=1` look for it.
    run([*command, "--output-format", "zip"], architecture)
    packed = target_folder() / "lambda" / FUNCTION / "bootstrap.zip"
    with zipfile.ZipFile(packed) as built:
        binary = built.read("bootstrap")
    archive.write_zip(packed, {"bootstrap": (binary, True)})
    return packed


def command_line(target, folder):
    """Builds the command line, and writes its archive and its wheel into the folder."""
    linux = "-linux-" in target
    stop_if_missing(target, zig=linux)
    # zig brings the C library of a chosen version: glibc 2.17 runs on each Linux since 2014 (PEP 599).
    portable = ["--zig", "--compatibility", "manylinux2014"] if linux else []
    # A separate folder, because zig's settings would make Cargo compile the function's crates again.
    compiled = target_folder() / "command-line"
    run(["maturin", "build", "--release", "--target", target, *portable, "--target-dir", compiled, "--out", folder])
    program = f"{COMMAND_LINE}.exe" if _is_windows(target) else COMMAND_LINE
    built = compiled / target / "release" / program
    entries = {program: (built.read_bytes(), True)}
    entries |= {name: ((ROOT / name).read_bytes(), False) for name in ("LICENSE", LICENCES)}
    write = archive.write_zip if _is_windows(target) else archive.write_tar
    write(folder / archive_name(target), entries)


def _is_windows(target):
    return "-windows-" in target


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = arguments.add_subparsers(dest="command", required=True)
    of_function = commands.add_parser("function")
    of_function.add_argument("--architecture", choices=ARCHITECTURES, default="x86_64")
    of_function.add_argument("--zig", action="store_true", help="compile with zig")
    of_command_line = commands.add_parser("command-line")
    of_command_line.add_argument("--target", default=host(), help="a Rust target; without it, this machine's")
    of_command_line.add_argument("--folder", type=Path, default=ROOT / "dist")
    options = arguments.parse_args()
    if options.command == "function":
        print(function(options.architecture, options.zig))
    else:
        options.folder.mkdir(parents=True, exist_ok=True)
        command_line(options.target, options.folder)


if __name__ == "__main__":
    main()
