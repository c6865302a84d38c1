"""server.json of strangers → entries of mcp.json."""

from __future__ import annotations

from typing import Any

import pytest

from llm_tools_mcp.published.server_json import offers_of

SPOON = {"type": "stdio"}


def package(kind: str, identifier: str, version: str = "1.2.3", **keys: Any) -> dict[str, Any]:
    return {"registryType": kind, "identifier": identifier, "version": version, "transport": SPOON, **keys}


def entry(document: dict[str, Any], **answers: str | tuple[str, ...]) -> dict[str, Any]:
    """What the only offer becomes; defaults count."""
    (offer,), refused = offers_of(document)
    assert refused == []
    values = {one.key: one.default_answers for one in offer.inputs if one.default_answers}
    given = {key: (one,) if isinstance(one, str) else one for key, one in answers.items()}
    return offer.entry({**values, **given})


def words(made: dict[str, Any]) -> str:
    return " ".join([made["command"], *made["args"]])


@pytest.mark.parametrize(
    ("declared", "answers", "line"),
    [
        (package("npm", "@a/b"), {}, "npx -y @a/b@1.2.3"),
        (package("npm", "b", runtimeHint="bunx"), {}, "bunx b@1.2.3"),
        (package("npm", "b", runtimeHint="sh"), {}, "npx -y b@1.2.3"),
        (
            package("npm", "b", runtimeArguments=[{"type": "positional", "value": "b@1.2.3"}]),
            {},
            "npx -y b@1.2.3",
        ),
        (package("npm", "b", registryBaseUrl="https://registry.npmjs.example"), {}, "npx -y b@1.2.3"),
        (
            package("npm", "b", registryBaseUrl="https://npm.corp.example"),
            {},
            "npx --registry=https://npm.corp.example -y b@1.2.3",
        ),
        (package("pypi", "mcp-b", runtimeHint="python"), {}, "uvx mcp-b==1.2.3"),
        (
            package(
                "pypi",
                "b",
                runtimeArguments=[
                    {"type": "named", "name": "--from", "value": "b"},
                    {"type": "positional", "value": "b-mcp"},
                ],
            ),
            {},
            "uvx --from b==1.2.3 b-mcp",
        ),
        (package("oci", "ghcr.io/a/b:v9", ""), {}, "docker run -i --rm ghcr.io/a/b:v9"),
        (
            package("oci", "a/b", registryBaseUrl="https://ghcr.io"),
            {},
            "docker run -i --rm ghcr.io/a/b:1.2.3",
        ),
        (
            package(
                "oci",
                "a/b",
                "1",
                runtimeHint="podman",
                runtimeArguments=[
                    {"type": "positional", "value": "run"},
                    {"type": "named", "name": "--rm"},
                    {
                        "type": "named",
                        "name": "--mount",
                        "value": "src={from},dst={to}",
                        "isRepeated": True,
                        "variables": {"from": {"format": "filepath"}, "to": {"default": "/p"}},
                    },
                ],
                environmentVariables=[{"name": "LEVEL", "default": "info"}, {"name": "UNSET"}],
            ),
            {"from": ("/x", "/y")},
            "podman run -i --rm --mount src=/x,dst=/p --mount src=/y,dst=/p -e LEVEL a/b:1",
        ),
        (
            package("nuget", "A.B", packageArguments=[{"type": "positional", "value": "mcp"}]),
            {},
            "dnx A.B@1.2.3 --yes -- mcp",
        ),
        (
            package(
                "npm",
                "b",
                packageArguments=[
                    {"type": "positional", "valueHint": "target", "isRequired": True, "isRepeated": True},
                    {"type": "named", "name": "--port", "default": "8080", "format": "number"},
                    {"type": "named", "name": "--stdio"},
                    {"type": "named", "name": "--quiet", "description": "?", "format": "boolean"},
                    {"type": "named", "name": "--loud", "description": "?", "format": "boolean"},
                    {"type": "named", "name": "--left-out", "description": "?"},
                ],
            ),
            {"target": ("a b", "c"), "quiet": "true", "loud": "false"},
            "npx -y b@1.2.3 a b c --port 8080 --stdio --quiet",
        ),
    ],
)
def test_packages_become_commands(declared: dict[str, Any], answers: dict[str, Any], line: str) -> None:
    """By the runner of their registry, pinned, with the arguments that are fixed, answered or by default."""
    assert words(entry({"packages": [declared]}, **answers)) == line


def test_secrets_of_containers_stand_in_no_command_line() -> None:
    """A variable that is set by an option of docker is passed on by its name, as GitHub's server has it."""
    token = {
        "type": "named",
        "name": "-e",
        "value": "TOKEN={token}",
        "isRequired": True,
        "variables": {"token": {"isRequired": True, "isSecret": True}},
    }
    image = package("oci", "ghcr.io/a/b:1", "", runtimeArguments=[token])
    made = entry({"packages": [image]}, token="${llm:b_token}")
    assert words(made) == "docker run -i --rm -e TOKEN ghcr.io/a/b:1"
    assert made["env"] == {"TOKEN": "${llm:b_token}"}


