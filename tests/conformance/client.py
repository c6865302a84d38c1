"""Plays one scenario of the official suite through our real commands and a daemon of its own.

The suite starts it with the server's url as the last argument, and says in the environment which scenario
it is, in which version of the protocol, and what the scenario hands out (client ids, tool calls).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
SERVER = "it"
# The suite's own id of a client that describes itself at this url.
CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json"
# How often a person would log in again because a tool wants more rights.
MOST_LOGINS = 2
LAST_HANDSHAKE = "2025-11-25"


class Player:
    def __init__(self, folder: Path, url: str, scenario: str, version: str, context: dict[str, Any]) -> None:
        self.scenario, self.context = scenario, context
        self.env = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "LLM_MCP_SOCKET": str(folder / "s"),
            "LLM_TOOLS_MCP_CONFIG_DIR": str(folder),
            "BROWSER": f"{sys.executable} {HERE / 'browser.py'} %s",
        }
        entry = {"url": url, **_oauth(scenario, context)}
        if version <= LAST_HANDSHAKE:
            entry["protocol"] = "legacy"
        (folder / "mcp.json").write_text(json.dumps({"mcpServers": {SERVER: entry}}))

    def play(self) -> bool:
        """Whether all went well, as a person would see it."""
        if self.scenario == "json-schema-ref-no-deref":  # its tools are for show
            return self.run("tools", SERVER, "--refresh").returncode == 0
        if self.scenario.startswith("auth/") and not self.log_in():
            return False
        return self.use()

    def log_in(self) -> bool:
        """Whether it was done; the server may want another one at once."""
        result = self.run("login", SERVER)
        return result.returncode == 0 or "llm mcp login" in result.stderr

    def use(self) -> bool:
        """List the tools and call them, and log in again where the answer says so."""
        for _ in range(MOST_LOGINS):
            listed = self.run("tools", SERVER, "--refresh", "--json")
            if listed.returncode == 0 and (called := self.call_all(json.loads(listed.stdout)["tools"])).ok:
                return True
            words = listed.stderr if listed.returncode else called.stderr
            if "llm mcp login" not in words and "needs" not in listed.stdout:
                return False
            if not self.log_in():
                return False
        return self.call_all(json.loads(self.run("tools", SERVER, "--json").stdout)["tools"]).ok

    def call_all(self, tools: list[dict[str, Any]]) -> Called:
        """The calls that the scenario asks for, else each tool once."""
        wanted = self.context.get("toolCalls")
        if wanted is None:
            schema = tools[0]["input_schema"] if tools else {}
            wanted = [
                {"name": tool["tool"], "arguments": _some(tool["input_schema"], schema)} for tool in tools
            ]
        outcome = Called(ok=True, stderr="")
        for call in wanted:
            arguments = json.dumps(call.get("arguments", {}))
            result = self.run("call", SERVER, call["name"], "--json-args", arguments, "--accept-defaults")
            outcome = Called(outcome.ok and result.returncode == 0, outcome.stderr + result.stderr)
        return outcome

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [str(BIN / "llm-mcp"), *words],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        print(
            f"$ llm-mcp {' '.join(words)}  → {result.returncode}\n{result.stdout}{result.stderr}", flush=True
        )
        return result


class Called:
    def __init__(self, ok: bool, stderr: str) -> None:  # noqa: FBT001 - two fields
        self.ok, self.stderr = ok, stderr


def _oauth(scenario: str, context: dict[str, Any]) -> dict[str, Any]:
    """What a person would have put into the entry."""
    if scenario == "auth/basic-cimd":
        return {"oauth": {"clientMetadataUrl": CLIENT_DOCUMENT}}
    names = {
        "client_id": "clientId",
        "client_secret": "clientSecret",
        "issuer": "issuer",
        "private_key_pem": "privateKey",
        "signing_algorithm": "algorithm",
        "idp_issuer": "idpIssuer",
        "idp_client_id": "idpClientId",
        "idp_id_token": "idToken",
    }
    oauth = {ours: context[theirs] for theirs, ours in names.items() if theirs in context}
    if scenario.startswith("auth/client-credentials"):
        oauth["grantType"] = "client_credentials"
    return {"oauth": oauth} if oauth else {}


def _some(schema: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    """Arguments that fit, as a person would type them; `schema` asks for that of the first tool."""
    values = {"number": 2, "integer": 2, "boolean": True, "array": [], "object": {}}
    properties = schema.get("properties") or {}
    some = {name: values.get(each.get("type", ""), "text") for name, each in properties.items()}
    return some | ({"schema": first} if "schema" in some else {})


def main() -> int:
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    version = os.environ.get("MCP_CONFORMANCE_PROTOCOL_VERSION", LAST_HANDSHAKE)
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    with tempfile.TemporaryDirectory(prefix="llm-mcp-", dir="/tmp") as folder:
        player = Player(Path(folder), sys.argv[-1], scenario, version, context)
        try:
            return 0 if player.play() else 1
        finally:
            player.run("stop")


if __name__ == "__main__":
    sys.exit(main())
