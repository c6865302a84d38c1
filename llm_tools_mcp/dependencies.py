"""Releases of others that this one was tried with, and what to say and to type where another does not fit."""

from __future__ import annotations

import sys
from types import TracebackType

# The newest minor release of each that `make compat` has seen work; the oldest stands in pyproject.toml.
TRIED = {
    "grpcio": "1.85",
    "h2": "4.4",
    "hpack": "4.2",
    "jsonschema": "4.26",
    "llm": "0.36",
    "mcp": "2.3",
    "platformdirs": "4.14",
    "prometheus-client": "0.26",
    "protobuf": "7.36",
    "psutil": "7.2",
    "python-dotenv": "1.2",
    "python-rapidjson": "1.25",
    "pyyaml": "6.0",
    "referencing": "0.37",
    "rich": "15.0",
    "sdnotify": "0.3",
    "socksio": "1.0",
    "uritemplate": "4.2",
}
# Modules that are called otherwise than their distribution.
_DISTRIBUTIONS = {
    "google": "protobuf",
    "grpc": "grpcio",
    "mcp_types": "mcp",
    "dotenv": "python-dotenv",
    "prometheus_client": "prometheus-client",
    "rapidjson": "python-rapidjson",
    "yaml": "pyyaml",
}


def explained(error: ImportError) -> str:
    """One line: what cannot be loaded, whether a release is newer than any that was tried, what to type."""
    what = f"llm-tools-mcp cannot be loaded: {error}"
    module = (error.name or "").partition(".")[0]
    name = _DISTRIBUTIONS.get(module, module)
    installed = _installed(name) if name in TRIED else ""
    if installed and _minor(installed) > _minor(TRIED[name]):
        return (
            f"{what}; {name} {installed} is too new for it; try: llm install '{name}<{_after(TRIED[name])}'"
        )
    return f"{what}; try: llm install --upgrade llm-tools-mcp"


def require(owner: object, *names: str) -> None:
    """Raises ImportError where a release lacks what we override: that would be overlooked in silence."""
    for name in names:
        if not hasattr(owner, name):
            kind = owner if isinstance(owner, type) else type(owner)
            raise ImportError(f"{kind.__module__}.{kind.__qualname__} has no {name}", name=kind.__module__)


def report_in_a_line() -> None:
    """From now on what cannot be loaded ends this process with a line for people instead of a traceback."""
    usual = sys.excepthook

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, ImportError):
            sys.stderr.write(f"llm-mcp: {explained(error)}\n")
        else:
            usual(kind, error, trace)

    sys.excepthook = report


def _installed(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _minor(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:2] if part.isdecimal()]


def _after(version: str) -> str:
    """The minor release that follows."""
    major, minor = _minor(version)
    return f"{major}.{minor + 1}"
