"""Checks the deployment package: its size, and that Lambda's runtime provided.al2023 can start the binary.

    python -m local.measure.check_binary target/lambda/NAME/bootstrap.zip

A larger binary means a longer cold start. Who needs more shows with `make coldstart RELEASE=1 BESIDE=…` that the cold
start stays within noise, and changes the limits here. The pages quote them, and a test compares. Amazon Linux 2023 sets
the newest glibc version.
"""

import re
import sys
import zipfile
import zlib
from pathlib import Path

from local.release.package import architecture

MOST_BINARY_BYTES = 9_700_000
MOST_ZIP_BYTES = 4_200_000
# Amazon Linux 2023 has glibc 2.34 (https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html).
NEWEST_GLIBC = (2, 34)


def glibc_versions(binary):
    """The GLIBC symbol versions that a binary needs: their names are texts in it. Needs no binutils."""
    found = re.findall(rb"\0GLIBC_(\d+(?:\.\d+)+)(?=\0)", binary)
    return {tuple(map(int, version.split(b"."))) for version in found}


def faults(binary, zipped):
    """What is wrong with a binary, and with the size of its zip."""
    if not (built_for := architecture(binary)):
        return ["`bootstrap` is not a Linux program for x86_64 or arm64"]
    newest = max(glibc_versions(binary), default=(0,))
    print(f"architecture {built_for}")
    print(f"binary {len(binary) / 1e6:.2f} MB (limit {MOST_BINARY_BYTES / 1e6:.1f} MB)")
    print(f"zip {zipped / 1e6:.2f} MB (limit {MOST_ZIP_BYTES / 1e6:.1f} MB)")
    print(f"needs glibc {_dotted(newest)} (limit {_dotted(NEWEST_GLIBC)})", flush=True)
    return [
        *(["the binary is too large"] if len(binary) > MOST_BINARY_BYTES else []),
        *(["the zip is too large"] if zipped > MOST_ZIP_BYTES else []),
        *(["it names no glibc version, as a program of another C library does"] if newest == (0,) else []),
        *([f"it needs a glibc newer than {_dotted(NEWEST_GLIBC)}"] if newest > NEWEST_GLIBC else []),
    ]


def _dotted(version):
    return ".".join(map(str, version))


def main():
    archive = Path(sys.argv[1])
    try:
        with zipfile.ZipFile(archive) as contents:
            names = contents.namelist()
            if names != ["bootstrap"]:
                sys.exit(f"error: {archive} contains {', '.join(names) or 'nothing'}, expected only `bootstrap`")
            binary = contents.read("bootstrap")
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        sys.exit(f"error: {archive} is no readable zip: {error}")
    if found := faults(binary, archive.stat().st_size):
        sys.exit(f"error: {archive}: {'; '.join(found)}")


if __name__ == "__main__":
    main()
