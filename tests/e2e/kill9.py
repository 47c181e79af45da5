"""Runs the rounds of kill9.sh; see there. Kills come from the seed alone; what they hit depends on the machine."""

import argparse
import collections
import ctypes
import dataclasses
import heapq
import itertools
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import kill9_check
from harness import BIN, environment

PATIENCE_S = 60.0  # for the drain after the last kill, and for each program that should end
QUEUE = "work"
# Nothing may die of its crashes here: a lost job would hide behind a dead letter.
SETTINGS = ("max_crashes=100", "max_attempts=100", "retry_base_ms=10", "retry_cap_ms=100",
            "stream_max_bytes=8GiB", "max_bytes=4GiB")
PR_SET_PDEATHSIG = 1


class Violation(Exception):
    """What must not happen did, or the round did not come to its end."""


@dataclasses.dataclass(order=True)
class Kill:
    at_s: float
    role: str
    down_s: float
    power_seed: int  # what a broker's lost writes are drawn from; 0: all of them are lost


def schedule(rng, seconds, workers):
    """Several kills of each role in the first `seconds`; a third of them follows the restart before closely."""
    counts = {"broker": rng.randint(2, 4), "producer": rng.randint(1, 3), "subscriber": rng.randint(1, 3),
              "durable": rng.randint(1, 3), **{f"worker-{i}": rng.randint(1, 2) for i in range(1, workers + 1)}}
    kills = []
    for role, count in counts.items():
        free = 0.0
        for at in sorted(rng.uniform(0.05, 1.0) * seconds for _ in range(count)):
            close = free > 0.0 and rng.random() < 0.33
            at = free + rng.uniform(0.005, 0.3) if close else max(at, free + 0.005)
            down = rng.choice((0.0, rng.uniform(0.0, 0.4)))
            kills.append(Kill(at, role, down, rng.choice((0, rng.randrange(1, 1 << 32)))))
            free = at + down
    return sorted(kills)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def free_ports(count):
    """Ports that are free now and that no outgoing connection is given: below the ephemeral range."""
    found = []
    while len(found) < count:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


class Role:
    """A program that is started, killed and started again."""

    def __init__(self, name, command, log):
        self.name = name
        self.command = list(map(str, command))
        self.log = log
        self.popen = None
        self.done = False  # it ended by itself, and well
        self.kills = 0

    def start(self, **env):
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(self.command, stdout=output, stderr=subprocess.STDOUT,
                                          stdin=subprocess.DEVNULL, env=environment(**env),
                                          preexec_fn=die_with_parent)

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def kill(self):
        self.popen.kill()
        self.popen.wait(PATIENCE_S)
        self.popen = None
        self.kills += 1

    def check(self, may_end):
        """Notices an end that nobody asked for."""
        if self.popen is None or self.popen.poll() is None:
            return
        if may_end and self.popen.returncode == 0:
            self.done = True
        else:
            raise Violation(f"{self.name} ended by itself with {self.popen.returncode}; see {self.log}")

    def stop(self):
        if self.alive():
            self.popen.terminate()
            try:
                self.popen.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(PATIENCE_S)


