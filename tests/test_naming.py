"""The names that a model sees: unique, stable, and such that every provider takes them."""

from __future__ import annotations

import random
import re
import time

import pytest

from llm_tools_mcp.naming import exposed_names, matches

ACCEPTED = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,63}")


def names(servers: dict[str, list[str]], prefix: str = "") -> list[str]:
    found = exposed_names(servers, prefix)
    assert len(set(found.values())) == len(found), "two tools of one name"
    assert all(ACCEPTED.fullmatch(name) for name in found.values()), found
    return list(found.values())


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ({}, []),
        ({"a": []}, []),
        ({"b": ["z", "y"], "a": ["x"]}, ["z", "y", "x"]),
        ({"a": ["get", "put"], "b": ["get"]}, ["a_get", "put", "b_get"]),
        ({"a": ["get"], "b": ["get"], "c": ["get"]}, ["a_get", "b_get", "c_get"]),
        ({"my server": ["get"], "b": ["get"]}, ["my_server_get", "b_get"]),
        ({"a": ["x.y/z q"]}, ["x_y_z_q"]),
        ({"a": ["get", "get", "put"]}, ["get", "put"]),
        ({"a": ["get", "get"], "b": ["put"]}, ["get", "put"]),
        ({"a": [""]}, ["tool"]),
        ({"a": [""], "b": [""]}, ["a_tool", "b_tool"]),
        ({"a": ["_", "-"]}, ["_", "tool_3973e022"]),
        ({"a": ["3d-print", "-x"], "b": ["_3d-print"]}, ["_3d-print_da116a61", "_-x", "_3d-print"]),
        ({"a": ["n" * 64]}, ["n" * 64]),
        ({"a": ["Get", "get"]}, ["Get", "get"]),
        (
            {"x": ["files_go"], "files": ["go"], "other": ["go"]},
            ["files_go_da9cfbc1", "files_go", "other_go"],
        ),
        (
            {"x": ["my_files_go"], "my files": ["go"], "other": ["go"]},
            ["my_files_go_0abd23e2", "my_files_go", "other_go"],
        ),
        ({"files": ["files_go", "go"], "b": ["go"]}, ["files_go", "files_go_96a0ea36", "b_go"]),
    ],
)
def test_names(servers, expected):
    """Own names, in order; shared ones with their server; odd characters replaced."""
    assert names(servers) == expected


def test_name_of_the_form_server_tool_belongs_to_the_server():
    """Another one that offers a tool of that name gets the hash."""
    found = exposed_names({"x": ["files_go"], "files": ["go"], "other": ["go"]})
    assert found["files", "go"] == "files_go"
    assert re.fullmatch(r"files_go_[0-9a-f]{8}", found["x", "files_go"])


def test_long_name_is_cut_with_a_hash():
    """It stays unique, and the same in every run."""
    first, second = names({"a": ["n" * 70 + "1", "n" * 70 + "2"]})
    assert len(first) == len(second) == 64
    assert first.startswith("n" * 50)
    assert first == names({"other": ["n" * 70 + "1"]})[0] == "n" * 55 + "_" + first[-8:]


def test_name_without_a_letter_says_tool():
    """A name in another script is not just underscores."""
    (name,) = names({"a": ["検索"]})
    assert re.fullmatch(r"tool_[0-9a-f]{8}", name)


@pytest.mark.parametrize(
    ("servers", "plain"),
    [
        ({"a": ["get user", "get_user"]}, ("a", "get_user")),
        ({"a": ["get user"], "b": ["get_user"]}, ("b", "get_user")),
        ({"a": ["get", "a_get"], "b": ["get"]}, ("a", "a_get")),
        ({"a": ["", "tool"]}, ("a", "tool")),
    ],
)
def test_exact_name_wins_a_tie(servers, plain):
    """A tool that is called exactly so keeps its name, the other one gets a hash."""
    names(servers)
    found = exposed_names(servers)
    others = [name for key, name in found.items() if key != plain and name.startswith(plain[1])]
    assert found[plain] == plain[1]
    assert len(others) == 1
    assert re.fullmatch(re.escape(plain[1]) + "_[0-9a-f]{8}", others[0])


def test_tie_without_an_exact_name():
    """Nobody is preferred: all get a hash."""
    assert all(re.fullmatch(r"x_y_[0-9a-f]{8}", name) for name in names({"a": ["x y", "x.y"], "b": ["x/y"]}))
    combined = {"a": ["b_c", "c"], "a_b": ["c"], "z": ["b_c"]}
    assert [name.startswith("a_b_c_") for name in names(combined)] == [True, False, True, False]


def test_names_do_not_depend_on_the_order():
    """Moving a server or a tool renames nothing."""
    servers = {
        "a": ["x y", "x.y", "get", "n" * 80],
        "b": ["x/y", "get", "検索", "a_get"],
        "a_b": ["", "c"],
        "c": ["b", "c"],
    }
    expected = exposed_names(servers)
    shuffler = random.Random(1)
    for _ in range(50):
        order = shuffler.sample(list(servers), len(servers))
        shuffled = {name: shuffler.sample(servers[name], len(servers[name])) for name in order}
        assert exposed_names(shuffled) == expected


def test_name_that_imitates_a_hash():
    """A server cannot take the name of another's tool by guessing its hash."""
    servers = {"a": ["x y", "x.y"]}
    guessed = names(servers)
    found = exposed_names({**servers, "evil": guessed})
    assert len(set(found.values())) == 4
    assert [found["evil", name] for name in guessed] == guessed


@pytest.mark.parametrize(
    ("prefix", "front"),
    [("fs_", "fs_"), ("my files/", "my_files_"), ("é", "_"), ("p" * 30, "p" * 30), ("p" * 100, "p" * 40)],
)
def test_prefix(prefix, front):
    """It stands before every name, and the whole fits."""
    servers = {"a": ["get", "x y", "x.y", "n" * 64, "", "検索"], "b": ["get"]}
    found = names(servers, prefix)
    assert found[0] == front + "a_get"
    assert all(name.startswith(front) and len(name) > len(front) for name in found)


def test_ten_thousand_tools():
    """Linear: shared, odd and tied names alike."""
    servers = {
        "shared": [f"t{n}" for n in range(2500)],
        "again": [f"t{n}" for n in range(2500)],
        "odd": [f"a b{n}" for n in range(2500)],
        "tied": [f"a.b{n}" for n in range(2500)],
    }
    began = time.thread_time()
    assert len(names(servers)) == 10_000
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("globs", "given", "expected"),
    [
        (None, ("a",), True),
        ("", ("a",), True),
        (" , ", ("a",), True),
        ("read_*,list_*", ("list_x",), True),
        (" read_* , list_* ", ("read_x",), True),
        ("read_*", ("write",), False),
        ("READ_*", ("read_x",), False),
        ("get", ("a_get", "get"), True),
        ("a_get", ("a_get", "get"), True),
        ("g?t,[xy]*", ("y1",), True),
        ("a", (), False),
    ],
)
def test_matches(globs, given, expected):
    """Comma separated globs that mind the case; none at all lets everything through."""
    assert matches(globs, *given) is expected
