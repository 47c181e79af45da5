"""Runs the parts of overload.sh; see there."""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from harness import environment, wait_until

THREADS = 4  # of all workers
WORKERS = 2
SERVICE_MS = 2
ROOM = 2_000  # max_jobs of the queue
PRODUCERS = 2
AHEAD = 64  # jobs in a producer's own buffer
TIMES = 10  # so often what the workers can do is offered
MEMORY_MAX = "256MiB"
RSS_GROWTH_MAX = 0.10
GOODPUT_MIN = 0.90
BATCH = 20  # scans submitted at once
BREAKER_OPENS, BREAKER_CLOSES = "circuit breaker opened", "circuit breaker closed"  # in a worker's log


def say(text):
    print(text, file=sys.stderr, flush=True)


class Programs:
    """Processes of one part, ended by their ids."""

    def __init__(self, binaries, tools, directory):
        self.binaries, self.tools, self.dir = binaries, tools, directory
        self.running = []
        self.broker = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            self.end(process)

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def start(self, program, *arguments, name=""):
        log = self.dir / f"{name or program}.log"
        with open(log, "ab") as out:
            process = subprocess.Popen([self.binaries / program, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=subprocess.STDOUT, env=environment())
        process.log = log
        self.running.append(process)
        return process

    def start_broker(self, *arguments):
        file = self.dir / "endpoint"
        process = self.start("scanmq-broker", "--listen", "tcp://127.0.0.1:0", "--endpoint-file", file, "--data",
                             self.dir / "data", "--http", "none", "--log", "warn", *arguments)

        def endpoint():
            assert process.poll() is None, process.log.read_text()
            return file.exists() and file.read_text().splitlines()

        self.broker = wait_until(endpoint, "the broker listens")[0]
        return process

    def start_worker(self, name, *arguments):
        return self.start("scanmq-worker", "--broker", self.broker, "--name", name, *arguments, name=name)

    def scanmq(self, *arguments, stdin=None):
        done = subprocess.run([self.binaries / "scanmq", *map(str, arguments), "--json"], input=stdin, text=True,
                              capture_output=True, timeout=120, env=environment(SCANMQ_BROKER=self.broker), check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout.splitlines()[-1])

    def load(self, *arguments):
        done = subprocess.run([self.tools / "test-overload-load", "--broker", self.broker, *map(str, arguments)],
                              capture_output=True, text=True, env=environment(), check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout.splitlines()[-1])


class Memory(threading.Thread):
    """A process's memory, every quarter of a second from `after_s` on."""

    def __init__(self, pid, after_s):
        super().__init__(daemon=True)
        self.status = pathlib.Path(f"/proc/{pid}/status")
        self.after_s = after_s
        self.samples = []
        self.over = threading.Event()

    def run(self):
        if self.over.wait(self.after_s):
            return
        while not self.over.wait(0.25):
            lines = dict(line.split(":", 1) for line in self.status.read_text().splitlines())
            self.samples.append(int(lines["VmRSS"].split()[0]) * 1024)

    def stop(self):
        self.over.set()
        self.join()
        return self.samples


def overload(programs, seconds):
    """Ten times the service rate: memory, goodput, waiting time."""
    broker = programs.start_broker("--memory-max", MEMORY_MAX)
    programs.scanmq("queue", "create", "work", f"max_jobs={ROOM}", "stream_max_bytes=4MiB")
    for i in range(WORKERS):
        programs.start_worker(f"w{i}", "--threads", THREADS // WORKERS, "--scanner", "noop", "--noop-service",
                              f"{SERVICE_MS}ms", "--log", "warn")
    nominal = THREADS * 1000 / SERVICE_MS
    say("==> what the workers can do: offered a little more for 8 s")
    capacity = programs.load("--queue", "work", "--rate", nominal * 1.3, "--seconds", 8, "--warm-up", 2, "--producers",
                             PRODUCERS, "--ahead", AHEAD)["done_per_s"]
    say(f"    {capacity:.0f} jobs/s")
    say(f"==> {TIMES} times as much for {seconds} s")
    warm_up = max(2.0, seconds / 2)
    memory = Memory(broker.pid, warm_up)
    memory.start()
    load = programs.load("--queue", "work", "--rate", capacity * TIMES, "--seconds", seconds, "--warm-up", warm_up,
                         "--producers", PRODUCERS, "--ahead", AHEAD)
    samples = memory.stop()
    assert samples, "the run was too short to look at the broker's memory"
    goodput = load["done_per_s"]
    in_pipes = ROOM + PRODUCERS * AHEAD + THREADS * 4
    out = {
        "capacity_per_s": capacity,
        "goodput_per_s": goodput,
        "goodput_share": goodput / capacity,
        "rss_bytes": {"least": min(samples), "most": max(samples)},
        "rss_growth": max(samples) / min(samples) - 1,
        "waiting_us": load["latency_us"],
        "waiting_bound_us": in_pipes / goodput * 1e6,
        **{key: load[key] for key in ("offered", "held", "taken", "done", "lost", "doubled")},
    }
    missed = []
    if out["goodput_share"] < GOODPUT_MIN:
        missed.append("goodput")
    if out["rss_growth"] > RSS_GROWTH_MAX:
        missed.append("rss")
    if out["waiting_us"]["p99"] > 1.1 * out["waiting_bound_us"]:  # the rate is a mean
        missed.append("waiting")
    if out["done"] != out["taken"]:
        missed.append("done")
    return out, missed


class Scanner:
    """scanmq-scanner, always on the same port, with a fault that can be set."""

    def __init__(self, programs):
        self.programs, self.port, self.process = programs, 0, None

    def start(self):
        self.process = self.programs.start("scanmq-scanner", "--http", f"127.0.0.1:{self.port}", "--debug", "--threads",
                                           2, name="scanner")
        wait_until(self.listens, "the scanner listens")

    def listens(self):
        assert self.process.poll() is None, self.process.log.read_text()
        if not self.port:
            found = re.search(r"127\.0\.0\.1:([1-9]\d*)", self.process.log.read_text())
            self.port = int(found[1]) if found else 0
        return self.port and self.answers()

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def fault(self, text):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/debug/fault", text.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status < 300, answer.status


class Results(threading.Thread):
    """The entries of a queue, with the moment each was seen."""

    def __init__(self, programs, queue):
        super().__init__(daemon=True)
        self.process = subprocess.Popen([programs.binaries / "scanmq", "watch", queue, "--from", "earliest", "--json"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                        env=environment(SCANMQ_BROKER=programs.broker))
        programs.running.append(self.process)
        self.seen = []  # (moment, id, outcome)

    def run(self):
        for line in self.process.stdout:
            entry = json.loads(line)
            if "id" in entry:  # not the closing line
                self.seen.append((time.monotonic(), entry["id"], entry["outcome"]))

    def done_after(self, moment):
        return next((at for at, _, outcome in self.seen if at > moment and outcome == "done"), None)


class Submitter(threading.Thread):
    """A batch of scans now and then, until told to stop."""

    def __init__(self, programs, label):
        super().__init__(daemon=True)
        self.programs, self.label = programs, label
        self.over = threading.Event()
        self.ids = []

    def run(self):
        while not self.over.wait(0.2):
            requests = "".join(json.dumps({"limit": i + 1}) + "\n" for i in range(BATCH))
            answer = self.programs.scanmq("submit", "scans", "--subject", "run", "--snapshot", self.label,
                                          stdin=requests)
            self.ids += [job["id"] for job in answer["jobs"]]

    def stop(self):
        self.over.set()
        self.join()


def failing_scanner(programs, seconds):
    """A remote scanner that is killed, slowed and broken in turn: how soon it is noticed, and nothing is lost."""
    programs.start_broker()
    scanner = Scanner(programs)
    scanner.start()
    market = programs.dir / "market"
    programs.scanmq("sample-market", "--symbols", 1, "--out", market)
    label = programs.scanmq("snapshot", "put", market)["snapshots"][0]["label"]
    programs.scanmq("queue", "create", "scans")
    workers = [programs.start_worker(f"w{i}", "--scanner", "http", "--scanner-url", f"http://127.0.0.1:{scanner.port}",
                                     "--scanner-timeout", "2s", "--log", "info") for i in range(WORKERS)]
    results, submitter = Results(programs, "scans"), Submitter(programs, label)
    results.start()
    submitter.start()
    wait_until(lambda: len(results.seen) > 50, "scans are done")

    def said(words, marks):
        return all(words in worker.log.read_text()[mark:] for worker, mark in zip(workers, marks))

    out, missed = {}, []
    hold = max(2.0, min(6.0, seconds / 5))
    for fault in ("killed", "slow:5s", "status:500", "garbage"):
        say(f"==> the scanner is {fault} for {hold:.0f} s")
        marks = [len(worker.log.read_text()) for worker in workers]
        began = time.monotonic()
        if fault == "killed":
            scanner.kill()
        else:
            scanner.fault(fault)
        wait_until(lambda: said(BREAKER_OPENS, marks), f"the breakers open: {fault}", 20)
        noticed = time.monotonic() - began
        wait_until(lambda: time.monotonic() > began + hold, "the fault has lasted")
        if fault == "killed":
            scanner.start()
        else:
            scanner.fault("none")
        back = time.monotonic()
        resumed = wait_until(lambda: results.done_after(back), "work resumes", 30) - back
        wait_until(lambda: said(BREAKER_CLOSES, marks), f"the breakers close: {fault}", 30)
        out[fault] = {"breaker_opens_s": noticed, "resumes_s": resumed}
        say(f"    breakers open after {noticed:.2f} s, work goes on {resumed:.2f} s after its return")
    if out["killed"]["breaker_opens_s"] > 1.0:
        missed.append("breaker")
    # After the others it has calls under way that are still slow or broken: told, not judged.
    if out["killed"]["resumes_s"] > 2.0:
        missed.append("resume")
    submitter.stop()
    wait_until(lambda: len(results.seen) >= len(submitter.ids), "every scan has ended")
    outcomes = collections.Counter(outcome for _, _, outcome in results.seen)
    out["jobs"], out["outcomes"] = len(submitter.ids), dict(outcomes)
    if outcomes["done"] != len(submitter.ids) or {one for _, one, _ in results.seen} != set(submitter.ids):
        missed.append("done")
    return out, missed


PARTS = {"overload": overload, "scanner": failing_scanner}


def main():
    parser = argparse.ArgumentParser(prog="overload.sh", description="What scanmq does under too much load.")
    parser.add_argument("seconds", type=float, help="how long the overload lasts")
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--tools", type=pathlib.Path, required=True)
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part; may be repeated")
    options = parser.parse_args()
    figures, missed = {"seconds": options.seconds}, []
    for name in options.part or PARTS:
        with tempfile.TemporaryDirectory(prefix="scanmq-overload-") as directory:
            with Programs(options.bin, options.tools, pathlib.Path(directory)) as programs:
                figures[name], what = PARTS[name](programs, options.seconds)
        missed += [f"{name}.{one}" for one in what]
    figures["missed"] = missed
    print(json.dumps(figures))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
