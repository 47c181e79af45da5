"""The load generator counts every job, and leaves nothing running."""

import pathlib

from harness import OK, Case


def connected_processes(endpoint):
    """Processes whose command line names the broker's endpoint."""
    found = []
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if endpoint.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


class Bench(Case):
    def run_bench(self, *arguments):
        answer = self.scanmq("bench", "--json", "--timeout", "30s", *arguments)
        self.assertEqual(OK, answer.code, answer.err + answer.out)
        result = answer.json()
        self.assertEqual((0, 0, 0, 0, 0), tuple(result[key] for key in
                                                ("lost", "duplicated", "failed", "refused", "foreign")))
        self.assertGreater(result["broker_rss_bytes"], 1 << 20)
        return result

    def test_throughput(self):
        result = self.run_bench("--self-contained", "--jobs", 5000, "--seconds", 0, "--warm-up", 20)
        self.assertEqual(5000, result["jobs"])
        self.assertGreater(result["jobs_per_s"], 0)
        self.assertLessEqual(result["latency_us"]["p50"], result["latency_us"]["max"])

    def test_many_of_each(self):
        result = self.run_bench("--self-contained", "--jobs", 3001, "--seconds", 0, "--warm-up", 5, "--producers", 3,
                                "--subscribers", 2, "--workers", 3, "--batch", 7, "--payload-bytes", 1000,
                                "--window", 500)
        self.assertEqual(3001, result["jobs"])

    def test_closed_loop(self):
        result = self.run_bench("--self-contained", "--mode", "closed", "--jobs", 200, "--seconds", 0,
                                "--warm-up", 20)
        self.assertEqual((200, 1), (result["jobs"], result["batch"]))
        self.assertGreater(result["latency_us"]["p50"], 0)

    def test_open_loop_keeps_its_rate(self):
        result = self.run_bench("--self-contained", "--mode", "open", "--rate", 500, "--jobs", 250, "--warm-up", 5)
        self.assertEqual(250, result["jobs"])
        self.assertGreaterEqual(result["seconds"], 249 / 500)

    def test_fill(self):
        result = self.run_bench("--self-contained", "--fill", 20000)
        self.assertEqual(("fill", 20000, 0), (result["mode"], result["jobs"], result["workers"]))

    def test_durable_brokers_leave_nothing_behind(self):
        temporary = self.dir / "tmp"
        temporary.mkdir()
        for durability in ("sync", "async"):
            answer = self.scanmq("bench", "--self-contained", "--durability", durability, "--jobs", 500, "--seconds", 0,
                                 "--warm-up", 5, "--json", TMPDIR=str(temporary))
            self.assertEqual([], list(temporary.iterdir()))
            if "unknown option --durability" in answer.err:
                self.skipTest(f"the broker does not have it yet: {answer.err}")
            self.assertEqual(OK, answer.code, answer.err)
            self.assertEqual((500, durability), (answer.json()["jobs"], answer.json()["durability"]))

    def test_on_a_running_broker_it_takes_its_queue_away(self):
        self.start_broker()
        self.run_bench("--jobs", 1000, "--seconds", 0, "--warm-up", 5)
        self.assertEqual([], self.ok("queue", "list", "--json").json()["queues"])
        self.assertEqual([], self.ok("worker", "list", "--json").json()["workers"])
        self.assertEqual([], connected_processes(self.broker))
