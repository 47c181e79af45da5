#!/usr/bin/env python3
"""A scanner process for tests: misbehaves as its payloads say. usage: scripted_process.py EXAMPLE [MODE...]

EXAMPLE is compose/examples/python_scanner.py, whose protocol it speaks. Modes: version=V, no-inputs, slow-start=S,
die-if=FILE (at start, when the file is there), mute (says nothing at all), deaf (answers no PING).
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time

spec = importlib.util.spec_from_file_location("example", sys.argv[1])
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


def die(_):
    print("about to die", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGKILL)


def leave(_):
    print("leaving, as asked", file=sys.stderr, flush=True)
    os._exit(7)


def hang(_):
    time.sleep(3600)


def hang_deaf(scanner):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    scanner.progress(scanner.request, 1, 2, "deaf")
    time.sleep(3600)


def raw(data):
    def write(_):
        os.write(1, data)
        time.sleep(3600)
    return write


def eat(_):
    bytearray(2 << 30)


def grandchild(_):
    """Leaves a process behind that holds all streams."""
    child = subprocess.Popen(["sleep", "3600"])
    print(f"grandchild {child.pid}", file=sys.stderr, flush=True)
    os._exit(3)


def flood(_):
    for i in range(1000):
        print(f"line {i}", file=sys.stderr)
    sys.stderr.flush()
    return b"flooded"


def close_output(_):
    os.close(1)
    time.sleep(3600)


def wait(scanner):
    """Looks at its input, and so can be cancelled."""
    for i in range(100_000):
        scanner.progress(scanner.request, i, 100_000, "waiting")
        time.sleep(0.001)


def wrong_call(scanner):
    scanner.send(example.RESULT, scanner.call + 1, example.DONE, b"")
    time.sleep(3600)


ACTIONS = {b"die": die, b"leave": leave, b"hang": hang, b"hang deaf": hang_deaf, b"eat": eat, b"grandchild": grandchild,
           b"flood": flood, b"close": close_output, b"wait": wait, b"wrong call": wrong_call,
           b"garbage": raw(b"\0\0\0\5Hello"), b"print": raw(b"a stray print\n"), b"huge": raw(b"\x7f\0\0\0")}


def scan(request, scanner):
    scanner.request = request
    if request.payload in ACTIONS:
        return ACTIONS[request.payload](scanner)
    if request.payload == b"reject":
        raise example.Rejected("it is no good")
    if request.payload == b"raise":
        raise RuntimeError("a bug\nof two lines")
    if request.payload.startswith(b"large "):
        return b"L" * int(request.payload[6:])
    told = [request.payload, request.queue.encode(), request.subject.encode(), str(request.as_of_ns).encode()]
    return b"|".join(told + request.inputs + [f"{len(scanner.snapshots)} kept".encode()])


modes = dict(mode.partition("=")[::2] for mode in sys.argv[2:])
example.scan = scan
example.VERSION = modes.get("version", "1")
example.READS_INPUTS = "no-inputs" not in modes
if "die-if" in modes and os.path.exists(modes["die-if"]):
    sys.exit("cannot start: " + modes["die-if"] + " is there")
if "version-file" in modes:
    example.VERSION = open(modes["version-file"]).read()
time.sleep(float(modes.get("slow-start", 0)))
if "mute" in modes:
    time.sleep(3600)


class Scripted(example.Scanner):
    def send(self, *fields):
        if "deaf" not in modes or fields[0] != example.PONG:
            super().send(*fields)


source, sink = open(0, "rb", buffering=0, closefd=False), open(1, "wb", buffering=0, closefd=False)
sys.stdout = sys.stderr
Scripted(source, sink).run()
