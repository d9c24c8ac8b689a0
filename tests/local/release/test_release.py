"""How releases are built and used: archives, digests, released packages, and what a machine lacks to compile."""

import os
import platform
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

from local import ROOT
from local.release import archive, build, dist, environment, package, reproduce, sums, toolchain
from local.release.toolchain import ARCHITECTURES
from local.templates.resolve import Loader

# Archives

FILES = {"b": (b"two", False), "a": (b"one", True)}
WRITERS = {"zip": archive.write_zip, "tar.gz": archive.write_tar}


def unpacked(path):
    """The files in an archive as {name: (content, executable)}, in order."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as opened:
            return {e.filename: (opened.read(e), bool(e.external_attr >> 16 & 0o111)) for e in opened.infolist()}
    with tarfile.open(path) as opened:
        return {e.name: (opened.extractfile(e).read(), bool(e.mode & 0o111)) for e in opened.getmembers()}


@pytest.mark.parametrize("form", WRITERS)
def test_archive_holds_its_files_sorted(tmp_path, form):
    path = tmp_path / f"archive.{form}"
    WRITERS[form](path, FILES)
    assert list(unpacked(path).items()) == sorted(FILES.items())


@pytest.mark.parametrize("form", WRITERS)
def test_archive_has_the_same_bytes_each_time(tmp_path, form):
    first, second = tmp_path / f"first.{form}", tmp_path / f"second.{form}"
    WRITERS[form](first, FILES)
    os.utime(tmp_path, (0, 0))
    WRITERS[form](second, dict(reversed(FILES.items())))
    assert first.read_bytes() == second.read_bytes()


def test_archives_hold_no_time_and_no_system(tmp_path):
    for form, write in WRITERS.items():
        write(tmp_path / f"archive.{form}", FILES)
    with zipfile.ZipFile(tmp_path / "archive.zip") as opened:
        assert {(e.date_time, e.create_system) for e in opened.infolist()} == {((1980, 1, 1, 0, 0, 0), 3)}
    # The header of gzip: method, flags, four bytes of time, level, system (RFC 1952).
    assert (tmp_path / "archive.tar.gz").read_bytes()[:10] == b"\x1f\x8b\x08\0" + bytes(4) + b"\x02\xff"
    with tarfile.open(tmp_path / "archive.tar.gz") as opened:
        assert {(e.mtime, e.uid, e.gid, e.uname) for e in opened.getmembers()} == {(environment.EARLIEST, 0, 0, "")}


# Digests


@pytest.fixture
def released(tmp_path):
    """A folder with two files and their digests."""
    for name, (content, _) in FILES.items():
        (tmp_path / name).write_bytes(content)
    sums.write(tmp_path)
    return tmp_path


def test_sums_are_what_sha256sum_reads(released):
    subprocess.run(["sha256sum", "--check", "--strict", sums.NAME], cwd=released, check=True, capture_output=True)
    for name in FILES:
        sums.verify(released / name)


def changed(folder):
    (folder / "a").write_bytes(b"another")


def missing(folder):
    (folder / "a").unlink()


def without_sums(folder):
    (folder / sums.NAME).unlink()


def of_another_release(folder):
    text = (folder / sums.NAME).read_text()
    (folder / sums.NAME).write_text(text.replace("  a\n", "  c\n"))


def malformed(folder):
    (folder / sums.NAME).write_text("a: 1\n")


def ambiguous(folder):
    with (folder / sums.NAME).open("a") as file:
        file.write(f"{'0' * 64}  a\n")


WRONG = {
    changed: "a is not the file of the release",
    missing: "a does not exist",
    without_sums: "SHA256SUMS does not exist",
    of_another_release: "does not name a",
    malformed: "SHA256SUMS, line 1: not a SHA-256 digest",
    ambiguous: "SHA256SUMS, line 3: a second digest of a",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_wrong_file_is_refused(released, change):
    change(released)
    with pytest.raises(sums.WrongSum, match=WRONG[change]):
        sums.verify(released / "a")


# Released packages

THIS_MACHINE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
OTHER_MACHINE = next(name for name in ARCHITECTURES if name != THIS_MACHINE)


def elf(architecture):
    """The start of a Linux program for a processor."""
    number = {name: number for number, name in package.MACHINES.items()}[architecture]
    return package.ELF.ljust(18, b"\0") + number.to_bytes(2, "little") + b"rest"


def released_zip(folder, entries):
    path = folder / "bootstrap.zip"
    archive.write_zip(path, {name: (content, True) for name, content in entries.items()})
    sums.write(folder)
    return path


def test_path_with_special_characters_is_quoted(tmp_path):
    folder = tmp_path / 'it\'s a folder: "new"'
    folder.mkdir()
    path = released_zip(folder, {"bootstrap": elf("x86_64")})
    package.template(path, tmp_path / "template.yaml")
    from_zip = yaml.load((tmp_path / "template.yaml").read_text(), Loader)
    assert from_zip["Resources"]["Function"]["Properties"]["CodeUri"] == str(path)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architecture_is_read_from_the_binary(tmp_path, architecture):
    path = released_zip(tmp_path, {"bootstrap": elf(architecture)})
    assert package.function(path) == (elf(architecture), architecture)


REFUSED = {
    "another file": ({"handler.py": b""}, "holds handler.py: expected only `bootstrap`"),
    "two files": ({"bootstrap": elf(THIS_MACHINE), "x": b""}, "holds bootstrap, x"),
    "no program": ({"bootstrap": b"#!/bin/sh\n"}, "is no Linux program"),
    "another processor": ({"bootstrap": elf(OTHER_MACHINE)}, f"is for Linux on {OTHER_MACHINE}"),
}


@pytest.mark.parametrize(("entries", "reason"), REFUSED.values(), ids=REFUSED)
def test_package_of_another_kind_is_not_run(tmp_path, entries, reason):
    with pytest.raises(package.WrongPackage, match=reason):
        package.unpack(released_zip(tmp_path, entries), tmp_path / "out")


def test_file_that_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "bootstrap.zip"
    path.write_bytes(b"no zip")
    sums.write(tmp_path)
    with pytest.raises(package.WrongPackage, match="is no zip"):
        package.function(path)


def test_unpacked_program_is_executable(tmp_path):
    path = released_zip(tmp_path, {"bootstrap": elf(THIS_MACHINE)})
    for _ in range(2):
        package.unpack(path, tmp_path / "out")
    program = tmp_path / "out" / "bootstrap"
    assert program.read_bytes() == elf(THIS_MACHINE) and os.access(program, os.X_OK)


def test_template_from_zip_changes_the_code_only(tmp_path):
    path = released_zip(tmp_path, {"bootstrap": elf("arm64")})
    package.template(path, tmp_path / "template.yaml")
    ours = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    from_zip = yaml.load((tmp_path / "template.yaml").read_text(), Loader)
    assert from_zip["Resources"]["Function"]["Properties"].pop("CodeUri") == str(path)
    del ours["Resources"]["Function"]["Properties"]["CodeUri"]
    of_repository = "AWS::ServerlessRepo::Application"
    for key, name in {"LicenseUrl": "LICENSE", "ReadmeUrl": "README.md"}.items():
        assert from_zip["Metadata"][of_repository].pop(key) == str(ROOT / name)
        assert ours["Metadata"][of_repository].pop(key) == name
    assert from_zip == ours


def test_deploy_refuses_a_changed_zip(tmp_path):
    (tmp_path / "with space").mkdir()
    path = released_zip(tmp_path / "with space", {"bootstrap": elf("x86_64")})
    path.write_bytes(path.read_bytes() + b"\0")
    command = ["make", "deploy", f"ZIP={path}", f"VENVS={tmp_path}", "-o", f"{tmp_path}/validate.stamp"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode and "is not the file of the release" in ran.stderr
    assert "sam" not in ran.stdout


# What a machine lacks

LINUX, MAC = "x86_64-unknown-linux-gnu", "aarch64-apple-darwin"
RUSTC = """#!/bin/sh
case "$1" in
  -vV) printf 'rustc {version}\\nrelease: {version}\\nhost: {host}\\n' ;;
  --print) echo "{folder}/$4" ;;
