"""Checks, before anything is compiled, that this machine can compile for a Rust target, and says what to install.

    python -m local.release.toolchain [ARCHITECTURE] [--zig]

Without ARCHITECTURE: for this machine. With zig, the target may have another system or processor.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from local import ROOT

LINUX_X86_64, LINUX_ARM64 = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
# Lambda's name of a processor architecture, and the Rust target.
ARCHITECTURES = {"x86_64": LINUX_X86_64, "arm64": LINUX_ARM64}


def package_setting(name):
    """A setting of the package in Cargo.toml, such as `version`."""
    return re.search(rf'^{name} = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]


def needed_rust():
    """The oldest version of Rust that compiles the project."""
    return package_setting("rust-version")


def _rustc(*arguments):
    return subprocess.run(["rustc", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout


def host():
    """The Rust target of this machine, or None without Rust."""
    found = re.search(r"^host: (.+)$", _rustc("-vV"), re.MULTILINE) if shutil.which("rustc") else None
    return found and found[1]


def has_target(target):
    """Whether Rust's standard library for the target is installed."""
    folder = _rustc("--print", "target-libdir", "--target", target).strip() if shutil.which("rustc") else ""
    return bool(folder) and any(Path(folder).glob("libstd-*"))


def install_command(target):
    return f"rustup target add {target}"


def missing(target=None, zig=False):
    """What to install or set, as sentences. An empty list if nothing is missing."""
    if not shutil.which("cargo") or not shutil.which("rustc"):
        return [f"Rust is not installed: install Rust {needed_rust()} or newer with rustup."]
    version = re.search(r"^release: ([0-9.]+)", _rustc("-vV"), re.MULTILINE)
    if version is None:
        return ["`rustc -vV` prints no version: repair the installation of Rust with rustup."]
    lacks = []
    if _numbers(version[1]) < _numbers(needed_rust()):
        lacks.append(f"Rust {version[1]} is too old: run `rustup update`. Rust {needed_rust()} or newer is needed.")
    wanted = target or host()
    if not has_target(wanted):
        lacks.append(f"Rust's standard library for {wanted} is not installed: run `{install_command(wanted)}`.")
    if wanted != host() and not zig:
        lacks.append(
            f"This machine is {host()} and compiles for {wanted} only with zig: add ZIG=1, and make installs it."
        )
    # Programs that run during the build are linked with the machine's compiler, also if zig compiles the rest.
    if os.name == "posix" and (not zig or wanted != host()) and not shutil.which("cc"):
        lacks.append("A C compiler is not installed (`cc`): install gcc or clang.")
    return lacks


def stop_if_missing(target=None, zig=False):
    """Ends this program with what is missing, if anything is."""
    if lacks := missing(target, zig):
        sys.exit("\n".join(f"error: {each}" for each in lacks))


def _numbers(version):
    return tuple(map(int, version.split(".")))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("architecture", nargs="?", choices=ARCHITECTURES)
    arguments.add_argument("--zig", action="store_true")
    options = arguments.parse_args()
    stop_if_missing(ARCHITECTURES.get(options.architecture), options.zig)


if __name__ == "__main__":
    main()
