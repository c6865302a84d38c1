"""`llm mcp resources` and `read`: what servers have to read, on the screen and in files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import click
import pytest

from llm_tools_mcp.cli import completers, known_lists
from llm_tools_mcp.cli.resources.resources import read_command
from tests.cli.help.test_completion import completed
from tests.home import BIN, Home, living_in
from tests.servers import entry, library_server
from tests.servers.library import PNG
from tests.waiting import SOON

TEMPLATE = "weather://{city}/{+day}{?units}"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One home for the tests here, with a server that has everything to read, and one that is broken."""
    home = Home(tmp_path_factory.mktemp("reader") / "home")
    home.write_config({"library": entry(library_server()), "broken": {"command": "/nowhere"}})
    yield home
    home.close()


def test_listing(reader: Home) -> None:
    """All pages, templates last; with sizes and types; a server that is broken costs itself only."""
    shown = reader.run_here("resources")
    lines = shown.stdout.splitlines()
    assert lines[:2] == ["library", "  book://shelf/0  (6 bytes) what book://shelf/0 has"]
    assert "  book://huge  (3.0 MB) what book://huge has" in lines
    assert "  book://png  (image/png) what book://png has" in lines
    assert lines[-1] == "  weather://{city}/{+day}{?units}  weather"
    assert "Warning: broken: " in shown.stderr
    found = json.loads(reader.run_here("resources", "library", "--json").stdout)
    assert (len(found["resources"]), found["failed"]) == (261, [])
    assert found["resources"][-1]["is_template"]


def test_reading(reader: Home) -> None:
    """Text on stdout, bytes too where it is no terminal; templates by their arguments; files."""

    def read(*words: str) -> str:
        return reader.run_here("read", "library", *words).stdout

    assert read("book://a folder/ä ö/ünï") == "with spaces and Unicode\n"
    assert read(TEMPLATE, "city=B ern", "day=1") == "sunny at weather://B%20ern/1\n"
    assert len(read("book://huge")) == 3_000_001
    piped = [BIN / "llm-mcp", "read", "library", "book://png"]
    assert subprocess.run(piped, env=reader.env, capture_output=True, check=True).stdout == PNG
    both = reader.run_here("read", "library", "book://both", "--output", str(reader.work) + "/")
    assert both.stdout == "the text\n"
    assert (reader.work / "both-1.png").read_bytes() == PNG
    assert json.loads(read("book://shelf/1", "--json")) == [{"type": "text", "text": "book 1"}]


def test_what_cannot_be_read(reader: Home) -> None:
    """Each says what is wrong and what to do."""
    for words, complaint in [
        (["library", "book://nope"], "there is no 'book://nope'"),
        (["library", "book://none"], "has nothing in 'book://none'"),
        (["library", TEMPLATE], "needs a value for 'city'"),
        (["library", "book://shelf/1", "x"], "'x' is not of the form KEY=VALUE"),
        (["libary", "x"], "did you mean 'library'?"),
        (["broken", "x"], "'/nowhere' was not found"),
    ]:
        result = reader.run_here("read", *words, check=False)
        assert result.code != 0
        assert complaint in result.stderr
        assert "Traceback" not in result.stderr


def test_completion(reader: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """URIs from what is known, also where no daemon runs; values by the server, where it is connected."""
    reader.run_here("resources", "library")
    assert completed(reader, "read", "library", "book://shelf/24") == [
        f"book://shelf/{number}" for number in (24, *range(240, 250))
    ]
    assert completed(reader, "read", "library", f"'{TEMPLATE}'", "c") == ["city="]
    monkeypatch.setattr(known_lists, "PATIENCE", SOON)  # a busy machine has no answer in 0.3 s
    assert values(reader, "city=ber") == ["city=Berlin", "city=Bern"]
    reader.run_here("stop")
    assert completed(reader, "read", "library", "weather") == [TEMPLATE]
    assert completed(reader, "read", "library", "weather", cwd=reader.folder) == [TEMPLATE]
    assert values(reader, "city=ber") == []
    assert reader.processes() == []


def values(home: Home, incomplete: str) -> list[str]:
    context = click.Context(read_command)
    context.params = {"server": "library", "uri": TEMPLATE, "arguments": ()}
    with living_in(home):
        found = completers.template_arguments(context, read_command.params[2], incomplete)
    return [item.value for item in found]
