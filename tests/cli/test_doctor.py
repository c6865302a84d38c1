"""doctor: what is wrong, and what to type about it."""

from __future__ import annotations

import json

from tests.home import Home
from tests.servers import entry, everything_server


def findings(home: Home, *words: str, code: int) -> dict[str, list[str]]:
    """Texts by level."""
    done = home.run_cli("doctor", "--json", *words, check=False)
    assert done.code == code, done
    found: dict[str, list[str]] = {"ok": [], "note": [], "bad": []}
    for finding in json.loads(done.stdout):
        found[finding["level"]].append(finding["text"])
    return found


def test_all_is_well(home: Home) -> None:
    """Exit code 0: versions, daemon, config, and each server with the number of its tools."""
    home.write_config({"every": entry(everything_server())}).chmod(0o600)
    found = findings(home, code=0)
    assert any(text.startswith("every: connected, ") for text in found["ok"])
    assert any("llm-tools-mcp 1" in text for text in found["ok"])
    assert found["bad"] == []
    assert any("the daemon answers" in text for text in findings(home, "--no-connect", code=0)["ok"])


def test_faults_are_named_with_what_to_type(home: Home) -> None:
    """A missing command, an unset variable, a misspelt key, a file that others may write: exit code 1."""
    home.write_config(
        {
            "gone": {"command": "uvx-that-is-not-there"},
            "unset": {"command": "sh", "env": {"A": "${NOT_SET_ANYWHERE}"}},
            "key": {**entry(everything_server()), "includeTool": ["x"]},
        }
    ).chmod(0o660)
    found = findings(home, code=1)
    assert any(
        "'gone': its command 'uvx-that-is-not-there' is not on the PATH" in text for text in found["bad"]
    )
    assert any("NOT_SET_ANYWHERE" in text for text in found["bad"])
    assert any(
        "'includeTool' means nothing here; did you mean 'includeTools'?" in text for text in found["note"]
    )
    assert any("can be written by its group" in text for text in found["note"])
    shown = home.run_cli("doctor", "--no-connect", check=False).stdout
    assert f"→ chmod g-w {home.config}" in shown


def test_broken_config(home: Home) -> None:
    """One finding, with the place."""
    home.config.write_text("{")
    assert any("not valid JSON" in text for text in findings(home, code=1)["bad"])


def test_no_config(home: Home) -> None:
    """Nothing is wrong yet: how to begin."""
    found = findings(home, code=0)
    assert any("there is no config" in text for text in found["note"])


def test_another_plugin_with_the_same_toolbox(home: Home) -> None:
    """The toolbox of one would be renamed by llm."""
    rival = home.folder / "site" / "llm_mcp_client-0.1.dist-info"
    rival.mkdir(parents=True)
    (rival / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-mcp-client\nVersion: 0.1\n")
    (rival / "entry_points.txt").write_text("[llm]\nmcp_client = llm_mcp_client\n")
    env = {"PYTHONPATH": f"{home.folder / 'site'}:{home.env.get('PYTHONPATH', '')}"}
    done = home.run_cli("doctor", env=env, check=False)
    assert done.code == 1
    assert "llm-mcp-client also has a toolbox called MCP" in done.stdout
    assert "llm uninstall llm-mcp-client" in done.stdout


def test_doctor_shows_no_secret(home: Home) -> None:
    """Neither of the config nor of the environment."""
    home.write_config(
        {
            "web": {
                "url": "http://u:s3cr3t@127.0.0.1:9/mcp?k=s3cr3t",
                "headers": {"X": "s3cr3t"},
                "s3cr3tKey": "s3cr3t",
            }
        }
    )
    shown = home.run_cli("doctor", check=False)
    assert "s3cr3t" not in str(shown).replace("s3cr3tKey", "")
