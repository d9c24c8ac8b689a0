"""The packages of `local/` import in one direction: templates ← release ← standin ← lab ← measure ← demo and invoke."""

import re

import pytest

from local import ROOT

ORDER = ["identifiers", "templates", "source_url", "release", "standin", "lab", "measure", "demo", "invoke"]


def part_of(path):
    """The part of `local/` that a file belongs to."""
    return path.relative_to(ROOT / "local").parts[0].removesuffix(".py")


def upward_imports(part, source):
    """The imported parts that come after `part`, or that are another program."""
    imported = re.findall(r"^\s*from local(?:\.(\w+))?[\w.]* import (\w+)", source, re.MULTILINE)
    names = {package or name for package, name in imported} - {"ROOT", part}
    return {name for name in names if ORDER.index(name) >= ORDER.index(part)}


@pytest.mark.parametrize("path", sorted((ROOT / "local").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_lower_parts(path):
    part = part_of(path)
    assert part == "__init__" or upward_imports(part, path.read_text()) == set()


def test_import_of_a_higher_part_is_found():
    assert upward_imports("standin", "from local.lab.account import ROLES\nfrom local.templates import resolve\n") == {
        "lab"
    }
    assert upward_imports("demo", "from local import invoke\n") == {"invoke"}
