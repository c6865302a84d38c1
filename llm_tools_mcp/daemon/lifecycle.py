"""From READY to exit: readiness, watchdog, signals, idle exit, drain.

The service manager is told through sd_notify(3); the client that spawned us listens on the same kind
of socket, so that there is one readiness code for every way to be started.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, MutableMapping
from contextlib import AsyncExitStack, suppress

import sdnotify

from .front.acceptor import Acceptor
from .front.pending_questions import Questions
from .listeners import Listeners, Origin
from .pool.pool import Pool

_log = logging.getLogger(__name__)

# Seconds that calls in flight get to finish when the daemon stops.
GRACE = 10.0
_LONGEST_TICK = 30.0
_STATUS_PAUSE = 0.5


class Notifier:
    """sd_notify(3). Says nothing where nobody listens."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._notifier = sdnotify.SystemdNotifier()
        environ.pop("NOTIFY_SOCKET", None)  # not for our children
        asked = environ.pop("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(asked) / 1e6 if asked.isdecimal() else 0.0
        environ.pop("WATCHDOG_PID", None)

    def ready(self, status: str) -> None:
        self._notifier.notify(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._notifier.notify(f"STATUS={text}")

    def stopping(self, reason: str) -> None:
        self._notifier.notify(f"STOPPING=1\nSTATUS=Stopping: {reason}")

    def reloading(self) -> None:
        # Type=notify-reload matches the answer to the signal by this clock (sd_notify(3)).
        self._notifier.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def watchdog(self) -> None:
        self._notifier.notify("WATCHDOG=1")


class Lifecycle:
    """Decides when to stop. `shut_down` may be called by anyone, at any time, more than once."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        idle_timeout: float,
        is_idle: Callable[[], bool],
        is_reachable: Callable[[], bool],
        status: Callable[[], str],
        tidy: Callable[[], None],
        reload: Callable[[], None],
    ) -> None:
        self._notifier = notifier
        self._idle_timeout = idle_timeout
        self._is_idle = is_idle
        self._is_reachable = is_reachable
        self._status = status
        self._tidy = tidy
        self._reload = reload
        self._stopping = asyncio.Event()
        self._reason = ""
        self._loop = asyncio.get_running_loop()
        self._idle_since: float | None = self._loop.time()
        self._status_timer: asyncio.TimerHandle | None = None

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def shut_down(self, reason: str) -> None:
        """Begin to stop; `run` returns."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()

    def note_change(self) -> None:
        """Connections or calls changed: the idle time begins or ends here."""
        if not self._is_idle():
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = self._loop.time()
        if self._status_timer is None and not self.is_stopping:
            self._status_timer = self._loop.call_later(_STATUS_PAUSE, self._send_status)

    def heed_signals(self) -> None:
        """SIGTERM and SIGINT drain, SIGHUP reloads. From the beginning on, so that none cuts a start off."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.shut_down, signal.Signals(number).name)
        self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)

    async def run(self) -> str:
        """Serve until there is a reason to stop; returns it."""
        self._feed_watchdog()
        self._notifier.ready(self._status())
        while not self._stopping.is_set():
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._tick_seconds())
            self._tidy()
            self._stop_if_useless()
        self._notifier.stopping(self._reason)
        _log.info("stopping: %s", self._reason)
        return self._reason

    def _tick_seconds(self) -> float:
        if not self._idle_timeout:
            return _LONGEST_TICK
        return min(_LONGEST_TICK, max(0.1, self._idle_timeout / 4))

    def _stop_if_useless(self) -> None:
        if not self._is_reachable():
            self.shut_down("the socket's path is gone or belongs to another: nobody can reach this daemon")
        idle_for = 0.0 if self._idle_since is None else self._loop.time() - self._idle_since
        if self._idle_timeout and self._is_idle() and idle_for >= self._idle_timeout:
            self.shut_down(f"unused for {self._idle_timeout:g} s")

    def _send_status(self) -> None:
        self._status_timer = None
        if not self.is_stopping:
            self._notifier.status(self._status())

    def _on_hangup(self) -> None:
        self._notifier.reloading()
        self._reload()
        self._notifier.ready(self._status())
        self._stop_if_useless()  # a successor that waits for the socket's path sends this, too

    def _feed_watchdog(self) -> None:
        """From the event loop, so that a hung one is noticed; until the process ends, also in the drain."""
        if self._notifier.watchdog_seconds:
            self._notifier.watchdog()
            self._loop.call_later(self._notifier.watchdog_seconds / 3, self._feed_watchdog)


async def drain(
    listeners: Listeners, acceptor: Acceptor, pool: Pool, questions: Questions, grace: float = GRACE
) -> None:
    """Calls in flight finish; new clients wait in the kernel's queue for the next daemon.

    Each client is told to go away. What it had sent before it heard of that is still served, and it leaves
    when it has its answers.
    """
    async with AsyncExitStack() as stages:  # left from the last to the first, also past a failure
        stages.callback(listeners.close)
        stages.push_async_callback(pool.aclose)
        stages.push_async_callback(acceptor.aclose)
        if listeners.origin is Origin.BOUND:
            listeners.release()  # the path first: what connects after this finds the next daemon
            acceptor.accept_queued()  # and stragglers, who looked the path up just before, still get in
        else:
            acceptor.stop_accepting()
        questions.stop()
        acceptor.send_goaway()
        try:
            await asyncio.wait_for(acceptor.wait_closed(), grace)
        except asyncio.TimeoutError:
            _log.warning("%d calls did not finish within %g s and are cancelled", pool.sessions.in_use, grace)
