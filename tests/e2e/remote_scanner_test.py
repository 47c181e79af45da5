"""Workers with a scan service apart: whatever happens to it, every job ends well."""

import http.server
import json
import re
import threading
import time
import urllib.request

from harness import Case, wait_until

SLACK = 4.0  # of times promised for a machine that does nothing else


class Feeder:
    """Submits small batches, as long as it is asked to, and counts the jobs accepted."""

    def __init__(self, case, queue):
        self.case = case
        self.queue = queue
        self.jobs = 0
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        batch = 15
        request = json.dumps({"strategies": ["bull_put"], "limit": 5,
                              "filters": [{"type": "dte", "params": {"min": 3, "max": 30}}]})
        while not self.stopping.is_set():
            try:
                self.case.ok("submit", self.queue, "--snapshot", "SPY", "--quiet", stdin=f"{request}\n" * batch)
            except AssertionError as error:
                self.failure = error
                return
            self.jobs += batch
            self.stopping.wait(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


class FakeScanner(http.server.ThreadingHTTPServer):
    """Answers every scan with an empty result, as the version it is told to be."""

    daemon_threads = True

    def __init__(self, version):
        self.version = version
        super().__init__(("127.0.0.1", 0), FakeScannerHandler)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class FakeScannerHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Scanmq-Scanner-Version", self.server.version)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer("application/json", b"{}")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer("application/msgpack", b"\x81\xa7spreads\x90")

    def log_message(self, *_):
        pass


class RemoteScanner(Case):
    def setUp(self):
        super().setUp()
        self.ok("sample-market", "--symbols", 3, "--out", self.dir / "market")
        self.address = "127.0.0.1:0"
        self.scanner = None

    def start_scanner(self, *arguments):
        """On the port it had before, when it is started again."""
        self.scanner = self.start("scanmq-scanner", "--http", self.address, "--threads", "1", *arguments)

        def listening():
            self.assertTrue(self.scanner.alive(), self.scanner.output())
            return re.search(r"listening on http://(127\.0\.0\.1:\d+)", self.scanner.output())

        self.address = wait_until(listening, "the scanner listens")[1]

    def start_remote_worker(self, name, *arguments):
        return self.start_worker("--scanner", "http", "--scanner-url", f"http://{self.address}", *arguments, name=name)

    def fault(self, what):
        request = urllib.request.Request(f"http://{self.address}/debug/fault", data=what.encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.assertEqual(2, answer.status // 100)

    def wait_done(self, jobs, what):
        """Seconds until the queue has so many done."""
        begin = time.monotonic()
        wait_until(lambda: self.queue("scans")["done"] >= jobs, what)
        return time.monotonic() - begin

    @staticmethod
    def wait_log(workers, text, before, begin):
        """Seconds from `begin` until each worker has said it more often than before."""
        wait_until(lambda: all(w.output().count(text) > n for w, n in zip(workers, before)), f"workers say: {text}")
        return time.monotonic() - begin

    def test_every_job_ends_well_whatever_happens_to_the_scanner(self):
        self.start_broker()
        self.start_scanner("--debug")
        # A slow scan is one of over half a second here, so that the test is not one of patience.
        workers = [self.start_remote_worker(name, "--scanner-timeout", "500ms", "--concurrency", "8")
                   for name in ("w1", "w2")]
        self.ok("snapshot", "put", self.dir / "market")
        self.ok("queue", "create", "scans", "retry_base_ms=200")
        opened = "circuit breaker opened"
        shut = "the scanner is not available"
        figures = {}

        def count(text):
            return [worker.output().count(text) for worker in workers]

        def resumes(what):
            figures[f"{what}: resumed after_s"] = round(self.wait_done(self.queue("scans")["done"] + 30, what), 2)

        with Feeder(self, "scans") as feeder:
            self.wait_done(30, "the first jobs are done")

            before, begin = count(shut), time.monotonic()
            self.scanner.kill()
            figures["killed: shut after_s"] = round(self.wait_log(workers, shut, before, begin), 2)
            self.start_scanner("--debug")
            resumes("killed")

            for what in ("slow:5s", "status:500", "garbage", "status:429"):
                before, begin = count(shut), time.monotonic()
                self.fault(what)
                if what == "status:429":
                    time.sleep(0.5)  # it may well be lived through without a word
                else:
                    figures[f"{what}: shut after_s"] = round(self.wait_log(workers, shut, before, begin), 2)
                    time.sleep(1.0)  # trials fail, work goes back and forth
                self.fault("none")
                resumes(what)
        self.assertIsNone(feeder.failure)
        self.wait_done(feeder.jobs, "every job is done")
        queue = self.queue("scans")
        print(json.dumps({"jobs": feeder.jobs, **figures}), flush=True)
        self.assertEqual((feeder.jobs, 0, 0, 0, 0), tuple(queue[k] for k in ("done", "dead", "rejected", "waiting",
                                                                             "running")))
        self.assertGreater(sum(count(opened)), 0)
        self.assertLess(figures["killed: shut after_s"], 1.0 * SLACK)
        self.assertLess(figures["killed: resumed after_s"], 2.0 * SLACK)
        for worker in workers:
            self.assertEqual(0, worker.terminate(), worker.output())

    def metric(self, name):
        request = urllib.request.Request(f"http://{self.address}/metrics", headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)[name]

    def start_slow(self):
        self.start_broker()
        self.start_scanner("--fault", "slow:1min")
        self.start_remote_worker("w1", "--scanner-timeout", "1min")
        self.ok("snapshot", "put", self.dir / "market")
        self.ok("queue", "create", "scans")

    def test_cancelling_a_job_ends_its_call(self):
        self.start_slow()
        job = self.ok("submit", "scans", "{}", "--snapshot", "SPY", "--json").json()["jobs"][0]["id"]
        wait_until(lambda: self.metric("scans_submitted_total") >= 1, "the scanner has the call")
        self.ok("job", "cancel", "scans", job)
        wait_until(lambda: self.metric("http_clients_gone_total") >= 1, "the call was hung up")
        wait_until(lambda: self.metric("scans_cancelled_total") >= 1, "the scan was cancelled")
        self.assertEqual(1, self.queue("scans")["cancelled"])

    def test_a_jobs_deadline_ends_its_call(self):
        self.start_slow()
        self.ok("submit", "scans", "{}", "--snapshot", "SPY", "--deadline", "700ms")
        wait_until(lambda: self.queue("scans")["expired"] == 1, "the job expired")
        wait_until(lambda: self.metric("scans_cancelled_total") + self.metric("scans_timeout_total") >= 1,
                   "the scan was given up")

    def test_it_gives_what_the_embedded_scanner_gives(self):
        flags = ("--dte", "3..60", "--limit", 30, "--json")
        local = self.ok("scan", "--local", self.dir / "market", *flags).json()
        self.start_broker()
        self.start_scanner()
        self.start_remote_worker("w1")
        remote = self.ok("scan", "--chains", self.dir / "market", *flags).json()
        self.assertEqual(local["spreads"], remote["spreads"])
        self.assertEqual(local["counts"], remote["counts"])
        self.assertEqual([], remote["failed"])

    def test_a_worker_waits_for_its_scanner(self):
        self.start_broker()
        self.start_scanner()
        self.scanner.kill()
        worker = self.start("scanmq-worker", "--broker", self.broker, "--name", "w1", "--scanner", "http",
                            "--scanner-url", f"http://{self.address}")
        wait_until(lambda: "waits for a scanner" in worker.output(), "the worker says what it waits for")
        self.assertEqual([], self.ok("worker", "list", "--json").json()["workers"])
        self.start_scanner()
        wait_until(lambda: self.ok("worker", "list", "--json").json()["workers"], "the worker has a session")
        self.assertEqual(0, worker.terminate(), worker.output())

    def test_a_scanner_of_a_new_version_is_a_new_session(self):
        fake = FakeScanner("desk/1")
        self.addCleanup(fake.server_close)
        self.addCleanup(fake.shutdown)
        self.start_broker()
        worker = self.start_worker("--scanner", "http", "--scanner-url", fake.url)
        self.ok("queue", "create", "scans", "pure=1")

        def version():
            return self.ok("worker", "list", "--json").json()["workers"][0]["scanner_version"]

        def submit(first):
            self.ok("submit", "scans", "--quiet", stdin="".join(f"job {i}\n" for i in range(first, first + 10)))

        submit(0)
        self.wait_done(10, "the first jobs are done")
        self.assertEqual("desk/1", version())
        fake.version = "desk/2"
        self.ok("submit", "scans", "--not-pure", "one more")  # pure ones are for the old version
        self.wait_done(11, "the job that found out is done")
        self.assertEqual("desk/2", version())
        self.assertIn("a new session is begun", worker.output())
        self.assertEqual(0, self.queue("scans")["dead"])
        self.assertEqual(0, worker.terminate(), worker.output())

    def test_a_worker_that_waits_can_be_ended(self):
        self.start_scanner()
        self.scanner.kill()
        worker = self.start("scanmq-worker", "--scanner", "http", "--scanner-url", f"http://{self.address}")
        wait_until(lambda: "waits for a scanner" in worker.output(), "the worker says what it waits for")
        self.assertEqual(0, worker.terminate(), worker.output())

    def test_options_that_make_no_sense_are_refused(self):
        for arguments, word in ((("--scanner-url", "https://a"), "https"), (("--scanner-url", "a:1,a:1"), "twice"),
                                (("--concurrency-min", "9", "--concurrency", "8"), "calls at once")):
            worker = self.start("scanmq-worker", "--scanner", "http", *arguments)
            self.assertEqual(2, worker.popen.wait(30))
            self.assertIn(word, worker.output())
