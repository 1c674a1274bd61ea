"""Which of our modules imports which: read from the source, imports inside functions included."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOP = (
    "jobspec", "hangul", "pictures", "training", "index", "fashion", "ko_clip", "diffusion", "textile", "demo",
    "testing",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """`importer` imports `imported`, both dotted; `for_types`: under TYPE_CHECKING, so never when it runs."""

    importer: str
    imported: str
    for_types: bool


@cache
def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name; a package by its folder's."""
    found = {}
    for top in TOP:
        for path in (ROOT / top).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> tuple[Import, ...]:
    """Every import of one of our modules by another."""
    found = []
    for name, path in modules().items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        types = {id(inner) for node in ast.walk(tree) if _is_type_checking(node) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            found += [Import(name, each, id(node) in types) for each in _named(node, name, path)]
    return tuple(dict.fromkeys(one for one in found if one.importer != one.imported))


def classes() -> list[tuple[str, str]]:
    """Every class at the top of a module, as (module, name)."""
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules().items()}
    return [(name, node.name) for name, tree in trees.items() for node in tree.body if isinstance(node, ast.ClassDef)]


def room_of(module: str) -> str:
    """The room that a module is in: demo's are its folders."""
    parts = module.split(".")
    inner = parts[0] == "demo" and (ROOT / "demo" / parts[1]).is_dir() if len(parts) > 1 else False
    return ".".join(parts[:2]) if inner else parts[0]


def circles() -> list[set[str]]:
    """Groups of modules that import each other, at the top of a file or inside a function (Tarjan's components)."""
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for one in imports():
        if not one.for_types and one.imported in graph:
            graph[one.importer].add(one.imported)
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for other in graph[name]:
            if other not in order:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], order[other])
        if low[name] == order[name]:
            group = set(stack[stack.index(name) :])
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(group)

    for name in graph:
        if name not in order:
            visit(name)
    return found


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _named(node: ast.AST, importer: str, path: Path) -> list[str]:
    """The modules of ours that an import statement, or a call of import_module with a constant, names."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = importer.split(".") if path.name == "__init__.py" else importer.split(".")[:-1]
            base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        names = [name if name in modules() else base for name in inner]
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        names = [str(node.args[0].value)] if called in ("import_module", "__import__") else []
    else:
        return []
    return [name for name in names if name.split(".")[0] in TOP]
