"""Who imports whom in llm_tools_mcp, read from the source: also what is imported lazily or for types."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "llm_tools_mcp"
SOURCE = Path(__file__).parent.parent / PACKAGE


@functools.cache
def modules() -> dict[str, Path]:
    """Dotted name below the package -> file; "" is the package itself. Without generated code."""
    files = (path for path in SOURCE.rglob("*.py") if not path.stem.endswith(("_pb2", "_pb2_grpc")))
    return {_name(path): path for path in sorted(files)}


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@functools.cache
def imports(module: str, path: Path, *, at_load: bool = False) -> frozenset[str]:
    """Absolute dotted names of all that a module imports; with `at_load` only of what loading it imports."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = _tree(path)
    nodes = _run_at_load(tree) if at_load else ast.walk(tree)
    return frozenset(name for node in nodes for name in _imported(node, package))


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _run_at_load(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _run_at_load(child)


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        start = f"{_above(package, node.level)}." if node.level else ""
        base = f"{start}{node.module or ''}".rstrip(".")
        # `from . import errors` names a module, `from .errors import McpError` something in one.
        yield from (_module_or_its_home(f"{base}.{alias.name}", base) for alias in node.names)


def _above(package: str, level: int) -> str:
    parts = [PACKAGE, *package.split(".")] if package else [PACKAGE]
    return ".".join(parts[: len(parts) - level + 1])


def _module_or_its_home(name: str, home: str) -> str:
    if not name.startswith(f"{PACKAGE}."):
        return home
    return name if name.removeprefix(f"{PACKAGE}.") in modules() else home
