"""Uses a released zip of the function, after a comparison with `SHA256SUMS` beside it. Needs no Rust.

python -m local.release.package unpack ZIP FOLDER       writes the function's binary `bootstrap` into FOLDER
python -m local.release.package template ZIP FILE       writes template.yaml with this zip as the function's code
python -m local.release.package architecture ZIP        prints Lambda's name of the processor: x86_64 or arm64
"""

import json
import platform
import sys
import zipfile
from pathlib import Path

from local import ROOT
from local.release.sums import WrongSum, verify

# 64 bits, little-endian (https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html).
ELF = b"\x7fELF\x02\x01"
# The header's field e_machine, with Lambda's name of the architecture.
MACHINES = {62: "x86_64", 183: "arm64"}
# What Python's `platform` calls these processors on Linux.
RUNS_ON = {"x86_64": "x86_64", "arm64": "aarch64"}


class WrongPackage(Exception):
    """The zip holds no function for Lambda."""


def function(path):
    """The binary in a zip that has its digest in `SHA256SUMS`, and Lambda's name of its processor."""
    verify(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.namelist() != ["bootstrap"]:
                raise WrongPackage(f"{path} holds {', '.join(archive.namelist())}: expected only `bootstrap`")
            content = archive.read("bootstrap")
    except zipfile.BadZipFile as error:
        raise WrongPackage(f"{path} is no zip: {error}") from error
    if not (built_for := architecture(content)):
        raise WrongPackage(f"{path}: `bootstrap` is no Linux program for x86_64 or arm64")
    return content, built_for


def architecture(content):
    """Lambda's name of the processor that a binary is for, or None if it is for no such processor."""
    return MACHINES.get(int.from_bytes(content[18:20], "little")) if content.startswith(ELF) else None


def unpack(path, folder):
    """Writes the binary into a folder. Only for this machine's processor."""
    content, built_for = function(path)
    if (platform.system(), platform.machine()) != ("Linux", RUNS_ON[built_for]):
        raise WrongPackage(
            f"{path} is for Linux on {built_for}: this machine is {platform.system()} on {platform.machine()}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "bootstrap"
    program.unlink(missing_ok=True)
    program.write_bytes(content)
    program.chmod(0o755)


def template(path, file):
    """Writes template.yaml with the zip as the function's code. SAM uploads it unchanged."""
    function(path)
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    # SAM looks for these files beside the template.
    paths = {"CodeUri: .": path, "LicenseUrl: LICENSE": ROOT / "LICENSE", "ReadmeUrl: README.md": ROOT / "README.md"}
    for line, replacement in paths.items():
        if text.count(f" {line}\n") != 1:
            raise WrongPackage(f"template.yaml has no line `{line}`, or several")
        name = line.split(":")[0]
        text = text.replace(f" {line}\n", f" {name}: {json.dumps(str(replacement.resolve()))}\n")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def main():
    command, path, *rest = sys.argv[1:]
    path = Path(path)
    try:
        match command, rest:
            case "unpack", [folder]:
                unpack(path, Path(folder))
            case "template", [file]:
                template(path, Path(file))
            case "architecture", []:
                print(function(path)[1])
            case _:
                sys.exit(__doc__)
    except (WrongPackage, WrongSum) as wrong:
        sys.exit(f"error: {wrong}")


if __name__ == "__main__":
    main()
