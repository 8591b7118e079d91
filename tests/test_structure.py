"""The house: what may import what, and where each fact of the contract lives."""

import ast
import functools
from pathlib import Path

import pytest

import course

# One worker reads all modules once.
pytestmark = pytest.mark.xdist_group("structure")

# Each package, and the packages of ours that it may import: arrows point down only.
MAY_IMPORT = {
    "course": set(),
    "checks": {"course"},
    "workshop": {"course", "checks"},
    "tools": {"course", "checks", "workshop"},
}
MODULES = {
    ".".join(path.relative_to(course.ROOT).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for package in MAY_IMPORT
    for path in sorted((course.ROOT / package).rglob("*.py"))
    if "probes" not in path.parts  # run under the learner's interpreter, without us
}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a module of ours."""
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path, *, anywhere: bool = True) -> set[str]:
    """The modules of ours that a file imports, at its top or anywhere in it."""
    tree = tree_of(path)
    found: set[str] = set()
    for node in ast.walk(tree) if anywhere else _at_the_top(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (below & MODULES.keys()) or {node.module}
    return found & MODULES.keys()


def _at_the_top(tree: ast.Module):
    """The statements that run when a module is imported, `if TYPE_CHECKING` left out."""
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield from ast.walk(node) if not isinstance(node, ast.FunctionDef) else ()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_arrows_point_down(package):
    """A package imports only packages below it, wherever in a file the import stands."""
    wrong = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        if module.partition(".")[0] == package
        for other in imported(path)
        if other.partition(".")[0] not in MAY_IMPORT[package] | {package}
    ]

    assert wrong == []


def test_there_is_no_import_circle():
    """No module imports, directly or not, itself."""
    arrows = {
        module: imported(path, anywhere=False) - {module}
        for module, path in MODULES.items()
    }
    waiting = dict(arrows)
    while leaves := [m for m, others in waiting.items() if not others & waiting.keys()]:
        for module in leaves:
            del waiting[module]

    assert waiting == {}


@pytest.mark.parametrize("fact", ["/ws/notifications/", "connection_established"])
def test_fact_of_the_contract_has_one_home(fact):
    """What clients and backends agree on is written down once; everybody else imports it."""
    homes = [module for module, path in MODULES.items() if fact in texts_of(path)]

    assert homes == ["course.contract"]


@functools.cache
def texts_of(path: Path) -> set[str]:
    """The texts of a module that are values: no docstrings."""
    tree = tree_of(path)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in statements
    }
