"""Listens as a service manager would, hands itself the descriptors, and shows what listen() makes of them.

The argument is JSON: "path"; "sockets", each "unix:PATH", "inet:", "datagram:PATH", "unconnected:PATH" or
"file:"; "environ", to be changed in the variables of the hand-over.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from llm_tools_mcp.daemon.listeners import listen
from llm_tools_mcp.errors import DaemonError

FIRST = 3
ASIDE = 100  # where the descriptors wait until all are made


def descriptor(spec: str) -> int:
    kind, _, name = spec.partition(":")
    if kind == "file":
        return os.open(os.devnull, os.O_RDONLY)
    family = socket.AF_INET if kind == "inet" else socket.AF_UNIX
    sock = socket.socket(family, socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0) if kind == "inet" else name)
    if kind in {"unix", "inet"}:
        sock.listen()
    return sock.detach()


def hand_over(specs: list[str]) -> dict[str, str]:
    for number, spec in enumerate(specs):
        os.dup2(descriptor(spec), ASIDE + number)
    for number in range(len(specs)):
        os.dup2(ASIDE + number, FIRST + number)  # inheritable, as after exec
    count = str(len(specs))
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count, "LISTEN_FDNAMES": "a:b", "KEPT": "1"}


def outcome(path: Path, environ: dict[str, str]) -> dict[str, object]:
    try:
        listeners = listen(path, environ)
    except DaemonError as error:
        return {"error": str(error)}
    seen = {
        "origin": listeners.origin,
        "path": str(listeners.path),
        "fds": [sock.fileno() for sock in listeners.sockets],
        "blocking": [sock.getblocking() for sock in listeners.sockets],
        "inheritable": [sock.get_inheritable() for sock in listeners.sockets],
        "current": listeners.is_current(),
    }
    listeners.release()
    seen["open after release"] = [sock.fileno() >= 0 for sock in listeners.sockets]
    listeners.close()
    seen["on disk after close"] = listeners.path.exists()
    return seen


task = json.loads(sys.argv[1])
given = hand_over(task["sockets"]) | task["environ"]
print(json.dumps(outcome(Path(task["path"]), given) | {"environ": given}))
