"""The same as calls.js on whatever grpcio this Python has, which may be old: calls.py SOCKET."""

from __future__ import annotations

import itertools
import json
import sys
import threading

import grpc
from google.protobuf.wrappers_pb2 import BytesValue

OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
)
channel = grpc.insecure_channel(f"unix:{sys.argv[1]}", options=OPTIONS)
stopped = threading.Event()


def _wrapped(value):
    return BytesValue(value=value).SerializeToString()


call = channel.unary_unary("/test.Test/Echo", _wrapped, BytesValue.FromString)


def echo(_text):
    return call(b"hi").value.decode()


def repeat(text):
    answers = channel.unary_stream("/test.Test/Repeat", _wrapped)(text.encode())
    return sum(map(len, answers))


def unknown(_text):
    return channel.stream_stream("/test.Test/New")(iter(threading.Event().wait, None)).code().value[0]


hanging = []


def hang(_text):
    hanging.append(channel.unary_unary("/test.Test/Hang", _wrapped).future(b""))


def cancel(_text):
    hanging.pop().cancel()


def load(_text):
    numbers, failures = itertools.count(), []

    def caller():
        while not stopped.is_set():
            message = b"%d" % next(numbers)
            try:
                assert call(message).value == message
            except (AssertionError, grpc.RpcError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=caller) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"calls": next(numbers), "failures": failures}


def answer(name, text):
    print(json.dumps(globals()[name](text)), flush=True)


for line in sys.stdin:
    name, _, text = line.rstrip("\n").partition(" ")
    if name == "stop":
        stopped.set()
    else:
        threading.Thread(target=answer, args=(name, text), daemon=True).start()
