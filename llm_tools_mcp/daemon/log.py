"""Where log lines go: the journal (sd-daemon form, no time stamps), a rotated file, or a terminal."""

from __future__ import annotations

import fcntl
import logging
import logging.handlers
import os
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from llm_tools_mcp import paths
from llm_tools_mcp.system import access

JOURNAL = "journal"
STDERR = "stderr"

_MAX_BYTES = 5 * 1024 * 1024
_BACKUPS = 2
# Logs of servers that are kept open; the others are opened again for their next line.
_MAX_OPEN = 64
_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_SERVERS = "llm_tools_mcp.servers"
# They quote urls and what servers say, as it came. What matters of it arrives as an error.
_FOREIGN = ("mcp", "httpx2", "httpcore2")

# sd-daemon(3): the journal reads the priority from the front of the line.
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """Bounded, and readable by its owner only, also where the umask is 022.

    Its folder may vanish, and other daemons may write to the same file: each line looks what lies there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            path,
            maxBytes=_MAX_BYTES,
            backupCount=_BACKUPS,
            encoding="utf-8",
            delay=True,
            errors="backslashreplace",
        )
        self.setFormatter(logging.Formatter(_FORMAT))

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the stub's return type is private
        path = Path(self.baseFilename)
        access.make_private_folder(path.parent)
        return os.fdopen(
            access.open_private(path, os.O_APPEND | os.O_WRONLY), "a", encoding="utf-8", errors=self.errors
        )

    def open_now(self) -> None:
        """Raises OSError: so that who starts us hears why it cannot be."""
        self.stream = self._open()  # type: ignore[no-untyped-call]

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and not self._is_in_place(self.stream.fileno()):
            self.close()
        super().emit(record)

    def doRollover(self) -> None:  # noqa: N802 - its name
        """Under a lock, and once: another daemon may just have done it."""
        with suppress(OSError), self._locked():
            self.close()
            if os.stat(self.baseFilename).st_size >= _MAX_BYTES // 2:  # noqa: PTH116
                super().doRollover()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = os.open(Path(self.baseFilename).parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            named, opened = os.stat(self.baseFilename), os.fstat(descriptor)  # noqa: PTH116
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


class Logs:
    """The daemon's log and the servers' lines. `place` is "journal", "stderr" or the log file's path.

    Raises OSError where the log file cannot be opened.
    """

    def __init__(self, log_file: Path | None, level: str, environ: Mapping[str, str]) -> None:
        self._folder = log_file.parent if log_file else None
        self._open: OrderedDict[str, logging.Handler] = OrderedDict()
        self.place = paths.sendable(log_file) if log_file else JOURNAL if _is_journal(environ) else STDERR
        root = logging.getLogger("llm_tools_mcp")
        root.setLevel(level.upper())
        root.propagate = False
        root.handlers = [self._handler(log_file)]
        logging.getLogger("asyncio").handlers = root.handlers
        logging.raiseExceptions = False  # a full disk would get a traceback for every line
        # Without this Python would write warnings of loggers that nobody knows to stderr, and so to the log.
        logging.getLogger().addHandler(logging.NullHandler())
        for name in _FOREIGN:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)

    def reopen(self) -> None:
        """Begin new files where somebody else (logrotate) has moved the old ones away."""
        for logger in [logging.getLogger(name) for name in logging.root.manager.loggerDict]:
            for handler in logger.handlers:
                if isinstance(handler, _PrivateRotatingFile):
                    handler.close()

    def _handler(self, log_file: Path | None) -> logging.Handler:
        if log_file is not None:
            file = _PrivateRotatingFile(log_file)
            file.open_now()
            return file
        handler = logging.StreamHandler(sys.stderr)
        is_journal = self.place == JOURNAL
        handler.setFormatter(_JournalFormatter("%(message)s") if is_journal else logging.Formatter(_FORMAT))
        return handler

    def server_line(self, server: str, line: str) -> None:
        """A line that a server wrote to its stderr: a file of its own, or named in the common log."""
        file_name = paths.server_log_name(server)
        logger = logging.getLogger(f"{_SERVERS}.{file_name}")
        if self._folder is None:
            logger.info("[%s] %s", server, line)
            return
        if not logger.handlers:
            logger.propagate = False
            logger.addHandler(_PrivateRotatingFile(self._folder / file_name))
        logger.info("%s", line)
        self._close_surplus(file_name, logger.handlers[0])

    def _close_surplus(self, file_name: str, used: logging.Handler) -> None:
        self._open[file_name] = used
        self._open.move_to_end(file_name)
        if len(self._open) > _MAX_OPEN:
            self._open.popitem(last=False)[1].close()


def _is_journal(environ: Mapping[str, str]) -> bool:
    """JOURNAL_STREAM names the stream that systemd connected to the journal (systemd.exec(5))."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
