"""What of a server may stand on a screen."""

from __future__ import annotations

from llm_tools_mcp.cli.secrets import shown_command, shown_entry

SECRET = "hunter2-hunter2"


def test_what_stands_in_the_wrong_place_is_hidden() -> None:
    """Arguments within the command, a header as a key, a url as the command: their secrets stay hidden."""
    entry = {"command": f"python3 --token={SECRET}", f"Authorization: Bearer {SECRET}": "x"}
    assert SECRET not in str(shown_entry(entry))
    assert SECRET not in shown_command({"command": f"https://u:{SECRET}@h/mcp?k={SECRET}"})


def test_paths_are_shown_as_they_are() -> None:
    """Also with spaces in them."""
    assert shown_command({"command": "/opt/My App/run", "args": ["-v"]}) == "/opt/My App/run -v"
