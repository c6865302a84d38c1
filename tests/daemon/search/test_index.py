"""The ranking of tools: words, their forms, synonyms, spelling, other languages; and how long it takes."""

from __future__ import annotations

import json

import pytest

from llm_tools_mcp.daemon.search.index import Entry, Index
from llm_tools_mcp.daemon.search.spelling import Speller
from llm_tools_mcp.daemon.search.words import stem, words_of_name


def tool(server: str, name: str, description: str, **arguments: object) -> Entry:
    properties = {
        key: {"description": value} if isinstance(value, str) else value for key, value in arguments.items()
    }
    return Entry(server, name, "", description, json.dumps({"type": "object", "properties": properties}))


TOOLS = [
    tool("web", "browser_take_screenshot", "Capture the page as an image.", path="Where to save it"),
    tool("web", "browser_click", "Click an element of the page."),
    tool("web", "browser_navigate", "Go to a url."),
    tool("hub", "createPullRequest", "Propose the changes of a branch.", title="Of the request"),
    tool("hub", "create_branch", "Start a branch from a commit."),
    tool("hub", "list_issues", "All issues of a repository, filtered by their state."),
    tool("post", "send_message", "Deliver an e-mail. Attachments are files by their path.", to="Address"),
    tool("post", "search_messages", "Find e-mails by sender, date or words."),
    tool("disk", "delete_file", "Remove a file for good."),
    tool("disk", "move_file", "Give a file another place or name."),
    tool("home", "set_light", "Change a lamp.", brightness="Percent", effect={"enum": ["rainbow"]}),
    tool("home", "get_temperature", "Of a room, in degrees."),
    tool("sheets", "append_rows", "Put data behind the last row of a table."),
    tool("sheets", "delete_columns", "Take columns out of a worksheet."),
    tool("k8s", "pods_list", "The pods of a namespace."),
    tool("slack", "conversations_history", "What was said in a channel."),
]  # fmt: skip
INDEX = Index(TOOLS)


def best(query: str, *servers: str, count: int = 1) -> list[str]:
    return [found.tool for found in INDEX.search(query, count, servers)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("take a screenshot", "browser_take_screenshot"),
        ("pictures of web pages", "browser_take_screenshot"),
        ("open a PR", "createPullRequest"),
        ("create a pull request", "createPullRequest"),
        ("new branch", "create_branch"),
        ("show me the bugs", "list_issues"),
        ("mail a file to Bob", "send_message"),
        ("find an email from Alice", "search_messages"),
        ("rm file", "delete_file"),
        ("rename a file", "move_file"),
        ("dim the bulb", "set_light"),
        ("rainbow effect", "set_light"),
        ("add a line to the spreadsheet", "append_rows"),
        ("del cols in xlsx", "delete_columns"),
        ("kubernetes containers", "pods_list"),
        ("scrensot", "browser_take_screenshot"),
        ("tempratur", "get_temperature"),
        ("snd msg", "send_message"),
        ("eine Datei löschen", "delete_file"),
        ("créer une branche", "create_branch"),
        ("enviar un correo", "send_message"),
        ("slack", "conversations_history"),
    ],
)
def test_question_finds_its_tool(query: str, expected: str) -> None:
    """As people and models ask: other words, other forms, mistypings, shortenings, other languages."""
    assert best(query) == [expected]


def test_servers_narrow() -> None:
    """Only tools of the servers that are named."""
    assert best("delete", count=5)[:2] == ["delete_file", "delete_columns"]
    assert best("delete", "sheets") == ["delete_columns"]
    assert best("delete", "nowhere") == []


@pytest.mark.parametrize("query", ["", "the of a", "!?", "xyzzy qqqq", "検索", "\x00\ud800", "a" * 100_000])
def test_question_that_says_nothing(query: str) -> None:
    """Nothing is found where nothing fits, however odd the question."""
    assert best(query) == []
    assert Index([]).search(query, 5) == []


def test_odd_tools_do_no_harm() -> None:
    """Schemas that are none, empty names, and what refers to itself are indexed as far as they go."""
    odd = [
        Entry("s", "", "", "", "[1"),
        Entry("s", "x", "", "y", '{"properties": {"a": null, "b": {"enum": [1]}}}'),
    ]
    assert [found.tool for found in Index(odd).search("x", 5)] == ["x"]


def test_words_of_names() -> None:
    """An identifier is its parts, however it is written."""
    assert words_of_name("getHTTPServer2_list-all") == ["get", "http", "server", "2", "list", "all"]


@pytest.mark.parametrize(
    "forms",
    [
        ("create", "creates", "creating", "created", "creation"),
        ("query", "queries"),
        ("copy", "copies", "copied"),
    ],
)
def test_forms_share_a_stem(forms: tuple[str, ...]) -> None:
    """The forms of a word are one word."""
    assert len({stem(form) for form in forms}) == 1


def test_spelling_prefers_the_nearest() -> None:
    """What was begun, mistyped or shortened; and nothing where nothing is near."""
    speller = Speller(["screenshot", "message", "metric", "command"])
    assert speller.corrections("scre")[0] == "screenshot"
    assert speller.corrections("mesage")[0] == "message"
    assert speller.corrections("cmd") == ["command"]
    assert speller.corrections("zzz") == []
    assert Speller(["project", "protect", "projector"]).corrections("projekt") == ["project"]


def test_schema_of_any_depth_is_taken() -> None:
    """Its tool is found by its name."""
    depth = 100_000
    deep = '{"properties":{"a":' * depth + "{}" + "}}" * depth
    index = Index([*TOOLS, Entry("s", "unfathomable", "", "", deep)])
    assert index.search("unfathomable", 1)[0].tool == "unfathomable"
