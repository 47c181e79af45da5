"""Starts the built programs as processes of their own, on free ports, and stops them by their process ids.

Nothing here sleeps for a fixed time: what is waited for is polled, under a deadline.
"""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(os.environ.get("SCANMQ_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("SCANMQ_BIN_DIR", ROOT / "build/dev/bin"))
SANITIZED = bool(os.environ.get("SCANMQ_SANITIZE"))  # nothing can be preloaded before their run-time
PATIENCE_S = 60.0  # generous: sanitizers and busy machines

OK, FAILED, USAGE, NO_BROKER, PARTIAL, TIMED_OUT = range(6)


def wait_until(condition, what, patience_s=PATIENCE_S):
    """The first true value of condition(), or AssertionError naming `what`."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"timed out waiting until {what}")


class Process:
    """A program under test, with its output kept in a file."""

    def __init__(self, program, arguments, log, stdin=os.devnull):
        self.log = log
        with open(log, "wb") as output, open(stdin, "rb") as read:
            self.popen = subprocess.Popen([BIN / program, *arguments], stdout=output, stderr=subprocess.STDOUT,
                                          stdin=read, env=environment())

    def kill(self):
        self.popen.kill()
        self.popen.wait(PATIENCE_S)

    def terminate(self):
        """SIGTERM; returns the exit status."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(PATIENCE_S)

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        return self.log.read_text(encoding="utf-8", errors="replace")


def environment(**changes):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SCANMQ_")}
    return {**kept, **changes}


class Answer:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def json(self):
        return json.loads(self.out.splitlines()[-1])


class Case(unittest.TestCase):
    """A test with a directory, and helpers that stop what they started."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="scanmq-e2e-")
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)
        self.broker = None
        self.started = 0

    def start(self, program, *arguments, stdin=os.devnull):
        """stdin: a file."""
        self.started += 1
        process = Process(program, arguments, self.dir / f"{self.started}-{program}.log", stdin)
        self.addCleanup(self.stop, process)
        return process

    def stop(self, process):
        if process.alive():
            process.popen.send_signal(signal.SIGTERM)
            try:
                process.popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def start_broker(self, *arguments):
        file = self.dir / "endpoint"
        http = () if "--http" in arguments else ("--http", "none")
        process = self.start("scanmq-broker", "--listen", "tcp://127.0.0.1:0", "--endpoint-file", str(file),
                             "--data", str(self.dir / "data"), *http, *arguments)

        def endpoint():
            self.assertTrue(process.alive(), process.output())
            return file.exists() and file.read_text().splitlines()

        lines = wait_until(endpoint, "the broker listens")
        self.broker = lines[0]
        self.http = lines[2] if len(lines) > 2 else None
        return process

    def start_worker(self, *arguments, name="w1"):
        process = self.start("scanmq-worker", "--broker", self.broker, "--name", name, "--threads", "1", *arguments)

        def listed():
            self.assertTrue(process.alive(), process.output())
            return name in [row["name"] for row in self.scanmq("worker", "list", "--json").json()["workers"]]

        wait_until(listed, f"worker {name} is listed")
        return process

    def start_scanner(self, *arguments):
        """Starts a scan service on a free port; its process and its base address, "http://127.0.0.1:PORT"."""
        process = self.start("scanmq-scanner", "--http", "127.0.0.1:0", "--threads", "2", *map(str, arguments))

        def address():
            self.assertTrue(process.alive(), process.output())
            lines = [line for line in process.output().splitlines() if line.startswith("listening on ")]
            return lines and lines[0].removeprefix("listening on ")

        return process, wait_until(address, "the scan service listens")

    def scanmq(self, *arguments, stdin=None, **env):
        """Runs the command line to its end, against this test's broker."""
        if self.broker:
            env.setdefault("SCANMQ_BROKER", self.broker)
        done = subprocess.run([BIN / "scanmq", *map(str, arguments)], input=stdin, capture_output=True, text=True,
                              timeout=PATIENCE_S * 2, env=environment(**env), check=False)
        return Answer(done)

    def ok(self, *arguments, **kwargs):
        """The same, and it must succeed."""
        answer = self.scanmq(*arguments, **kwargs)
        self.assertEqual(OK, answer.code, f"{arguments}: {answer.err}\n{answer.out}")
        return answer

    def queue(self, name):
        return self.ok("queue", "list", name, "--json").json()["queues"][0]