esac
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Puts programs of a made-up machine into an otherwise empty PATH."""

    def make(host=LINUX, version="1.95.0", targets=(LINUX,), programs=("rustc", "cargo", "cc")):
        for program in programs:
            path = tmp_path / program
            path.write_text(RUSTC.format(version=version, host=host, folder=tmp_path / "libraries"))
            path.chmod(0o755)
        for target in targets:
            (tmp_path / "libraries" / target).mkdir(parents=True)
            (tmp_path / "libraries" / target / "libstd-1.rlib").touch()
        monkeypatch.setenv("PATH", str(tmp_path))

    return make


LACKS = {
    "nothing": ({}, LINUX, False, []),
    "nothing with zig": ({"programs": ("rustc", "cargo")}, LINUX, True, []),
    "a C compiler on a Mac": (
        {"host": MAC, "targets": (MAC, LINUX), "programs": ("rustc", "cargo")},
        LINUX,
        True,
        ["A C compiler is not installed"],
    ),
    "nothing on a Mac with zig": ({"host": MAC, "targets": (MAC, LINUX)}, LINUX, True, []),
    "Rust": ({"programs": ("cc",)}, LINUX, False, ["Rust is not installed: install Rust"]),
    "cargo": ({"programs": ("cc", "rustc")}, LINUX, False, ["Rust is not installed"]),
    "a new Rust": ({"version": "1.80.1"}, LINUX, False, ["Rust 1.80.1 is too old: run `rustup update`"]),
    "a C compiler": ({"programs": ("rustc", "cargo")}, LINUX, False, ["A C compiler is not installed"]),
    "zig on a Mac": ({"host": MAC, "targets": (MAC, LINUX)}, LINUX, False, [f"This machine is {MAC}"]),
    "the library on a Mac": ({"host": MAC, "targets": (MAC,)}, LINUX, True, [f"run `rustup target add {LINUX}`"]),
    "the library for arm64": (
        {},
        "aarch64-unknown-linux-gnu",
        True,
        ["run `rustup target add aarch64-unknown-linux-gnu`"],
    ),
    "all": (
        {"host": MAC, "version": "1.0.0", "targets": (), "programs": ("rustc", "cargo")},
        LINUX,
        False,
        ["too old", "rustup target add", "ZIG=1", "C compiler"],
    ),
}


@pytest.mark.parametrize(("of_machine", "target", "zig", "expected"), LACKS.values(), ids=LACKS)
def test_what_is_missing_is_named(machine, of_machine, target, zig, expected):
    machine(**of_machine)
    found = toolchain.missing(target, zig)
    assert len(found) == len(expected)
    for sentence, part in zip(found, expected, strict=True):
        assert part in sentence


def test_missing_is_of_this_machine_without_a_target(machine):
    machine(host=MAC, targets=(MAC,))
    assert toolchain.missing() == []


# The builds


def test_build_names_no_folder_of_the_machine(monkeypatch):
    monkeypatch.setenv("CARGO_HOME", "/home of/cargo")
    monkeypatch.setenv("CARGO_TARGET_DIR", "/elsewhere")
    monkeypatch.setenv("RUSTFLAGS", "-C debuginfo=2")
    flags = environment.variables()["CARGO_ENCODED_RUSTFLAGS"].split("\x1f")
    assert flags == [
        f"--remap-path-prefix={ROOT}=/project",
        "--remap-path-prefix=/elsewhere=/project/target",
        "--remap-path-prefix=/home of/cargo=/cargo",
    ]
    assert environment.variables()["SOURCE_DATE_EPOCH"] == "315532800"


@pytest.mark.parametrize("architecture, processor", [("x86_64", "haswell"), ("arm64", "neoverse-n1")])
def test_function_is_for_the_processors_of_lambda(architecture, processor):
    flags = environment.variables(architecture)["CARGO_ENCODED_RUSTFLAGS"].split("\x1f")
    assert flags[-1] == f"-Ctarget-cpu={processor}"


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The commands of a build, on a machine that has everything. They write what the real ones would."""
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path / "target folder"))
    monkeypatch.setattr(build, "stop_if_missing", lambda target, zig: None)
    commands = []

    def run(command, architecture=None):
        commands.append((architecture, [str(word) for word in command]))
        if command[0] == "cargo":
            path = tmp_path / "target folder" / "lambda" / build.FUNCTION / "bootstrap.zip"
            path.parent.mkdir(parents=True)
            with zipfile.ZipFile(path, "w") as packed:
                packed.writestr("bootstrap", b"program")
        else:
            target = command[command.index("--target") + 1]
            program = "ecr-read-only.exe" if "-windows-" in target else "ecr-read-only"
            path = Path(command[command.index("--target-dir") + 1]) / target / "release" / program
            path.parent.mkdir(parents=True)
            path.write_bytes(b"program")

    monkeypatch.setattr(build, "run", run)
    return commands


