"""Writes archives with the same bytes for the same files: sorted names, fixed times, fixed owners.

`entries` maps a name in the archive to (content, is it executable).
"""

import gzip
import io
import tarfile
import zipfile

from local.release.environment import EARLIEST

LEVEL = 9
EXECUTABLE, PLAIN = 0o755, 0o644
_EARLIEST_IN_ZIP = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


def write_zip(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (content, executable) in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _EARLIEST_IN_ZIP)
            # The same on every system, because Lambda starts a file only if it is executable.
            entry.create_system = _UNIX
            entry.external_attr = (0o100000 | _mode(executable)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content, compresslevel=LEVEL)


def write_tar(path, entries):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, (content, executable) in sorted(entries.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), EARLIEST, _mode(executable)
            archive.addfile(entry, io.BytesIO(content))
    # Without a name and a time in the header. `gzip.compress` writes another header in each version of Python.
    with path.open("wb") as file, gzip.GzipFile("", "wb", LEVEL, file, 0) as packed:
        packed.write(plain.getvalue())


def _mode(executable):
    return EXECUTABLE if executable else PLAIN
