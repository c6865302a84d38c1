"""The names under which a model sees the tools: unique, stable, and such that providers take them.

Pure. A name depends on the names of servers and tools alone, never on who answers just now.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

LONGEST = 64
# However long the prefix, this much is left for the name.
SHORTEST = 24
HASH_LENGTH = 8

_REFUSED = re.compile(r"[^a-zA-Z0-9_-]")
# Gemini takes no other beginning.
_BEGINNING = re.compile(r"[a-zA-Z_]")
_TELLING = re.compile(r"[a-zA-Z0-9]")

Key = tuple[str, str]


def exposed_names(servers: Mapping[str, Sequence[str]], prefix: str = "") -> dict[Key, str]:
    """(server, its own name of the tool) -> the name for the model, in the order given.

    A name that several servers have becomes SERVER_TOOL for all of them, and belongs to SERVER. Where two
    names still come out the same, a tool that is called exactly so keeps it, and the others get a hash.
    """
    front = fitted_prefix(prefix)
    limit = LONGEST - len(front)
    wanted = _wanted_names(servers)
    fitted = {key: _fitted(name, limit, begins=not front) for key, name in wanted.items()}
    losers = _losers(fitted, wanted)
    taken = {name for key, name in fitted.items() if key not in losers}
    for key in sorted(losers):  # sorted: the outcome must not depend on the order of the servers
        fitted[key] = _untaken(_mapped(wanted[key], begins=not front), key, limit, taken)
        taken.add(fitted[key])
    return {key: front + name for key, name in fitted.items()}


def fitted_prefix(prefix: str) -> str:
    return _mapped(prefix)[: LONGEST - SHORTEST] if prefix else ""


def matches(globs: str | None, *names: str) -> bool:
    """Whether one of the names fits one of the comma separated globs; no glob at all fits every name."""
    patterns = [glob.strip() for glob in (globs or "").split(",") if glob.strip()]
    return not patterns or any(fnmatchcase(name, glob) for glob in patterns for name in names)


def _wanted_names(servers: Mapping[str, Sequence[str]]) -> dict[Key, str]:
    keys = dict.fromkeys((server, tool) for server, tools in servers.items() for tool in tools)
    sharing = Counter(tool for _, tool in keys)
    return {
        (server, tool): f"{server}_{tool or 'tool'}" if sharing[tool] > 1 else tool or "tool"
        for server, tool in keys
    }


def _mapped(name: str, *, begins: bool = True) -> str:
    """`begins`: no prefix stands in front of it."""
    mapped = _REFUSED.sub("_", name)
    return mapped if not begins or _BEGINNING.match(mapped) else f"_{mapped}"


def _fitted(name: str, limit: int, *, begins: bool) -> str:
    mapped = _mapped(name, begins=begins)
    if not _TELLING.search(mapped) and mapped != name:  # 検索 would be "__"
        return _with_hash("tool", name, limit)
    return mapped if len(mapped) <= limit else _with_hash(mapped, name, limit)


def _losers(fitted: Mapping[Key, str], wanted: Mapping[Key, str]) -> set[Key]:
    holders: dict[str, list[Key]] = {}
    for key, name in fitted.items():
        holders.setdefault(name, []).append(key)
    shared = {name: keys for name, keys in holders.items() if len(keys) > 1}
    return {key for name, keys in shared.items() for key in keys if key != _holder(name, keys, wanted)}


def _holder(name: str, keys: Sequence[Key], wanted: Mapping[Key, str]) -> Key | None:
    """Whose a name is that several come to: its server's before that of another's tool that is called so."""
    own = next((key for key in keys if key[1] == name), None)
    of_servers = [key for key in keys if wanted[key] == f"{key[0]}_{key[1] or 'tool'}"]
    if own is None or len(of_servers) != 1 or own[0] == of_servers[0][0]:
        return own
    return of_servers[0]


def _untaken(mapped: str, key: Key, limit: int, taken: Iterable[str]) -> str:
    found, attempt = _with_hash(mapped, "\0".join(key), limit), 0
    while found in taken:  # a server may name a tool like another's hash
        attempt += 1
        found = _with_hash(mapped, "\0".join((*key, str(attempt))), limit)
    return found


def _with_hash(name: str, hashed: str, limit: int) -> str:
    from hashlib import sha256  # loads OpenSSL: only for the few names that need it

    tail = sha256(hashed.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]
    return f"{name[: limit - HASH_LENGTH - 1]}_{tail}"
