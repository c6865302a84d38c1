"""Callers without a pause, as prompts make sure of a daemon: `python load.py THREADS`, until stdin ends.

Says "running" once each thread has an answer; at the end JSON: {"calls": N, "failures": [...]}.
"""

from __future__ import annotations

import json
import sys
import threading

from llm_tools_mcp.client.daemon import Daemon
from llm_tools_mcp.config import read_config

ending = threading.Event()
lock = threading.Lock()
calls = 0
failures: list[str] = []


def run(number: int, begun: threading.Barrier) -> None:
    global calls  # noqa: PLW0603 - of this process
    daemon = Daemon()
    listing = daemon.list_tools(read_config(None))
    offer = next(offer for offer in listing.offers if (offer.server, offer.tool) == ("every", "echo"))
    done = 0
    while done == 0 or not ending.is_set():
        text = f"{number} {done}"
        try:
            result = daemon.call(listing.call(offer, {"text": text}), lambda _event: None)
            answer = "\n".join(part.text for part in result.content)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            answer = repr(error)
        done += 1
        with lock:
            calls += 1
            if answer != text:
                failures.append(answer)
        if done == 1:
            begun.wait()


def main(count: int) -> None:
    begun = threading.Barrier(count + 1)
    threads = [threading.Thread(target=run, args=(number, begun), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    begun.wait(60)
    print("running", flush=True)
    sys.stdin.read()
    ending.set()
    for thread in threads:
        thread.join(60)
    print(json.dumps({"calls": calls, "failures": failures}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
