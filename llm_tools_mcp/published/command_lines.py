"""The command lines that fetch a package and run it: npx, uvx, docker, dnx."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import urlsplit

# The first program is meant unless another one is asked for.
RUNNERS = {
    "npm": ("npx", "bunx"),
    "pypi": ("uvx",),
    "oci": ("docker", "podman"),
    "nuget": ("dnx",),
}


_ENVIRONMENT = ("-e", "--env")


class Fetched(NamedTuple):
    """A package and who fetches it; `source` is empty where it comes from the usual place."""

    kind: str
    identifier: str
    version: str
    runner: str
    source: str


def pinned(package: Fetched) -> str:
    if package.kind == "oci":
        host = urlsplit(package.source).hostname or ""
        name = package.identifier
        if host and not name.startswith(f"{host}/"):
            name = f"{host}/{name}"
        is_tagged = not package.version or re.search(r"[@:][^/]+$", name)
        return name if is_tagged else f"{name}:{package.version}"
    sign = "==" if package.kind == "pypi" else "@"
    return f"{package.identifier}{sign}{package.version}"


def arguments_of(
    package: Fetched, runtime: Sequence[str], arguments: Sequence[str], env: Sequence[str]
) -> list[str]:
    """What follows the runner: `runtime` are its options, `env` the names of the variables that are set."""
    return _COMMANDS[package.kind](package, runtime, arguments, env)


def without_values(options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """`-e NAME=VALUE` of a container as `-e NAME`, and the variables: everybody sees a command line."""
    named, variables = list(options), {}
    for index, (flag, word) in enumerate(pairwise(options), 1):
        name, separator, value = word.partition("=")
        if flag in _ENVIRONMENT and separator:
            named[index], variables[name] = name, value
    return named, variables


def _without_itself(package: Fetched, runtime: Sequence[str]) -> list[str]:
    """Publishers repeat their own package among the arguments of its runner."""
    name = re.escape(package.identifier)
    return [word for word in runtime if not re.fullmatch(rf"{name}((@|==|:).*)?", word)]


def _npm(package: Fetched, runtime: Sequence[str], arguments: Sequence[str], _: Sequence[str]) -> list[str]:
    options = _without_itself(package, runtime)
    if package.runner == "npx" and not {"-y", "--yes"} & {*options}:
        options.insert(0, "-y")
    source = [f"--registry={package.source}"] if package.source else []
    return [*source, *options, pinned(package), *arguments]


def _pypi(package: Fetched, runtime: Sequence[str], arguments: Sequence[str], _: Sequence[str]) -> list[str]:
    """`uvx --from PACKAGE PROGRAM` where the program has another name."""
    source = ["--default-index", package.source] if package.source else []
    if "--from" in runtime:
        at = runtime.index("--from")
        before, after = list(runtime[:at]), list(runtime[at + 2 :])
        return [*source, *before, "--from", pinned(package), *after, *arguments]
    return [*source, *_without_itself(package, runtime), pinned(package), *arguments]


def _oci(package: Fetched, runtime: Sequence[str], arguments: Sequence[str], env: Sequence[str]) -> list[str]:
    """A container gets only those variables that it is told of."""
    options = [word for word in _without_itself(package, runtime) if word not in ("run", "-i", "--rm", "-it")]
    told = {value.partition("=")[0] for flag, value in pairwise(options) if flag in _ENVIRONMENT}
    passed = [word for name in env if name not in told for word in ("-e", name)]
    return ["run", "-i", "--rm", *options, *passed, pinned(package), *arguments]


def _nuget(package: Fetched, runtime: Sequence[str], arguments: Sequence[str], _: Sequence[str]) -> list[str]:
    options = [word for word in _without_itself(package, runtime) if word != "--yes"]
    source = ["--source", package.source] if package.source else []
    return [pinned(package), "--yes", *source, *options, *(["--", *arguments] if arguments else [])]


_COMMANDS: dict[str, Callable[[Fetched, Sequence[str], Sequence[str], Sequence[str]], list[str]]] = {
    "npm": _npm,
    "pypi": _pypi,
    "oci": _oci,
    "nuget": _nuget,
}
