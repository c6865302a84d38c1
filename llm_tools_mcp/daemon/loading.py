"""What the daemon loads once it is ready: nobody waits for it but those who come to connect to a server."""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType

from llm_tools_mcp import dependencies

from .failure import Kind, ServerFailure
from .memory import ROUNDS_UNTIL_ALL

# Seconds between two turns of threads while it is loaded: the event loop gets the interpreter soon.
_SWITCH_INTERVAL = 0.0005


def load_connections() -> ModuleType:
    """The MCP SDK's side of the house, after READY and in a thread: it costs 0.4 s. Raises ServerFailure.

    Garbage, which nobody has collected since the process began, is collected from here on.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        module = importlib.import_module("llm_tools_mcp.daemon.server.connecting")
    except ImportError as error:
        raise ServerFailure(Kind.START_FAILED, dependencies.explained(error)) from error
    finally:
        sys.setswitchinterval(usual)
        _collect_seldom()
    return module


def _collect_seldom() -> None:
    """What is loaded by now stays: looking for garbage in it, and as often as Python does, is 10% of a call.

    More than 20,000 objects at a time would be a step of the event loop that others notice: it takes 20 ms.
    All of them are looked through while nobody works, see `memory`; else very seldom.
    """
    gc.freeze()
    gc.set_threshold(5_000, 3, 3 * ROUNDS_UNTIL_ALL)
    gc.enable()
