"""server.json → each way to have the server. What cannot be put into a command line safely is refused."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from llm_tools_mcp.config.remote import HEADER_NAME
from llm_tools_mcp.errors import PublishedError

from .command_lines import RUNNERS
from .declared_values import Declared, declared, fixed
from .json_fields import Json, flag, listed, nested, text
from .packages import Bundle, Flag, Offer, Package, Remote

# What is put into a command line as a name may not pass for an option, nor for several words.
_IDENTIFIER = re.compile(r"[A-Za-z0-9@][\w@./:+~-]*", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z][\w.+!-]*", re.ASCII)
_UNPINNED = re.compile(r"latest|[x*]|.*\.[x*]", re.IGNORECASE)
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# By whose domains packages come unless the user has set up a mirror, which an option would overrule.
_USUAL = {"npm": "npmjs", "pypi": "pypi", "nuget": "nuget", "oci": "docker"}


def offers_of(document: Json) -> tuple[list[Offer], list[str]]:
    """Each way to have the server, as the publisher ranks them; and why others cannot be taken."""
    offers: list[Offer] = []
    refused: list[str] = []
    readers = [(_package, one) for one in listed(document, "packages")]
    for read, one in (*readers, *((_remote, one) for one in listed(document, "remotes"))):
        try:
            offers.append(read(one))
        except PublishedError as error:
            refused.append(str(error))
    return offers, refused


# --- reading ----------------------------------------------------------------------------------------


def _package(document: Json) -> Offer:
    kind, identifier = text(document, "registryType").lower(), text(document, "identifier")
    transport = text(nested(document, "transport"), "type", "stdio")
    if transport != "stdio":
        raise PublishedError(
            f"{kind} {identifier!a}: it speaks {transport!a}, and would have to be started apart"
        )
    if kind == "mcpb":
        return _bundle(document, identifier)
    if kind not in RUNNERS:
        raise PublishedError(f"{identifier!a}: packages of the type {kind!a} cannot be run here")
    if not _IDENTIFIER.fullmatch(identifier):
        raise PublishedError(f"{kind} {identifier!a}: no name of a package")
    hint, runners = text(document, "runtimeHint"), RUNNERS[kind]
    return Package(
        kind=kind,
        identifier=identifier,
        version=_version(kind, identifier, text(document, "version")),
        runner=hint if hint in runners else runners[0],
        source=_source(kind, text(document, "registryBaseUrl")),
        runtime=_flags(document, "runtimeArguments"),
        arguments=_flags(document, "packageArguments"),
        variables=_named(document, "environmentVariables", _VARIABLE_NAME),
    )


def _bundle(document: Json, url: str) -> Bundle:
    sha256 = text(document, "fileSha256")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise PublishedError(f"mcpb {url!a}: its SHA-256 is not published, so that it could be anything")
    return Bundle(url, sha256)


def _version(kind: str, identifier: str, version: str) -> str:
    """Pinned: what was looked at is what runs tomorrow. An image may have it in its name."""
    if kind == "oci" and not version and re.search(r"[@:][^/]+$", identifier):
        return ""
    if not _VERSION.fullmatch(version) or _UNPINNED.fullmatch(version):
        raise PublishedError(f"{kind} {identifier!a}: its version {version!a} is none that could be pinned")
    return version


def _source(kind: str, base: str) -> str:
    host = _host(base) if base.startswith("https://") else ""
    if not base or host.split(".")[-2:-1] == [_USUAL[kind]]:
        return ""
    if not host or not re.fullmatch(r"[!-~]+", base):
        raise PublishedError(f"its packages come from {base!a}, which is no https:// url")
    return base


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # https://[x
        return ""


def _flags(document: Json, key: str) -> tuple[Flag, ...]:
    return tuple(_flag(number, one) for number, one in enumerate(listed(document, key), 1))


def _flag(number: int, document: Json) -> Flag:
    name = text(document, "name") if text(document, "type") == "named" else ""
    if text(document, "type") == "named" and not re.fullmatch(r"[!-~]+", name):
        raise PublishedError(f"an argument has the name {name!a}")
    if name:
        key = name.lstrip("-") or name
        if _is_bare(document):
            return Flag(name, fixed(""), is_switch=True)
        is_switch = text(document, "format") == "boolean" and "value" not in document
        return Flag(name, declared(document, key), is_switch)
    if "value" not in document and _is_bare({**document, "valueHint": ""}):
        return Flag("", fixed(text(document, "valueHint")))  # as VS Code takes it
    return Flag("", declared(document, text(document, "valueHint") or f"argument{number}"))


_ASKING = ("value", "default", "description", "choices", "placeholder", "isRequired", "isSecret", "valueHint")


def _is_bare(document: Json) -> bool:
    """Nothing about it says that there is a value to be asked for."""
    return all(_says_nothing(document.get(key)) for key in _ASKING) and not flag(document, "isRepeated")


def _says_nothing(value: object) -> bool:
    """A number 0, which equals False, is a value like others."""
    return value is None or value is False or value in ("", [])


def _remote(document: Json) -> Remote:
    kind, url = text(document, "type"), text(document, "url")
    if kind not in ("streamable-http", "sse"):
        raise PublishedError(f"remote {url!a}: its transport {kind!a} is unknown")
    if not re.fullmatch(r"(https?://|\{)[!-~]+", url):
        raise PublishedError(f"remote {url!a}: no https:// url")
    variables = nested(document, "variables")
    return Remote(
        "sse" if kind == "sse" else "http",
        declared({"value": url, "isRequired": True}, "url", variables=variables),
        _named(document, "headers", HEADER_NAME),
    )


def _named(document: Json, key: str, form: re.Pattern[str]) -> dict[str, Declared]:
    named = {text(one, "name"): one for one in listed(document, key)}
    for name in named:
        if not form.fullmatch(name):
            raise PublishedError(f"{key} has the name {name!a}")
    return {name: declared(one, name) for name, one in named.items()}
