"""Which arguments of a command were given in confidence: what a telling name announces, and tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from os.path import normpath

_NAMES = "token|secret|passw|passphrase|key|auth|credential|cookie|bearer|session"
TELLING = re.compile(_NAMES, re.IGNORECASE)
# --token=x, API_KEY=x, Authorization: Bearer x. Bounded, since each telling word in a long text is tried.
_ANNOUNCED = re.compile(
    rf"(?:{_NAMES})[\w-]{{0,100}}\s{{0,9}}[:=]\s{{0,9}}(?:(?:bearer|basic)\s)?(.+)", re.IGNORECASE | re.DOTALL
)
# Of the name of a variable, where a part of a longer word would mean nothing.
_TELLING_PART = re.compile(r"(?:\A|_)(?:pass|pwd|pat|pin|dsn|jwt|salt|signature)(?:\Z|_)", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/\s@]*:[^/\s@]+@")
# A part of a package's name: server, sqlite3, v2, 2025.
_WORD = re.compile(r"[A-Za-z]{0,14}\d{0,4}|[A-Za-z0-9]{1,3}")
_BETWEEN_WORDS = re.compile(r"[-_./:,;@=\s]")
_PASSWORD = re.compile(r"(?=.*[A-Za-z])(?=.*\d)[A-Za-z\d]{6,}")
_PARTS_OF_A_PASSWORD = 2
_ODD_SIGNS = re.compile(r"[!$%^&*#]")
# How tokens of well-known services begin: OpenAI, Stripe, GitHub, GitLab, Slack, Hugging Face, AWS, Google.
_KNOWN_BEGINNING = re.compile(
    r"(?:sk|pk|rk|gh[oprsu]|github_pat|glpat|xox[abeprs]|hf|pypi)[-_]\S{6}|(?:AKIA|ASIA|AIza|eyJ)\S{12}"
)
HIDDEN = "…"
_LONG_RUN = re.compile(r"[A-Za-z0-9_-]{20,}")


def secret_args(args: Iterable[str]) -> Iterator[str]:
    """The secrets among the arguments of a command, without the names before them."""
    follows_telling = False
    for arg in args:
        if follows_telling and not arg.startswith("-"):
            yield arg
        elif announced := _ANNOUNCED.search(arg):
            yield announced[1].strip()
        else:
            yield from filter(_looks_random, _LONG_RUN.findall(arg))
        follows_telling = arg.startswith("-") and "=" not in arg and bool(TELLING.search(arg))


def public_command(command: str) -> str:
    """The program. What follows it by mistake are arguments, and those may hold a token.

    A path may hold spaces: of what follows only the secrets are left out.
    """
    command = command.strip(" ")
    program, *words = command.split(" ")
    if not command.startswith(("/", "~")):
        return f"{program} {HIDDEN}" if words else program
    secrets = set(secret_args(words))
    shown = (HIDDEN if any(secret in word for secret in secrets) else word for word in words)
    return " ".join([program, *shown])


def public_path(path: str) -> str:
    """Of a url: some services put a key into it."""
    return "/".join(HIDDEN if holds_token(part) else part for part in path.split("/"))


def holds_token(text: str) -> bool:
    return any(map(_looks_random, _LONG_RUN.findall(text)))


def without(confided: Iterable[str], text: str) -> str:
    """The text with what was given in confidence left out, also as a path of it is put in order."""
    values = {shape for value in confided for shape in _shapes(value)}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _shapes(value: str) -> Iterator[str]:
    below_home = value.removeprefix("~")
    for shape in (value, *value.splitlines(), below_home, *map(_in_order, (value, below_home))):
        if shape not in ("", ".", "..", "/"):
            yield shape


def _in_order(path: str) -> str:
    return normpath(path).strip("/")  # which keeps two of them in front


def is_announced(name: str, value: str) -> bool:
    """Whether ${NAME} puts a secret there: as its name says, or its form."""
    is_told = TELLING.search(name) or _TELLING_PART.search(name) or _KNOWN_BEGINNING.match(value)
    return bool(is_told or holds_token(value) or _CREDENTIALS.search(value))


def is_secret_value(name: str, value: str) -> bool:
    """Whether an environment variable holds a secret: its name says so, or its form. us-east-1 is none."""
    return is_announced(name, value) or _is_like_password(value)


def _is_like_password(value: str) -> bool:
    """hunter2, or with signs that words, paths, urls and lists of them do not have."""
    parts = _BETWEEN_WORDS.split(value)
    if len(parts) > _PARTS_OF_A_PASSWORD:
        return False
    return any(map(_PASSWORD.fullmatch, parts)) or bool(_ODD_SIGNS.search(value))


def _looks_random(run: str) -> bool:
    """Long, with digits among letters, and not made of words: more like a token than like a name."""
    mixed = any(c.isdigit() for c in run) and any(c.isalpha() for c in run)
    return mixed and not all(map(_WORD.fullmatch, re.split("[-_]", run)))