@pytest.mark.parametrize(
    ("declared", "complaint"),
    [
        (package("npm", "--eval=x"), "no name of a package"),
        (package("npm", "b; rm"), "no name of a package"),
        (package("npm", "b", "latest"), "pinned"),
        (package("npm", "b", "^1.0"), "pinned"),
        (package("npm", "b", ""), "pinned"),
        (package("pypi", "b", "1.*"), "pinned"),
        (package("oci", "a/b", ""), "pinned"),
        (package("cargo", "b"), "'cargo' cannot be run here"),
        (package("npm", "b", transport={"type": "sse", "url": "http://localhost:1"}), "speaks 'sse'"),
        (package("mcpb", "https://h/x.mcpb"), "SHA-256 is not published"),
        (package("npm", "b", registryBaseUrl="http://npm.example"), "https"),
        (package("npm", "b", environmentVariables=[{"name": "A=B\n"}]), "has the name"),
        (package("npm", "b", packageArguments=[{"type": "named", "name": "-x y"}]), "has the name"),
    ],
)
def test_what_cannot_be_run_safely_is_refused(declared: dict[str, Any], complaint: str) -> None:
    """With the reason."""
    offers, (reason,) = offers_of({"packages": [declared]})
    assert offers == []
    assert complaint in reason


def test_remotes_become_urls() -> None:
    """With variables in the url, and headers that are fixed, asked for, or left out."""
    remote = {
        "type": "streamable-http",
        "url": "https://{tenant}.h.example/{region}/mcp",
        "variables": {"tenant": {"isRequired": True}, "region": {"default": "eu", "choices": ["eu", "us"]}},
        "headers": [
            {"name": "Authorization", "value": "Bearer {token}", "variables": {"token": {"isSecret": True}}},
            {"name": "X-None", "description": "?"},
            {"name": "X-Fixed", "value": "{unknown}"},
        ],
    }
    (offer,), _ = offers_of({"remotes": [remote]})
    assert [(one.key, one.is_required, one.is_secret) for one in offer.inputs] == [
        ("tenant", True, False),
        ("region", False, False),
        ("token", False, True),
        ("X-None", False, False),
    ]
    assert entry({"remotes": [remote]}, tenant="acme", token="t") == {
        "type": "http",
        "url": "https://acme.h.example/eu/mcp",
        "headers": {"Authorization": "Bearer t", "X-Fixed": "{unknown}"},
    }


@pytest.mark.parametrize(
    "declared",
    [
        {"name": "A", "value": "${llm:openai}"},
        {"name": "A", "default": "${file:~/.ssh/id_rsa}"},
        {"name": "A", "value": "${HOME:-${llm:x}}"},
        {"name": "A", "value": "{x}", "variables": {"x": {"default": "${TOKEN}"}}},
    ],
)
def test_publishers_name_no_secrets_of_the_user(declared: dict[str, Any]) -> None:
    """What looks like a placeholder in what is published stays text, whatever it names."""
    value = entry({"packages": [package("npm", "b", environmentVariables=[declared])]})["env"]["A"]
    assert value == "$" + (
        declared.get("value", "{x}") if "default" not in declared else declared["default"]
    ).replace("{x}", "${TOKEN}")


@pytest.mark.parametrize("value", ["${{x}}", "${llm:{x}", "a${", "${env:{x}}", "${${{x}}"])
def test_no_placeholder_is_pieced_together(value: str) -> None:
    """Nor from a part that is fixed and one that is the publisher's default, or an answer."""
    declared = {"name": "A", "value": value, "variables": {"x": {"default": "llm:openai"}}}
    with pytest.raises(Exception, match="cannot be written down"):
        entry({"packages": [package("npm", "b", environmentVariables=[declared])]})


def test_nonsense_is_left_out() -> None:
    """Fields of another type than documented are not there, and nothing raises."""
    odd: dict[str, Any] = {
        "packages": [
            None,
            3,
            {"registryType": 7, "transport": []},
            package("npm", "b", packageArguments={"a": 1}),
        ],
        "remotes": {"type": "sse"},
    }
    offers, refused = offers_of(odd)
    assert [words(one.entry({})) for one in offers] == ["npx -y b@1.2.3"]
    assert len(refused) == 1


def test_source_that_is_no_url_is_refused() -> None:
    """Also one that cannot even be taken apart."""
    offers, (refused,) = offers_of({"packages": [package("npm", "b", registryBaseUrl="https://[x")]})
    assert (offers, "no https:// url" in refused) == ([], True)


def test_default_of_zero_is_a_value() -> None:
    """A named argument that has it is no bare switch."""
    argument = {"type": "named", "name": "--depth", "default": 0}
    made = entry({"packages": [package("npm", "b", packageArguments=[argument])]})
    assert words(made).endswith("--depth 0")
