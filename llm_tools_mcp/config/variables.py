"""The part of the caller's environment that travels to the daemon, which expands it (expansion.py)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

# What a stdio server inherits without being told: who the user is, as in the MCP SDK, …
_PERSON = ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
# … how and where that person works, …
_SURROUNDINGS = (
    *("LANG", "LANGUAGE", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"),
    *("DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK"),
)
_FAMILIES = ("LC_", "XDG_")
# … and the way to the network. The first ones hold for servers with a url, too.
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PROXY_VARIABLES = (*_PROXIES, *(name.lower() for name in _PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR")
_CERTIFICATES = ("NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# Paths, or several with colons between them.
CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", *_CERTIFICATES)

NETWORK_VARIABLES = (*PROXY_VARIABLES, *_CERTIFICATES)
CALLER_VARIABLES = (*_PERSON, *_SURROUNDINGS, *NETWORK_VARIABLES)
# Other in every terminal: with `inheritEnv` each would have servers of its own.
_OF_TERMINALS = frozenset(
    {
        *("_", "SHLVL", "PWD", "OLDPWD", "COLUMNS", "LINES", "WINDOWID", "WINDOWPATH", "TERM", "SHELL"),
        *("COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "TERM_SESSION_ID", "ITERM_SESSION_ID"),
        *("SHELL_SESSION_ID", "KITTY_WINDOW_ID", "KITTY_PID", "ALACRITTY_WINDOW_ID", "WEZTERM_PANE"),
        *("KONSOLE_DBUS_SESSION", "KONSOLE_DBUS_WINDOW", "GNOME_TERMINAL_SCREEN", "VTE_VERSION"),
        *("TMUX", "TMUX_PANE", "STY", "WINDOW", "GPG_TTY", "SSH_TTY", "SSH_CLIENT", "SSH_CONNECTION"),
    }
)

NAME = "[A-Za-z_][A-Za-z0-9_]*"
# Only the beginning: in raw JSON text an unclosed ${A:-  would swallow the mentions behind it.
_MENTION = rf"\$\{{(?:env:)?({NAME})(?=:-|\}})"


# In front of the path of an `envFile`, where it stands among what was looked up for the caller.
ENV_FILE = "envFile:"
# What is read from files.
FILES = ("file:", ENV_FILE)


class Confided(NamedTuple):
    """What was looked up for ${file:…} and its kin, by what stands in the braces; and why there is none."""

    values: Mapping[str, str]
    missing: Mapping[str, str]


NOTHING_CONFIDED = Confided({}, {})


def is_inherited(name: str) -> bool:
    """Whether a stdio server gets this variable without being told."""
    return name in CALLER_VARIABLES or name.startswith(_FAMILIES)


def is_indifferent(name: str) -> bool:
    """Whether another value makes no other server of it."""
    return name in _SURROUNDINGS or name in _OF_TERMINALS or name.startswith(_FAMILIES)


def mentioned_variables(text: str) -> frozenset[str]:
    """The names in ${VAR}, ${env:VAR} and the same with a default, wherever they stand in the text."""
    return frozenset(re.findall(_MENTION, text))


def inherited(environ: Mapping[str, str], wanted: bool | Iterable[str] | None) -> dict[str, str]:  # noqa: FBT001 - `inheritEnv`
    """What `inheritEnv` adds: everything, or what its names or globs say."""
    if not wanted:
        return {}
    globs = ["*"] if wanted is True else list(wanted)
    return {name: value for name, value in environ.items() if any(fnmatchcase(name, glob) for glob in globs)}


def caller_environment(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the daemon needs of `environ` to resolve the config `text`."""
    mentioned = mentioned_variables(text) | _wanted(text, environ)
    names = (name for name in environ if name in mentioned or is_inherited(name))
    values = {name: _sendable(name, environ[name]) for name in sorted(names)}
    return {name: value for name, value in values.items() if value is not None}


def _wanted(text: str, environ: Mapping[str, str]) -> set[str]:
    """The names that `inheritEnv` of some server asks for."""
    if '"inheritEnv"' not in text:
        return set()
    from .document import named_entries

    found: set[str] = set()
    for entry in named_entries(text).values():
        wanted = entry.get("inheritEnv") if isinstance(entry, dict) else None
        if wanted is True:
            return set(environ)
        globs = [glob for glob in wanted if isinstance(glob, str)] if isinstance(wanted, list) else []
        found |= inherited(environ, globs).keys()
    return found


def _sendable(name: str, value: str) -> str | None:
    """None for exported shell functions and for bytes that are not UTF-8, which the wire refuses."""
    if value.startswith("()") or not is_utf8(name):
        return None
    if name == "PATH":  # one odd folder must not cost the others
        return ":".join(folder for folder in value.split(":") if is_utf8(folder))
    return value if is_utf8(value) else None


def is_utf8(value: str) -> bool:
    """Not so with half of a surrogate pair, of which neither a path nor the wire can be made."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