class Round:
    def __init__(self, options, seed, directory):
        self.options = options
        self.seed = seed
        self.dir = directory
        self.rng = random.Random(seed)
        self.data = self.dir / "data"
        self.data.mkdir()
        self.help = subprocess.run([options.bin / "scanmq-broker", "--help"], capture_output=True, text=True,
                                   check=True).stdout
        self.kills = schedule(self.rng, options.seconds, self.rng.randint(2, 3))
        (self.dir / "schedule.txt").write_text("".join(f"{kill}\n" for kill in self.kills))
        main, blobs, http = free_ports(3)
        self.endpoint = f"tcp://127.0.0.1:{main}"
        self.roles = {}
        self.last_start = 0  # where the log of the broker that runs begins
        self.reader = None
        self.add_broker(blobs, http)

    def add_others(self):
        """Of the run that begins now."""
        options = self.options
        start_ms = time.time_ns() // 1_000_000
        run = ("--queue", QUEUE, "--seed", self.seed, "--start-ms", start_ms, "--jobs", options.jobs,
               "--blob-every", options.blob_every)
        subscriber = options.tools / "test-kill9-subscriber"
        (self.dir / "run.json").write_text(json.dumps({"start_ms": start_ms, **vars(options), "seed": self.seed},
                                                      default=str))
        for name in sorted({kill.role for kill in self.kills if kill.role.startswith("worker")}):
            self.add(name, options.bin / "scanmq-worker", "--name", name, "--threads", 1, "--scanner", "noop",
                     "--queues", QUEUE)
        self.add("subscriber", subscriber, *run, "--file", self.dir / "seen")
        self.add("durable", subscriber, *run, "--file", self.dir / "seen-durable", "--durable", "durable")
        self.add("producer", options.tools / "test-kill9-producer", *run, "--file", self.dir / "acknowledged",
                 "--rate", options.jobs / (0.8 * options.seconds))
        self.reader = Role("reader", (subscriber, "--broker", self.endpoint, *run, "--file", self.dir / "final",
                                      "--to-end"), self.dir / "reader.log")

    def add(self, name, program, *arguments):
        self.roles[name] = Role(name, (program, "--broker", self.endpoint, *arguments), self.dir / f"{name}.log")

    def add_broker(self, blobs, http):
        flags = ["--listen", self.endpoint, "--blob-listen", f"tcp://127.0.0.1:{blobs}", "--heartbeat", "300ms",
                 "--dead-after", "1500ms", "--adopt-window", "1s", "--data", self.data, "--durability",
                 self.options.durability, "--reserve-bytes", "1MiB"]
        # Kills have to hit checkpoints and changes of segment, and bodies that memory does not have.
        for flag, values in (("--checkpoint-interval", ("20ms", "300ms", "5s")),
                             ("--segment-bytes", ("8MiB", "64MiB")), ("--payload-bytes", ("0", "1GiB"))):
            flags += [flag, self.rng.choice(values)]
        if "--http " in self.help:
            flags += ["--http", f"127.0.0.1:{http}"]
        self.roles["broker"] = Role("broker", (self.options.bin / "scanmq-broker", *flags), self.dir / "broker.log")

    def start(self, name, power_seed=0):
        env = {}
        if name == "broker":
            self.last_start = len(self.broker_log())
        if name == "broker" and self.options.unsynced:
            env = {"LD_PRELOAD": str(self.options.tools / "libunsynced.so"), "UNSYNCED_DIR": str(self.data),
                   "UNSYNCED_SEED": str(power_seed)}
        self.roles[name].start(**env)

    def scanmq(self, *arguments):
        return subprocess.run([self.options.bin / "scanmq", *arguments, "--broker", self.endpoint, "--json",
                               "--timeout", "10s"], capture_output=True, text=True, env=environment(), check=False)

    def watch(self):
        for name, role in self.roles.items():
            role.check(may_end=name == "producer")

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.watch()
            if time.monotonic() > deadline:
                raise Violation(f"timed out waiting until {what}")
            time.sleep(0.02)

    def queue_row(self):
        answer = self.scanmq("queue", "list", QUEUE)
        rows = json.loads(answer.stdout)["queues"] if answer.returncode == 0 else []
        return rows[0] if rows else None

    def cursor(self, name):
        """Where a subscriber's file ends."""
        path = self.dir / name
        size = path.stat().st_size if path.exists() else 0
        if size == 0:
            return 0
        with open(path, "rb") as file:
            file.seek(max(0, size - 4096))
            ends = [line for line in file.read().split(b"\n")[:-1] if line.startswith(b"C ")]
        return int(ends[-1].split()[2]) if ends else 0

    def drained(self):
        if not self.roles["producer"].done:
            return False
        row = self.queue_row()
        return row is not None and row["waiting"] + row["delayed"] + row["running"] == 0 and \
            all(self.cursor(name) == row["stream_next"] for name in ("seen", "seen-durable"))

    def faults(self):
        began = time.monotonic()
        tie = itertools.count()
        due = [(kill.at_s, next(tie), kill, True) for kill in self.kills]
        heapq.heapify(due)
        while due:
            at, _, kill, kills = heapq.heappop(due)
            while time.monotonic() < began + at:
                self.watch()
                time.sleep(min(0.01, max(0.0, began + at - time.monotonic())))
            role = self.roles[kill.role]
            role.check(may_end=kill.role == "producer")
            if not kills:
                self.start(kill.role, kill.power_seed)
            elif not role.done:
                role.kill()
                heapq.heappush(due, (at + kill.down_s, next(tie), kill, False))

    def run(self):
        self.start("broker")
        if self.rng.random() < 0.3:
            # Its first start, with nothing in the folder yet.
            time.sleep(self.rng.uniform(0.0, 0.1))
            self.roles["broker"].kill()
            self.start("broker", self.rng.choice((0, self.rng.randrange(1, 1 << 32))))
        self.until(lambda: self.scanmq("queue", "create", QUEUE, *SETTINGS).returncode == 0, "the queue is made")
        self.add_others()
        for name in self.roles:
            if name != "broker":
                self.start(name)
        self.faults()
        self.until(self.drained, "everything is acknowledged, ended and seen")
        # What is read in the end is what a broker finds on its disk.
        self.roles["broker"].kill()
        self.start("broker", self.rng.choice((0, self.rng.randrange(1, 1 << 32))))
        self.reader.start()
        self.until(lambda: self.reader.check(may_end=True) or self.reader.done, "the whole stream is read")
        for role in reversed(self.roles.values()):
            if not role.done:
                role.stop()
        if self.options.unsynced and "unsynced: watching" not in self.broker_log()[self.last_start:]:
            raise Violation("the broker runs without libunsynced.so")

    def broker_log(self):
        log = self.roles["broker"].log
        return log.read_text(errors="replace") if log.exists() else ""

    def undone(self):
        """Names and bytes that brokers lost because they were not synced."""
        found = re.findall(r"undid (\d+) names, \d+ files, (\d+) bytes", self.broker_log())
        return sum(int(names) for names, _ in found), sum(int(size) for _, size in found)

    def stop(self):
        for role in (*self.roles.values(), self.reader):
            if role is not None and role.alive():
                role.popen.kill()
                role.popen.wait(PATIENCE_S)

    def report(self):
        problems = []
        try:
            self.run()
        except (Violation, subprocess.SubprocessError) as problem:
            problems.append(str(problem))
        finally:
            self.stop()
        report = kill9_check.check(self.dir / "acknowledged", (self.dir / "seen", self.dir / "seen-durable"),
                                   self.dir / "final", self.options.jobs)
        report.problems[:0] = problems
        return report