FUNCTION_BUILDS = {
    "x86_64": ("x86_64", False, ["--x86-64", "--compiler", "cargo"]),
    "x86_64 with zig": ("x86_64", True, ["--x86-64", "--compiler", "cargo-zigbuild"]),
    "arm64": ("arm64", True, ["--arm64", "--compiler", "cargo-zigbuild"]),
}


@pytest.mark.parametrize(("architecture", "zig", "flags"), FUNCTION_BUILDS.values(), ids=FUNCTION_BUILDS)
def test_function_is_built_and_packed(ran, monkeypatch, capsys, architecture, zig, flags):
    arguments = ["build", "function", "--architecture", architecture, *(["--zig"] if zig else [])]
    monkeypatch.setattr(sys, "argv", arguments)
    build.main()
    ((for_architecture, command),) = ran
    assert for_architecture == architecture and "--locked" in command and "--release" in command
    assert command[command.index(flags[0]) :][:3] == flags and command[-2:] == ["--output-format", "zip"]
    assert unpacked(Path(capsys.readouterr().out.strip())) == {"bootstrap": (b"program", True)}


COMMAND_LINES = {
    "x86_64-unknown-linux-gnu": (["--zig", "--compatibility", "manylinux2014"], "tar.gz", "ecr-read-only"),
    "aarch64-apple-darwin": ([], "tar.gz", "ecr-read-only"),
    "x86_64-pc-windows-msvc": ([], "zip", "ecr-read-only.exe"),
}


