"""Calls of which nothing is heard are given up, by one thread for all, and only while there are any."""

from __future__ import annotations

import threading
import time

from llm_tools_mcp.client.call_watchdog import CallWatchdog
from tests.waiting import wait_until


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "call watchdog"]


def test_silent_call_is_given_up() -> None:
    """Not before its time, and once; `gave_up` tells why the call ended."""
    given_up: list[float] = []
    began = time.monotonic()
    watch = CallWatchdog(0.2).watch(lambda: given_up.append(time.monotonic() - began))
    wait_until(lambda: watch.is_over)
    assert watch.gave_up
    assert len(given_up) == 1
    assert given_up[0] >= 0.2


def test_call_that_was_heard_of_is_left_alone() -> None:
    """Its watch is over at once, also while another one of the same age is given up."""
    watchdog = CallWatchdog(0.1)
    heard, silent = watchdog.watch(lambda: None), watchdog.watch(lambda: None)
    heard.end()
    assert heard.is_over
    wait_until(lambda: silent.gave_up)
    assert not heard.gave_up


def test_one_thread_watches_all_calls() -> None:
    """A hundred calls cost one thread; it ends with the last of them, and the next call has one again."""
    wait_until(lambda: not watchers())
    watchdog = CallWatchdog(60)
    for _ in range(2):
        watches = [watchdog.watch(lambda: None) for _ in range(100)]
        assert len(watchers()) == 1
        assert watchers()[0].daemon
        for watch in watches:
            watch.end()
        wait_until(lambda: not watchers())


def test_calls_of_many_threads_are_all_watched() -> None:
    """Calls that begin while the thread is about to end are not forgotten."""
    watchdog = CallWatchdog(0.01)
    given_up: list[int] = []
    lock = threading.Lock()

    def give_up(number: int) -> None:
        with lock:
            given_up.append(number)

    def call(first: int) -> None:
        for number in range(first, first + 50):
            watchdog.watch(lambda number=number: give_up(number))  # type: ignore[misc]

    threads = [threading.Thread(target=call, args=(first,)) for first in range(0, 400, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(given_up) == 400)
    assert sorted(given_up) == list(range(400))


def test_call_that_cannot_be_cancelled_costs_no_other() -> None:
    """An error in giving up one call leaves the others watched."""
    watchdog = CallWatchdog(0.01)
    given_up: list[int] = []
    broken = watchdog.watch(lambda: 1 // 0)
    watchdog.watch(lambda: given_up.append(1))
    wait_until(lambda: given_up)
    assert broken.gave_up
    later = watchdog.watch(lambda: given_up.append(2))
    wait_until(lambda: later.is_over)
    assert given_up == [1, 2]