def line_of(number, one, report, seconds):
    kills = collections.Counter()
    for role in one.roles.values():
        kills[role.name.partition("-")[0]] += role.kills
    killed = " ".join(f"{kind} {count}" for kind, count in kills.items())
    undone = "; undone {} names {} bytes".format(*one.undone()) if one.options.unsynced else ""
    return (f"round {number} seed {one.seed}: killed {killed}; acknowledged {report.acknowledged} "
            f"delivered {report.delivered} lost {report.lost} unexpected {report.unexpected} "
            f"duplicated {report.duplicated}; seen again {report.seen_again}{undone}; {seconds:.1f} s; "
            f"{'FAILED' if report.problems else 'ok'}")


def run_rounds(options):
    """True when no round had a violation."""
    failed = []
    jobs = kills = 0
    began = time.monotonic()
    for number in range(1, options.rounds + 1):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="scanmq-kill9-", dir=options.dir))
        started = time.monotonic()
        one = Round(options, options.seed + number - 1, directory)
        report = one.report()
        print(line_of(number, one, report, time.monotonic() - started), flush=True)
        jobs += report.acknowledged
        kills += sum(role.kills for role in one.roles.values())
        if report.problems:
            failed.append(one.seed)
            for problem in report.problems:
                print(f"  {problem}", flush=True)
        if report.problems or options.keep:
            print(f"  data and logs: {directory}", flush=True)
        else:
            shutil.rmtree(directory)
    print(f"{options.rounds} rounds, {kills} kills, {jobs} jobs acknowledged, {time.monotonic() - began:.0f} s: "
          + (f"violations with seeds {failed}" if failed else "no violation"), flush=True)
    return not failed


def main():
    parser = argparse.ArgumentParser(prog="kill9.sh", description="Kills everything at random moments, then counts.")
    parser.add_argument("rounds", type=int)
    parser.add_argument("jobs", type=int, help="of one round")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31), help="of the first round")
    parser.add_argument("--unsynced", action="store_true", help="a killed broker loses what it did not sync")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one round in which kills come")
    parser.add_argument("--durability", default="sync", help="the broker's; any but sync must fail")
    parser.add_argument("--blob-every", type=int, default=1024, help="one job in so many has a blob; 0: none")
    parser.add_argument("--keep", action="store_true", help="data and logs of good rounds, too")
    parser.add_argument("--dir", type=pathlib.Path, default=None, help="for data and logs")
    parser.add_argument("--bin", type=pathlib.Path, default=BIN, help="of the programs under test")
    parser.add_argument("--tools", type=pathlib.Path, default=BIN, help="of the test's own programs")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))  # through the finally that ends what was started
    return 0 if run_rounds(options) else 1


if __name__ == "__main__":
    sys.exit(main())
