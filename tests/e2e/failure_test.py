"""Workers and brokers that end in mid-run: nothing is lost, nothing comes twice."""

import json

from harness import Case, wait_until

JOBS = 800


class Failures(Case):
    def setUp(self):
        super().setUp()
        self.broker_process = self.start_broker("--heartbeat", "500ms", "--dead-after", "3s")
        self.ok("sample-market", "--symbols", 1, "--out", self.dir / "market")
        self.label = self.ok("snapshot", "put", self.dir / "market", "--json").json()["snapshots"][0]["label"]
        self.ok("queue", "create", "scans")

    def submit_scans(self):
        """JOBS scans of one chain, each of another request; their ids."""
        requests = "".join(json.dumps({"limit": i % 50 + 1, "fee_per_contract": i / JOBS}) + "\n" for i in range(JOBS))
        jobs = self.ok("submit", "scans", "--subject", "run", "--snapshot", self.label, "--json",
                       stdin=requests).json()["jobs"]
        self.assertEqual(JOBS, len({job["id"] for job in jobs}))
        return {job["id"] for job in jobs}

    def wait_mid_run(self):
        """Until some are done, some run and some wait."""

        def busy():
            row = self.queue("scans")
            return row["done"] > 0 and row["running"] > 0 and row["done"] < JOBS

        wait_until(busy, "the run is under way")

    def check_each_once(self, ids):
        watched = self.ok("watch", "scans", "--from", "earliest", "--count", JOBS, "--json")
        entries = [json.loads(line) for line in watched.out.splitlines()]
        self.assertEqual(sorted(ids), sorted(entry["id"] for entry in entries))
        self.assertEqual({"done"}, {entry["outcome"] for entry in entries})
        row = self.queue("scans")
        self.assertEqual((JOBS, JOBS, 0, 0, 0), (row["submitted"], row["done"], row["waiting"], row["running"],
                                                 row["dead"]))

    def test_killed_worker_loses_nothing(self):
        killed = self.start_worker(name="killed")
        ids = self.submit_scans()
        self.wait_mid_run()
        killed.kill()
        self.start_worker(name="survivor")
        self.check_each_once(ids)

    def test_sigterm_drains_a_worker(self):
        drained = self.start_worker(name="drained")
        ids = self.submit_scans()
        self.wait_mid_run()
        self.assertEqual(0, drained.terminate(), drained.output())
        row = self.queue("scans")
        self.assertEqual(0, row["running"])
        self.assertEqual(JOBS, row["done"] + row["waiting"])
        self.start_worker(name="survivor")
        self.check_each_once(ids)

    def test_broker_stops_cleanly_with_work_under_way(self):
        worker = self.start_worker()
        self.submit_scans()
        self.wait_mid_run()
        self.assertEqual(0, self.broker_process.terminate(), self.broker_process.output())
        self.assertTrue(worker.alive())
        self.assertEqual(0, worker.terminate(), worker.output())
