"""Workers whose scanner is a program: the Python example, ended in the middle; every job ends well."""

import json
import os
import pathlib
import signal
import sys

from harness import Case, wait_until

SOURCE = pathlib.Path(os.environ.get("SCANMQ_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
EXAMPLE = SOURCE / "compose" / "examples" / "python_scanner.py"
JOBS = 300

# The example with another scan, one that takes a while.
SLOW = f"""
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("example", {str(EXAMPLE)!r})
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
def scan(request, scanner):
    time.sleep(0.01)
    return request.payload
example.scan = scan
example.NAME = "slow"
example.Scanner(open(0, "rb", buffering=0), open(1, "wb", buffering=0)).run()
"""


def children(pid):
    """The processes that `pid` started and has not reaped."""
    out = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            out += [int(child) for child in task.read_text().split()]
        except OSError:
            pass  # the thread ended
    return out


def gone(pid):
    """Whether it has ended; somebody else may have to reap it."""
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


class ProcessScanner(Case):
    def setUp(self):
        super().setUp()
        self.start_broker("--heartbeat", "500ms", "--dead-after", "3s")
        self.ok("queue", "create", "scans", "retry_base_ms=10")

    def start_python_worker(self, name, script=EXAMPLE):
        return self.start_worker("--scanner", "process", "--process", f"'{sys.executable}' '{script}'",
                                 "--process-count", "2", name=name)

    def start_slow_worker(self, name):
        script = self.dir / "slow.py"
        script.write_text(SLOW, encoding="utf-8")
        return self.start_python_worker(name, script)

    def submit(self, payloads):
        lines = "".join(json.dumps(payload) + "\n" for payload in payloads)
        jobs = self.ok("submit", "scans", "--subject", "run", "--json", stdin=lines).json()["jobs"]
        return [job["id"] for job in jobs]

    def entries(self, count):
        watched = self.ok("watch", "scans", "--from", "earliest", "--count", count, "--body", "--json")
        return [json.loads(line) for line in watched.out.splitlines()]

    def wait_mid_run(self):
        def busy():
            row = self.queue("scans")
            return row["done"] > 0 and row["done"] < JOBS // 2

        wait_until(busy, "the run is under way")

    def check_all_done(self, ids):
        entries = self.entries(len(ids))
        self.assertEqual(sorted(ids), sorted(entry["id"] for entry in entries))
        self.assertEqual({"done"}, {entry["outcome"] for entry in entries},
                         [entry for entry in entries if entry["outcome"] != "done"][:3])

    def test_answers_and_refusals(self):
        worker = self.start_python_worker("w")
        row = self.ok("worker", "list", "--json").json()["workers"][0]
        self.assertIn("python-example/1", json.dumps(row))
        good, bad = self.submit([{"strikes": [105, "95.5", 100], "spot": 99}, {"no": "strikes"}])
        by_id = {entry["id"]: entry for entry in self.entries(2)}
        self.assertEqual("done", by_id[good]["outcome"])
        self.assertIn("95.5", json.dumps(by_id[good]))
        self.assertEqual("rejected", by_id[bad]["outcome"])
        self.assertIn("must be JSON", json.dumps(by_id[bad]))
        processes = children(worker.popen.pid)
        self.assertEqual(2, len(processes))
        self.assertEqual(0, worker.terminate(), worker.output())
        for process in processes:
            wait_until(lambda: gone(process), "the processes are gone")

    def test_killed_processes_lose_nothing(self):
        ids = self.submit([{"job": i} for i in range(JOBS)])
        worker = self.start_slow_worker("w")
        self.wait_mid_run()
        for _ in range(3):
            victims = wait_until(lambda: children(worker.popen.pid), "a process runs")
            os.kill(victims[0], signal.SIGKILL)
            wait_until(lambda: gone(victims[0]), "it is gone")
        self.check_all_done(ids)
        self.assertIn("was killed by signal 9", worker.output())
        self.assertTrue(worker.alive())

    def test_killed_worker_takes_its_processes_along(self):
        ids = self.submit([{"job": i} for i in range(JOBS)])
        worker = self.start_slow_worker("killed")
        self.wait_mid_run()
        processes = children(worker.popen.pid)
        worker.kill()
        for process in processes:
            wait_until(lambda: gone(process), "the processes are gone")
        self.start_slow_worker("survivor")
        self.check_all_done(ids)

    def test_a_program_that_is_no_scanner(self):
        process = self.start("scanmq-worker", "--broker", self.broker, "--scanner", "process", "--process", "sh -c 'exit 9'")
        wait_until(lambda: not process.alive(), "it has left")
        self.assertEqual(2, process.popen.returncode)
        self.assertIn("exited with status 9", process.output())