@pytest.mark.parametrize("target", COMMAND_LINES)
def test_command_line_is_built_and_packed(ran, tmp_path, target):
    flags, form, program = COMMAND_LINES[target]
    build.command_line(target, tmp_path)
    ((for_architecture, command),) = ran
    assert for_architecture is None
    assert command[:5] == ["maturin", "build", "--release", "--target", target]
    folder = str(tmp_path / "target folder" / "command-line")
    assert command[5:] == [*flags, "--target-dir", folder, "--out", str(tmp_path)]
    files = unpacked(tmp_path / f"ecr-read-only-{build.version()}-{target}.{form}")
    assert files.keys() == {program, "LICENSE", build.LICENCES} and files[program] == (b"program", True)


def test_artefact_without_its_target_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("CARGO_TARGET_DIR", str(tmp_path))
    parts = [
        (target, f"part for {target}", lambda folder, t=target: (folder / t).touch()) for target in ("here", "absent")
    ]
    monkeypatch.setattr(dist, "parts", lambda zig: parts)
    monkeypatch.setattr(dist, "has_target", lambda target: target == "here")
    monkeypatch.setattr(dist, "bill_of_materials", lambda program: "{}")
    folder, left_out = dist.make(zig=False)
    assert left_out == {"absent": ["part for absent"]}
    assert (folder / "here").exists() and not (folder / "absent").exists()
    assert sums.read(folder).keys() == {path.name for path in folder.iterdir()} - {sums.NAME}


SECOND_BUILDS = {
    "the same": ({}, None),
    "another content": ({"a": b"another"}, "1 of 2 files are not the same"),
    "one more": ({"c": b""}, "1 of 2 files are not the same"),
    "none": (None, "the second build failed"),
}


@pytest.mark.parametrize(("changes", "error"), SECOND_BUILDS.values(), ids=SECOND_BUILDS)
def test_second_build_is_compared(released, monkeypatch, capsys, changes, error):
    monkeypatch.setenv("CARGO_TARGET_DIR", str(released / "target"))
    monkeypatch.setattr(sys, "argv", ["reproduce", "--folder", str(released)])
    monkeypatch.setattr(reproduce, "copy_checkout", lambda folder: folder.mkdir(parents=True))

    def second_build(command, cwd, env, check):
        assert command[1:] == ["-m", "local.release.dist"] and "CARGO_TARGET_DIR" not in env
        (cwd / "dist").mkdir()
        for name, content in ({name: content for name, (content, _) in FILES.items()} | (changes or {})).items():
            (cwd / "dist" / name).write_bytes(content)
        sums.write(cwd / "dist")
        return subprocess.CompletedProcess(command, 0 if changes is not None else 1)

    monkeypatch.setattr(reproduce.subprocess, "run", second_build)
    if error is None:
        reproduce.main()
        assert "2 files are the same" in capsys.readouterr().out
    else:
        with pytest.raises(SystemExit, match=error):
            reproduce.main()


def test_checkout_is_copied_without_what_was_built(tmp_path):
    reproduce.copy_checkout(tmp_path)
    assert (tmp_path / "Cargo.lock").read_bytes() == (ROOT / "Cargo.lock").read_bytes()
    assert not {"target", ".venv", "dist", ".git"} & {path.name for path in tmp_path.iterdir()}


def test_failing_command_ends_the_build(capfd):
    with pytest.raises(SystemExit, match="`sh -c` failed with exit status 3"):
        environment.run(["sh", "-c", "exit 3"])


def test_folder_with_other_files_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    (tmp_path / "built").mkdir()
    with pytest.raises(SystemExit, match="holds other files than a release"):
        dist.replace(tmp_path / "mine", tmp_path / "built")
    assert (tmp_path / "mine" / "file").exists()


def test_earlier_release_is_replaced(released):
    built = released / "built"
    built.mkdir()
    (built / "new").touch()
    old = released / "dist"
    old.mkdir()
    (old / "old").touch()
    sums.write(old)
    dist.replace(old, built)
    assert [path.name for path in old.iterdir()] == ["new"]


def test_differences_name_changed_and_missing_files():
    assert reproduce.differences({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "d": 1}) == ["b", "c", "d"]


def test_licences_name_every_crate():
    text = (ROOT / build.LICENCES).read_text()
    named = {tuple(line[2:].split(" ")) for line in text.splitlines() if re.match(r"- \S+ \d", line)}
    locked = re.findall(r'^name = "(.+)"\nversion = "(.+)"$', (ROOT / "Cargo.lock").read_text(), re.MULTILINE)
    in_programs = set().union(*map(dist.crates, dist.PROGRAMS))
    assert in_programs <= named <= set(locked), "run `make licences`"
