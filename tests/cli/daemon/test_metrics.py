"""metrics: OpenMetrics text, as those parse it who read it."""

from __future__ import annotations

import re

import prometheus_client.parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from llm_tools_mcp import v1
from llm_tools_mcp.cli.daemon.metrics import _exposition
from tests.daemon.live import failing
from tests.home import Home
from tests.servers import entry, faulty_server

# Types that the older text format knows: node_exporter refuses a file with others.
READ_BY_ALL = {"counter", "gauge", "summary"}


def parsed(text: str) -> dict[str, Metric]:
    """By their names; the parser is a strict one."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric, *labels: str) -> dict[tuple[str, ...], float]:
    """By some of their labels."""
    return {tuple(s.labels[name] for name in labels): s.value for s in family.samples}


def test_without_a_daemon(home: Home) -> None:
    """Exit code 3, as of `status`; that it is down is a metric, too. Nothing is started."""
    absent = home.run_here("metrics", check=False)
    assert absent.code == 3
    assert values(parsed(absent.stdout)["llm_mcp_up"]) == {(): 0}
    assert absent.stdout.endswith("# EOF\n")
    assert home.processes() == []


def test_metrics_tell_what_status_tells(home: Home) -> None:
    """Of the daemon and of each server: state, calls, errors, restarts, latency, memory."""
    home.write_config({"every": failing(), "broken": {"command": "no-such-command"}})
    home.run_here("tools")
    home.run_here("call", "every", "echo", "text=crash", check=False)
    home.run_here("call", "every", "echo", "text=x")
    text = home.run_here("metrics").stdout
    found = parsed(text)
    assert values(found["llm_mcp_up"]) == {(): 1}
    assert values(found["llm_mcp_build_info"], "run_by") == {("spawned",): 1}
    every, broken = ("every", str(home.work)), ("broken", str(home.work))
    by_server = {name: values(found[f"llm_mcp_server_{name}"], "server", "where") for name in COUNTS}
    assert by_server == {name: {every: count, broken: 0} for name, count in COUNTS.items()}
    assert values(found["llm_mcp_server_resident_memory_bytes"], "server")[("every",)] > 2**20
    latency = values(found["llm_mcp_server_call_latency_seconds"], "server", "quantile")
    assert list(latency) == [("every", "0.5"), ("every", "0.95")]
    assert 0 < latency[("every", "0.5")] <= latency[("every", "0.95")] < 60
    states = values(found["llm_mcp_server_state"], "server", "state")
    assert states[("every", "ready")] == 1
    assert states[("broken", "backing_off")] + states[("broken", "failed")] == 1
    assert sum(states.values()) == 2
    assert "no-such-command" not in text


COUNTS = {"calls": 2, "call_errors": 1, "restarts": 1, "instances": 1, "calls_in_flight": 0}


def test_types_and_units_are_read_by_all(home: Home) -> None:
    """Nothing that the older text format does not know; numbers are in base units and named so."""
    home.write_config({"every": entry(faulty_server("fine"))})
    home.run_here("call", "every", "pid")
    text = home.run_here("metrics").stdout
    assert {family.type for family in parsed(text).values()} == READ_BY_ALL
    assert {kind for _, kind in re.findall("^# TYPE (.*) (.*)$", text, re.MULTILINE)} == READ_BY_ALL
    samples = [s for f in prometheus_client.parser.text_string_to_metric_families(text) for s in f.samples]
    assert len(samples) == sum(len(family.samples) for family in parsed(text).values())
    units = {family.unit for family in parsed(text).values() if family.unit}
    assert units == {"bytes", "seconds"}


def test_secrets_are_not_told(home: Home) -> None:
    """Neither env, arguments, headers, a url's password and query, nor an error's text appear."""
    told = failing(env={"TOKEN": "s3cr3t"})
    told["args"] += ["--password", "s3cr3t"]
    home.write_config(
        {
            "every": told,
            "web": {"url": "http://me:s3cr3t@127.0.0.1:9/mcp?key=s3cr3t", "headers": {"X": "s3cr3t"}},
        }
    )
    home.run_here("tools")
    text = home.run_here("metrics").stdout
    assert 'where="http://127.0.0.1:9/mcp"' in text
    assert "s3cr3t" not in text
    assert "cannot be reached" not in text


def test_copies_are_counted_together() -> None:
    """Two samples never have the same labels: counts add up, and the slowest latency is shown."""
    copy = v1.ServerStatus(
        server="one", cwd="/here", state=v1.ServerStatus.READY, transport="stdio", calls=2, memory_bytes=5
    )
    slow = v1.ServerStatus(latency_p50_seconds=2, latency_p95_seconds=3)
    slow.MergeFrom(copy)
    elsewhere = v1.ServerStatus(server="one", cwd="/there", transport="stdio", calls=1)
    found = parsed(_exposition(v1.StatusResponse(servers=[copy, slow, elsewhere])).decode())
    assert values(found["llm_mcp_server_calls"], "where") == {("/here",): 4, ("/there",): 1}
    assert values(found["llm_mcp_server_instances"], "where") == {("/here",): 2, ("/there",): 0}
    assert values(found["llm_mcp_server_resident_memory_bytes"], "where")[("/here",)] == 10
    assert values(found["llm_mcp_server_call_latency_seconds"], "quantile") == {("0.5",): 2, ("0.95",): 3}


def test_names_are_anything() -> None:
    """Quotes and backslashes arrive as they are; what drives a terminal does not."""
    server = v1.ServerStatus(server='a "b"\\c\n\x1b[31md é', cwd="/x")
    found = parsed(_exposition(v1.StatusResponse(servers=[server])).decode())
    assert list(values(found["llm_mcp_server_calls"], "server")) == [('a "b"\\c d é',)]


def test_daemon_that_does_not_answer(home: Home) -> None:
    """Counts as down; what is wrong is said on stderr."""
    home.run_here("start")
    (daemon,) = home.processes()
    daemon.suspend()
    try:
        hung = home.run_here("metrics", check=False)
    finally:
        daemon.resume()
    assert hung.code == 1
    assert values(parsed(hung.stdout)["llm_mcp_up"]) == {(): 0}
    assert hung.stderr.startswith("Error: ")


def test_output_is_utf8(home: Home) -> None:
    """Whatever the terminal's encoding is: the format knows no other."""
    folder = home.work / "é"
    folder.mkdir()
    home.write_config({"every": entry(faulty_server("fine"))})
    home.run_here("call", "every", "pid", cwd=folder)
    text = home.run_cli("metrics", env={"PYTHONIOENCODING": "latin-1"}).stdout
    assert f'where="{folder}"' in text
