"""Runs the parts of overload.sh; see there."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

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
    warm_up = max(2.0, seconds / 3)
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
    if out["waiting_us"]["p99"] > out["waiting_bound_us"]:
        missed.append("waiting")
    if out["done"] != out["taken"]:
        missed.append("done")
    return out, missed


PARTS = {"overload": overload}


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
