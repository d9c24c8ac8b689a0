"""Checks the deployment package: its size, and that Lambda's runtime provided.al2023 can start the binary.

    python -m local.measure.check_binary target/lambda/NAME/bootstrap.zip

A larger binary means a longer cold start. Amazon Linux 2023 sets the newest glibc version. The check needs binutils,
which Rust's linker needs too.
"""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

MOST_BINARY_BYTES = 9_700_000
MOST_ZIP_BYTES = 4_200_000
# Amazon Linux 2023 has glibc 2.34 (https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html).
NEWEST_GLIBC = (2, 34)


def glibc_versions(binary):
    """The GLIBC symbol versions that a binary needs."""
    listed = subprocess.run(
        ["readelf", "--version-info", "--wide", str(binary)], check=True, capture_output=True, text=True
    )
    return {tuple(map(int, version.split("."))) for version in re.findall(r"GLIBC_(\d+(?:\.\d+)+)", listed.stdout)}


def main():
    archive = Path(sys.argv[1])
    with zipfile.ZipFile(archive) as contents, tempfile.TemporaryDirectory() as folder:
        names = contents.namelist()
        if names != ["bootstrap"]:
            sys.exit(f"error: {archive} contains {names}, expected only `bootstrap`")
        binary = Path(contents.extract("bootstrap", folder))
        size, zipped = binary.stat().st_size, archive.stat().st_size
        newest = max(glibc_versions(binary), default=(0,))
    print(f"binary {size / 1e6:.2f} MB (limit {MOST_BINARY_BYTES / 1e6:.1f} MB)")
    print(f"zip {zipped / 1e6:.2f} MB (limit {MOST_ZIP_BYTES / 1e6:.1f} MB)")
    print(f"needs glibc {_dotted(newest)} (limit {_dotted(NEWEST_GLIBC)})")
    refused = [
        *(["the binary is too large"] if size > MOST_BINARY_BYTES else []),
        *(["the zip is too large"] if zipped > MOST_ZIP_BYTES else []),
        *([f"it needs a glibc newer than {_dotted(NEWEST_GLIBC)}"] if newest > NEWEST_GLIBC else []),
    ]
    if refused:
        sys.exit(f"error: {archive}: {'; '.join(refused)}")


def _dotted(version):
    return ".".join(map(str, version))


if __name__ == "__main__":
    main()
