"""What providers refuse about a tool, as a table: who refuses it, what it is, and where that was seen.

Each rule looks at one tool as it is sent. OpenAI's are those of chat completions without `strict`; Gemini's
are of `parameters` of the Developer API, which is what llm-gemini fills.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

OPENAI, ANTHROPIC, GEMINI = "OpenAI", "Anthropic", "Gemini"

Node = Mapping[str, Any]

# generativelanguage v1beta Schema: https://ai.google.dev/api/caching#Schema
GEMINI_FIELDS = frozenset(
    (
        *("type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems"),
        *("properties", "required", "minProperties", "maxProperties", "minLength", "maxLength"),
        *("pattern", "example", "anyOf", "propertyOrdering", "default", "items", "minimum", "maximum"),
    )
)
# llm-gemini 0.35 takes these out of the top of a schema (`cleanup_schema`), and leaves them below it.
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")


@dataclass(frozen=True)
class Rule:
    """`broken_by` tells what is wrong about a tool (name, description, parameters), place by place."""

    provider: str
    what: str
    source: str
    broken_by: Callable[[Mapping[str, Any]], Iterator[str]]


def nodes(schema: Any, place: str = "") -> Iterator[tuple[str, Node]]:
    """Every schema in a schema, with its place."""
    if not isinstance(schema, Mapping):
        return
    yield place, schema
    for key in ("properties", "$defs", "definitions", "patternProperties"):
        inner = schema.get(key)
        if isinstance(inner, Mapping):
            for name, one in inner.items():
                yield from nodes(one, f"{place}.{name}")
    for key in ("items", "additionalProperties", "not", "if", "then", "else", "propertyNames", "contains"):
        yield from nodes(schema.get(key), f"{place}.{key}")
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        inner = schema.get(key)
        for number, one in enumerate(inner if isinstance(inner, list) else ()):
            yield from nodes(one, f"{place}.{key}[{number}]")


def each(test: Callable[[Node], object]) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    """A rule about every node."""

    def broken_by(tool: Mapping[str, Any]) -> Iterator[str]:
        yield from (place for place, node in nodes(tool["parameters"]) if test(node))

    return broken_by


def top(test: Callable[[Any], object]) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    """A rule about the whole schema."""

    def broken_by(tool: Mapping[str, Any]) -> Iterator[str]:
        if test(tool["parameters"]):
            yield "the top"

    return broken_by


def text(key: str, test: Callable[[str], object]) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def broken_by(tool: Mapping[str, Any]) -> Iterator[str]:
        if test(tool[key]):
            yield key

    return broken_by


def _required(node: Node) -> list[str]:
    found = node.get("required", [])
    return found if isinstance(found, list) else []


RULES = (
    Rule(
        OPENAI,
        "names of other characters, or longer than 64",
        "nanbingxyz/5ire#403",
        text("name", lambda name: not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)),
    ),
    Rule(
        OPENAI,
        "descriptions of more than 1,024 characters",
        "getsentry/sentry-mcp#106, modelcontextprotocol/servers#799, probelabs/probe#9",
        text("description", lambda description: len(description) > 1024),
    ),
    Rule(
        OPENAI,
        "a schema that is no object",
        "chatanywhere/GPT_API_free#403",
        top(lambda schema: not isinstance(schema, Mapping) or schema.get("type") != "object"),
    ),
    Rule(
        OPENAI,
        "an object schema without properties",
        "openai/openai-agents-python#449, mark3labs/mcphost#88, github/github-mcp-server#1548",
        top(lambda schema: not isinstance(schema.get("properties"), Mapping)),
    ),
    Rule(
        OPENAI,
        "oneOf, anyOf, allOf, enum, const or not at the top",
        "langchain-ai/langchainjs#9804, goruck/home-generative-agent#545",
        top(lambda schema: {"oneOf", "anyOf", "allOf", "enum", "const", "not"} & set(schema)),
    ),
    Rule(
        OPENAI,
        "an array without items",
        "spacelift-io/spacectl#402, apify/apify-mcp-server#36, digitalocean-labs/mcp-digitalocean#265",
        each(lambda node: "array" in _kinds(node) and not isinstance(node.get("items"), Mapping)),
    ),
    Rule(
        OPENAI,
        "allOf anywhere",
        "makenotion/notion-mcp-server#102",
        each(lambda node: "allOf" in node),
    ),
    Rule(
        ANTHROPIC,
        "oneOf, allOf or anyOf at the top",
        "anthropics/claude-code#44788, nspady/google-calendar-mcp#39",
        top(lambda schema: {"oneOf", "anyOf", "allOf"} & set(schema)),
    ),
    Rule(
        ANTHROPIC,
        "names of arguments other than [a-zA-Z0-9_.-]{1,64}",
        "anthropics/claude-code#79418, ComposioHQ/composio#3500, beautyfree/appstore-connect-mcp#2",
        each(
            lambda node: (
                not all(re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", n) for n in (node.get("properties") or ()))
            )
        ),
    ),
    Rule(
        ANTHROPIC,
        "$ref anywhere in the schema of a custom tool",
        "Anthropic's page on self-hosted sandboxes, quoted in diegosouzapw/OmniRoute#13552",
        each(lambda node: "$ref" in node),
    ),
    Rule(
        ANTHROPIC,
        "what is no JSON Schema of 2020-12: unknown types, items that are a list, bounds that are booleans",
        "anthropics/claude-code#63673, anthropics/anthropic-sdk-java#241",
        each(
            lambda node: (
                not set(_kinds(node)) <= set(_TYPES)
                or isinstance(node.get("items"), list)
                or isinstance(node.get("exclusiveMinimum"), bool)
                or not isinstance(node.get("required", []), list)
                or len(set(_required(node))) < len(_required(node))
            )
        ),
    ),
    Rule(
        GEMINI,
        "names that begin with neither a letter nor _",
        "google-gemini/gemini-cli#2966, wonderwhy-er/DesktopCommanderMCP#79",
        text("name", lambda name: not re.match(r"[a-zA-Z_]", name)),
    ),
    Rule(
        GEMINI,
        "fields that its Schema lacks: const, oneOf, allOf, $ref, exclusiveMinimum, additionalProperties …",
        "pizza-bot-app/pizza-bot#62, zed-industries/zed#44875, nanbingxyz/5ire#42, zendev-sh/goai#108",
        each(lambda node: set(node) - GEMINI_FIELDS),
    ),
    Rule(
        GEMINI,
        "a type that is a list",
        "taylorwilsdon/google_workspace_mcp#1099, WordPress/ai-provider-for-google#33",
        each(lambda node: isinstance(node.get("type"), list)),
    ),
    Rule(
        GEMINI,
        "neither a type nor anyOf",
        "zereight/gitlab-mcp#166",
        each(lambda node: "type" not in node and "anyOf" not in node),
    ),
    Rule(
        GEMINI,
        "an enum of other things than texts, or of a type that is not string",
        "microsoft/azure-devops-mcp#139, weave-os/router#65, decolua/9router#380",
        each(lambda node: "enum" in node and not _is_enum_of_texts(node)),
    ),
    Rule(
        GEMINI,
        "formats of texts but enum and date-time",
        "hideya/langchain-mcp-tools-ts#36, labring/aiproxy#312",
        each(
            lambda node: (
                node.get("type") == "string" and node.get("format", "enum") not in ("enum", "date-time")
            )
        ),
    ),
    Rule(
        GEMINI,
        "an array whose items are missing or say nothing",
        "cline/cline#7339",
        each(lambda node: node.get("type") == "array" and not node.get("items")),
    ),
    Rule(
        GEMINI,
        "required arguments that are not described",
        "probelabs/probe#569, iBUHub/AIStudioToAPI#154",
        each(lambda node: not set(_required(node)) <= set(node.get("properties") or ())),
    ),
)


def _kinds(node: Node) -> list[str]:
    kinds = node.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _is_enum_of_texts(node: Node) -> bool:
    return (
        node.get("type") == "string"
        and bool(node["enum"])
        and all(isinstance(one, str) and one for one in node["enum"])
    )


def complaints(tool: Mapping[str, Any], *providers: str) -> list[str]:
    """What is refused about a tool, by these providers or by all."""
    return [
        f"{rule.provider} refuses {rule.what}: {place} ({rule.source})"
        for rule in RULES
        if not providers or rule.provider in providers
        for place in rule.broken_by(tool)
    ]
