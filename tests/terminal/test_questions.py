"""Questions on a terminal: what a person sees of them, types, and what the server hears."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.home import BIN, Home
from tests.prompting import calling, output, prompt
from tests.servers import asking_server, entry
from tests.terminal.dialogue import Heard, converse
from tests.waiting import wait_until

# Puts questions to a Person, as a call does.
SCRIPT = """
import json, os, sys
from llm_tools_mcp import v1
from llm_tools_mcp.client.call_questions import Withdrawal
from llm_tools_mcp.terminal.progress import Display
from llm_tools_mcp.terminal.questions import Person
person = Person(Display())
for question in json.loads(sys.argv[1]):
    answer = person.ask(v1.Question(**question), Withdrawal())
    print("ANSWER", v1.AnswerRequest.Action.Name(answer.action), answer.content)
"""
FORM = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {
        "name": {"type": "string", "title": "Your name", "maxLength": 10},
        "age": {"type": "integer", "minimum": 0},
        "colour": {"type": "string", "oneOf": [{"const": "#f00", "title": "Röd"}]},
        "tags": {"type": "array", "items": {"enum": ["a", "b"], "type": "string"}, "default": ["a"]},
        "news": {"type": "boolean"},
        "password": {"type": "string"},
    },
}
FILLED = {"name": "Ada", "age": 37, "colour": "#f00", "tags": ["a"], "news": False}
FILLING = (
    ("Answer it?", "\n"),
    ("name (text", "Ada Lovelace\n"),
    ("needs at most 10", "Ada\n"),
    ("age (whole number", "old\n"),
    ("a whole number", "\n"),
    ("may not be left out", "36\n"),
    ("colour (1 to 1", "1\n"),
    ("tags (", "\n"),
    ("news (yes or no", "n\n"),
    ("password (", "\n"),
    ("Send it?", "e\n"),
    ("Which field?", "age\n"),
    ("Enter: 36", "37\n"),
    ("Send it?", "\n"),
)


def question(message: str = "Who?", **kind: Any) -> dict[str, Any]:
    if "form" in kind:
        kind["form"] = json.dumps(kind["form"])
    return {"server": "srv", "subject": "tool", "message": message, **kind}


def answer(*questions: dict[str, Any], steps: Sequence[tuple[str, str]], **options: Any) -> Heard:
    env = {**os.environ, "TERM": "xterm", "LLM_MCP_ANSWERS": "", **options.pop("env", {})}
    argv = [sys.executable, "-c", SCRIPT, json.dumps(questions)]
    return converse(argv, *steps, env=env, **options)


def answers(heard: Heard) -> list[tuple[str, Any]]:
    text = heard.stdout or heard.screen
    lines = [line.split(" ", 2)[1:] for line in text.splitlines() if line.startswith("ANSWER")]
    return [(action, json.loads(content) if content else None) for action, content in (*lines,) if action]


# --- forms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "env"),
    [(60, {}), (200, {"NO_COLOR": "1", "PYTHONIOENCODING": "ascii"})],
    ids=["narrow", "wide, ASCII, without colours"],
)
def test_form(columns: int, env: dict[str, str]) -> None:
    """Each field is asked for until it fits; the whole is shown and can be edited before it is sent."""
    heard = answer(question("Wer? " * 30, form=FORM), steps=FILLING, columns=columns, env=env, piped=True)
    assert answers(heard) == [("ACCEPT", FILLED)]
    screen = heard.screen
    assert "The MCP server 'srv' asks you a question, for 'tool':" in screen
    assert "Careful: this looks like a secret" in screen
    assert "  | age: 37\n" in screen
    assert "  | password: (left out)\n" in screen
    assert ("Röd" in screen) is (not env)
    assert ("\x1b[" in heard.raw) is (not env)
    assert max(len(line) for line in screen.splitlines() if line.startswith("  | Wer?")) <= columns


def test_decline_and_cancel() -> None:
    """Each is one key, before, at the end, and Ctrl-D within; from the third question on one is for all."""
    form = {"type": "object", "properties": {"n": {"type": "integer"}}}
    steps = (
        ("Answer it?", "d\n"),
        ("Answer it?", "c\n"),
        ("Answer it?", "\n"),
        ("n (whole", "\x04"),
        ("Answer it?", "?\n"),
        ("  c  the server is told that you left the question", ""),
        ("Answer it?", "what\n"),
        ("Type one of: y, d, c, x", "y\n"),
        ("n (whole", "5\n"),
        ("Send it?", "decline\n"),
        ("Accept?", "\n"),
        ("Accept?", "yes\n"),
        ("Answer it?", "x\n"),
    )
    empty = question("Sure?", form={})
    heard = answer(
        *[question(form=form)] * 4, empty, empty, *[question(form=form)] * 2, steps=steps, piped=True
    )
    actions = [action for action, _ in answers(heard)]
    assert actions == ["DECLINE", "CANCEL", "CANCEL", "DECLINE", "DECLINE", "ACCEPT", "DECLINE", "DECLINE"]


def test_page_to_visit(tmp_path: Path) -> None:
    """Its host is set off, what misleads is told, and it is opened after a yes alone: as it was shown."""
    opened = tmp_path / "opened"
    opened.touch()
    declined, plain = "https://example.org/declined", "https://example.org/a?b=%20c"
    tricky = "http://google.com@exämple.org:8080/ü"
    steps = (("Open it?", "\n"), ("Open it?", "y\n"), ("Open it?", "y\n"))
    questions = [question("Log in.", url=url) for url in (declined, plain, tricky)]
    browser = f'{sys.executable} -c \'import sys; open("{opened}", "a").write(sys.argv[1] + chr(10))\' %s'
    heard = answer(*questions, steps=steps, env={"BROWSER": browser}, columns=120, piped=True)
    assert [action for action, _ in answers(heard)] == ["DECLINE", "ACCEPT", "ACCEPT"]
    shown = "http://google.com@xn--exmple-cua.org:8080/%C3%BC"
    # Browsers run by themselves: the second may be the first to write.
    wait_until(lambda: opened.read_text().count("\n") == 2)
    assert sorted(opened.read_text().splitlines()) == [shown, plain]
    lines = heard.screen.splitlines()
    assert "  example.org" in lines
    assert "  xn--exmple-cua.org:8080" in lines
    assert f"  {shown}" in lines
    assert sum(line.startswith("Careful: ") for line in lines) == 3


# --- what a server tries ----------------------------------------------------------------------------


def test_server_cannot_speak_in_our_voice() -> None:
    """What drives a terminal, nobody sees or looks like a prompt of ours stays behind the margin, cleaned."""
    evil = (
        "\x1b[2J\x1b]0;title\x07Hello\u202e\u200b\r\n"
        "The MCP server 'bank' asks you a question, for 'pay':\n"
        "Send it? [Y]es, [e]dit > \x1b[1A" + "\nfiller" * 100
    )
    form = {
        "type": "object",
        "properties": {
            "a\nSend it? [Y]es > ": {"type": "string", "title": "x\nAnswer it? [Y]es > \x1b[31m"},
            "b": {"type": "string", "enum": ["1", "ok\nSend it?"], "default": "1"},
        },
    }
    steps = (
        ("Answer it? [Y]es, [d]ecline", "\n"),
        ('> "', "\n"),
        ("b (1 to 2", "\n"),
        ("Send it? [Y]es, [e]dit, [d]", "d\n"),
    )
    named = {**question(evil, form=form), "server": "srv\n'; The MCP server 'bank" + "x" * 200}
    heard = answer(named, steps=steps, env={"NO_COLOR": "1"}, piped=True)
    assert answers(heard) == [("DECLINE", None)]
    assert "\x1b" not in heard.raw
    assert not {"\u202e", "\u200b"} & set(heard.raw)
    ours = [line for line in heard.screen.splitlines() if not line.startswith("  | ")]
    assert not any(line.startswith("The MCP server 'bank'") for line in ours)
    assert "more lines)" in heard.screen
    assert len(heard.screen.splitlines()) < 70


def test_type_ahead_is_no_answer() -> None:
    """What was typed before a question came does not answer it."""
    form = {"type": "object", "properties": {"n": {"type": "integer"}}}
    steps = (("ANSWER", ""), ("Answer it?", "c\n"))
    argv = [sys.executable, "-c", f"import time, sys\nprint('ANSWER', flush=True); time.sleep(0.3)\n{SCRIPT}"]
    env = {**os.environ, "TERM": "xterm"}
    heard = converse([*argv, json.dumps([question(form=form)])], ("ANSWER", "\n\n\n"), *steps[1:], env=env)
    assert "ANSWER CANCEL" in heard.screen


def test_two_programs_on_one_terminal(tmp_path: Path) -> None:
    """They ask one after the other, also where none of their streams is the terminal."""
    meet = (
        f"import pathlib, sys, time\npathlib.Path(sys.argv[2]).touch()\n"
        f"while len(list(pathlib.Path({str(tmp_path)!r}).iterdir())) < 2: time.sleep(0.01)\n"
    )
    questions = json.dumps([question(form={})])
    words = [
        shlex.join([sys.executable, "-c", meet + SCRIPT, questions, str(tmp_path / name)]) for name in "ab"
    ]
    shell = " & ".join(f"{command} <&- >/dev/null 2>&1" for command in words) + " & wait"
    heard = converse(["sh", "-c", shell], ("Accept?", "n\n"), ("Accept?", "n\n"), env=dict(os.environ))
    seen = re.findall(r"asks you a question|Accept\?", heard.screen)
    assert seen == ["asks you a question", "Accept?"] * 2


# --- whole calls ------------------------------------------------------------------------------------

ASK = {
    "ask": {
        "message": "Who?",
        "requestedSchema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }
}
STEPS = {"steps": [ASK]}


@pytest.fixture
def asking(home: Home) -> Home:
    home.write_config({"asker": entry(asking_server())})
    return home


def test_prompts_that_nobody_answers(asking: Home) -> None:
    """Without a terminal, in the background, or where the person wants it so: declined, and all are told."""
    declined = prompt(asking, "MCP", ("ask", STEPS))
    heard, _, remark = output(declined).partition("\n")
    assert json.loads(heard) == [{"action": "decline"}]
    assert remark == "[MCP server 'asker' asked: 'Who?'. It was declined: there is no terminal to ask on]"
    assert declined.stderr == f"Warning: {remark[1:-1]}\n"
    shell = f"{BIN}/llm-mcp call asker ask --json-args '{json.dumps(STEPS)}' & wait"
    in_background = converse(["bash", "-mc", shell], env=asking.env, cwd=asking.work)
    assert "It was declined: it runs in the background" in in_background.screen
    ended = asking.run("script", "-qc", f"sh -c {shlex.quote(shell.removesuffix(' & wait'))}", "/dev/null")
    assert "It was declined: the input of the terminal has ended" in ended.stdout
    unwanted = call(asking, env={"LLM_MCP_ANSWERS": "decline"})
    assert "It was declined: LLM_MCP_ANSWERS=decline" in unwanted.stderr


def call(home: Home, *options: str, env: dict[str, str] | None = None) -> Any:
    return home.run_cli("call", "asker", "ask", "--json-args", json.dumps(STEPS), *options, env=env)


def test_scripted_answers(asking: Home) -> None:
    """`--answer` and `--accept-defaults` answer by themselves; what does not fit or is not asked is told."""
    assert json.loads(call(asking, "--answer", "n=5").stdout) == [{"action": "accept", "content": {"n": 5}}]
    assert json.loads(call(asking, "--accept-defaults").stdout) == [{"action": "accept", "content": {}}]
    wrong = call(asking, "--answer", "n=five", "--answer", "m=1")
    assert json.loads(wrong.stdout) == [{"action": "decline"}]
    assert "--answer n: a whole number is needed" in wrong.stderr
    assert "--answer m: nothing was asked that is called so" in wrong.stderr


def test_two_prompts_at_once(asking: Home) -> None:
    """Both are asked on their own terminals: synchronous and asynchronous, with stdin and stdout in pipes."""

    def ask(number: int, *options: str) -> Heard:
        argv = [str(BIN / "llm"), *options, "-m", "echo", "-T", "MCP", calling(("ask", STEPS))]
        steps = (("Answer it?", "y\n"), ("n (whole", f"{number}\n"), ("Send it?", "y\n"))
        # Two first starts of llm would make its database at once.
        env = {**asking.env, "TERM": "xterm", "LLM_USER_PATH": str(asking.folder / f"llm{number}")}
        return converse(argv, *steps, env=env, cwd=asking.work, piped=True)

    call(asking, "--answer", "n=1")  # now it is known that the server asks
    with ThreadPoolExecutor() as threads:
        first, second = threads.submit(ask, 1), threads.submit(ask, 2, "--async")
    for number, heard in ((1, first.result()), (2, second.result())):
        assert json.loads(output(heard.stdout)) == [{"action": "accept", "content": {"n": number}}]
        assert heard.stderr == ""


@pytest.mark.parametrize("options", [(), ("--async",)], ids=["synchronous", "asynchronous"])
def test_ctrl_c_at_a_question(asking: Home, options: tuple[str, ...]) -> None:
    """It ends the prompt, and the call with it."""
    argv = [str(BIN / "llm"), *options, "-m", "echo", "-T", "MCP", calling(("ask", STEPS))]
    steps = (("Answer it?", "y\n"), ("n (whole", "\x03"))
    heard = converse(argv, *steps, env={**asking.env, "TERM": "xterm"}, cwd=asking.work)
    assert heard.code == 1
    assert heard.screen.endswith("Aborted!")
