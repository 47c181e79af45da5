"""The scan service as a process, asked the way an existing Python client asks: standard library only."""

import hashlib
import http.client
import json
import signal
import threading
import urllib.error
import urllib.request

import chains
from harness import USAGE, Case, wait_until

SPREAD = {"long_leg", "short_leg", "net_debit", "max_profit", "max_loss", "breakeven", "probability_profit", "score"}
LEG = {"symbol", "expiry", "strike", "right", "delta", "theta", "vega", "iv", "volume", "open_interest", "bid", "ask",
       "last"}
PATIENCE_S = 60


class Client:
    """What such a client has: a base address, JSON in and out."""

    def __init__(self, base):
        self.base = base

    def call(self, method, path, body=None, headers=None):
        """Status, headers, body as JSON where it is."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers or {})
        if data is not None and "Content-type" not in request.headers:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.headers, self.parse(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, self.parse(error)

    @staticmethod
    def parse(answer):
        text = answer.read()
        return json.loads(text) if answer.headers.get_content_type() == "application/json" else text

    def scan(self, **request):
        status, _, body = self.call("POST", "/api/v1/scan", request)
        assert status == 200, (status, body)
        return body["spreads"]

    def connection(self):
        return http.client.HTTPConnection(self.base.removeprefix("http://"), timeout=PATIENCE_S)


class ScannerService(Case):
    def serve(self, *arguments):
        """Starts the service; returns its process and a client."""
        process, base = self.start_scanner(*arguments)
        return process, Client(base)

    def vendor_file(self):
        file = self.dir / "tst.csv"
        file.write_text(chains.cboe(), encoding="utf-8")
        return file

    def test_a_client_scans_a_vendor_file(self):
        _, client = self.serve("--chains", self.vendor_file())
        spreads = client.scan(
            symbol="TST", limit=5, sort_by="score",
            filters=[{"type": "delta", "params": {"min_delta": 0.05, "max_delta": 0.5, "absolute": True}},
                     {"type": "dte", "params": {"min_dte": 1, "max_dte": 90}},
                     {"type": "liquidity", "params": {"min_volume": 10, "min_open_interest": 100,
                                                      "max_bid_ask_spread": 1.0}},
                     {"type": "iv", "params": {"min": 0.1, "max": 1.0}},
                     {"type": "spread_width", "params": {"min": 5, "max": 10}},
                     {"type": "probability_profit", "params": {"min": 0.3, "max": None}}])
        self.assertTrue(0 < len(spreads) <= 5)
        self.assertEqual(sorted((s["score"] for s in spreads), reverse=True), [s["score"] for s in spreads])
        for spread in spreads:
            self.assertEqual(SPREAD, set(spread))
            self.assertEqual(LEG, set(spread["long_leg"]))
            self.assertEqual(LEG, set(spread["short_leg"]))
            long, short = spread["long_leg"], spread["short_leg"]
            self.assertEqual("2023-10-20", long["expiry"])
            self.assertIn(abs(long["strike"] - short["strike"]), (5, 10))
            # Bought at the ask, sold at the bid; a credit is negative.
            self.assertAlmostEqual(long["ask"] - short["bid"], spread["net_debit"], delta=0.05)
            self.assertTrue(0.05 <= abs(short["delta"]) <= 0.5)
            self.assertGreaterEqual(spread["probability_profit"], 0.3)
            width = abs(long["strike"] - short["strike"])
            fees = width - spread["max_profit"] - spread["max_loss"]
            self.assertAlmostEqual(0, fees, delta=0.05)
        best = client.scan(symbol="TST", limit=1, sort_by="probability_profit")
        everything = client.scan(symbol="TST", limit=10000)
        self.assertEqual(max(s["probability_profit"] for s in everything), best[0]["probability_profit"])

    def test_errors_name_the_field_and_the_nearest_word(self):
        _, client = self.serve("--chains", self.vendor_file())
        for request, status, code, part in (
                ({"symbol": "TSTT"}, 404, "unknown_symbol", "did you mean TST?"),
                ({"symbol": "TST", "filters": [{"type": "dleta"}]}, 400, "unknown_filter", '"delta"'),
                ({"symbol": "TST", "sort_by": "scroe"}, 400, "bad_value", '"score"'),
                ({"symbol": "TST", "strategy": "iron_condor"}, 400, "too_many_legs", "/v1/jobs"),
                ({"symbol": "TST", "limit": -1}, 400, "bad_value", "limit"),
                ({}, 400, "missing_field", "symbol")):
            answer = client.call("POST", "/api/v1/scan", request)
            self.assertEqual(status, answer[0], request)
            self.assertEqual(code, answer[2]["error"]["code"], request)
            self.assertIn(part, answer[2]["error"]["sentence"], request)

    def test_batches_lists_health_and_metrics(self):
        self.ok("sample-market", "--symbols", 5, "--out", self.dir / "market")
        symbols = sorted(file.stem for file in (self.dir / "market").iterdir())
        _, client = self.serve("--chains", self.dir / "market")
        status, headers, batch = client.call("POST", "/api/v1/scan/batch", {"symbols": symbols, "limit": 7})
        self.assertEqual(202, status)
        self.assertEqual({"job_id", "status", "symbols", "progress"}, set(batch))
        self.assertEqual(symbols, batch["symbols"])

        def completed():
            _, _, state = client.call("GET", headers["Location"])
            return state["status"] == "completed" and state

        state = wait_until(completed, "the batch is done")
        self.assertEqual(7, len(state["spreads"]))
        singles = [spread for symbol in symbols for spread in client.scan(symbol=symbol, limit=7)]
        self.assertEqual(max(s["score"] for s in singles), state["spreads"][0]["score"])
        for path in ("/health", "/healthz"):
            status, headers, health = client.call("GET", path)
            self.assertEqual((200, "ok", 5), (status, health["status"], health["symbols"]))
            self.assertTrue(headers["X-Scanmq-Scanner-Version"].startswith("scanmq-scanner/"))
        _, _, numbers = client.call("GET", "/metrics", headers={"Accept": "application/json"})
        self.assertEqual(6, numbers["scans_completed_total"])
        _, _, text = client.call("GET", "/metrics", headers={"Accept": "text/plain"})
        self.assertIn(b"scanmq_scanner_scans_completed_total 6", text)
        self.assertIn("delta", [f["type"] for f in client.call("GET", "/api/v1/filters")[2]["filters"]])
        for preset in client.call("GET", "/api/v1/filters/presets")[2]["presets"]:
            check = client.call("POST", "/api/v1/filters/validate", {"filters": preset["filters"]})[2]
            self.assertEqual({"valid": True, "errors": []}, check, preset["name"])
            client.scan(symbol=symbols[0], filters=preset["filters"])
        self.assertIn("/api/v1/scan", client.call("GET", "/api/v1/openapi.json")[2]["paths"])

    def test_one_connection_serves_many_requests_and_lines(self):
        _, client = self.serve("--chains", self.vendor_file())
        connection = client.connection()
        body = json.dumps({"symbol": "TST", "limit": 2})
        answers = set()
        for _ in range(50):
            connection.request("POST", "/api/v1/scan", body, {"Content-Type": "application/json"})
            answers.add(connection.getresponse().read())
        self.assertEqual(1, len(answers))
        connection.request("POST", "/api/v1/scan", body, {"Accept": "application/x-ndjson"})
        lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        self.assertEqual("accepted", lines[0]["type"])
        self.assertEqual(json.loads(answers.pop())["spreads"], lines[-1]["spreads"])
        connection.close()
        numbers = client.call("GET", "/metrics", headers={"Accept": "application/json"})[2]
        self.assertEqual(2, numbers["http_connections_total"])

    def test_snapshots_are_put_by_their_hash(self):
        self.ok("sample-market", "--symbols", 1, "--out", self.dir / "market")
        snapshot = next((self.dir / "market").iterdir())
        _, client = self.serve()
        self.assertEqual(404, client.call("POST", "/api/v1/scan", {"symbol": snapshot.stem})[0])
        data = snapshot.read_bytes()
        name = hashlib.blake2b(data, digest_size=32).hexdigest()
        for wanted in (201, 200):
            status, _, body = client.call("PUT", "/api/v1/snapshots/" + name, data)
            self.assertEqual((wanted, snapshot.stem), (status, body["symbol"]))
        self.assertEqual(422, client.call("PUT", "/api/v1/snapshots/" + "0" * 64, data)[0])
        self.assertTrue(client.scan(symbol=snapshot.stem, limit=1))
        # A worker's call, written by hand: [request bin, inputs [hash bin], nil].
        request = b'{"limit": 1}'
        call = (b"\x93\xc4" + bytes([len(request)]) + request + b"\x91\xc4\x20" + bytes.fromhex(name) + b"\xc0")
        status, headers, result = client.call("POST", "/api/v1/scan", call, {"Content-Type": "application/msgpack"})
        self.assertEqual((200, "application/msgpack"), (status, headers["Content-Type"]))
        self.assertIn(b"spreads", result)
        call = call.replace(bytes.fromhex(name), b"\x01" * 32)
        status, _, refused = client.call("POST", "/api/v1/scan", call, {"Content-Type": "application/msgpack"})
        self.assertEqual((409, "unknown_snapshot"), (status, refused["error"]["code"]))
        self.assertEqual(["01" * 32], refused["error"]["hashes"])

    def test_too_many_wait_and_are_told_when_to_come_back(self):
        _, client = self.serve("--chains", self.vendor_file(), "--concurrency", 1, "--queue", 1, "--debug")
        self.assertEqual(200, client.call("PUT", "/debug/fault", b"slow:1h")[0])
        held = [client.connection() for _ in range(2)]
        for i, connection in enumerate(held):
            connection.request("POST", "/api/v1/scan", json.dumps({"symbol": "TST"}))
            wait_until(lambda n=i + 1: sum(client.call("GET", "/health")[2][k] for k in ("running", "waiting")) == n,
                       "the scan has its place")
        status, headers, body = client.call("POST", "/api/v1/scan", {"symbol": "TST"})
        self.assertEqual((429, "busy"), (status, body["error"]["code"]))
        self.assertGreaterEqual(int(headers["Retry-After"]), 1)
        for connection in held:
            connection.close()
        wait_until(lambda: client.call("GET", "/health")[2]["running"] == 0, "scans end with their clients")
        client.call("PUT", "/debug/fault", b"status:500")
        self.assertEqual(500, client.call("POST", "/api/v1/scan", {"symbol": "TST"})[0])
        client.call("PUT", "/debug/fault", b"none")
        self.assertTrue(client.scan(symbol="TST"))

    def test_sigterm_drains(self):
        process, client = self.serve("--chains", self.vendor_file(), "--fault", "slow:1s")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(client.call("POST", "/api/v1/scan", {"symbol": "TST"})))
        asking.start()
        wait_until(lambda: client.call("GET", "/health")[2]["running"] == 1, "the scan runs")
        process.popen.send_signal(signal.SIGTERM)

        def draining():
            status, _, health = client.call("GET", "/healthz")
            return status == 503 and health["status"] == "draining"

        wait_until(draining, "health says that it drains")
        self.assertEqual(503, client.call("POST", "/api/v1/scan", {"symbol": "TST"})[0])
        asking.join(PATIENCE_S)
        self.assertEqual(200, answers[0][0])
        self.assertEqual(0, process.popen.wait(PATIENCE_S))

    def test_wrong_options_are_named(self):
        for arguments, part in ((("--fault", "smoke"), "slow:DURATION"), (("--http", "0.0.0.0:0"), "--insecure"),
                                (("--threads", "1", "--concurrency", "2"), "--threads")):
            process = self.start("scanmq-scanner", *arguments)
            self.assertEqual(USAGE, process.popen.wait(PATIENCE_S))
            self.assertIn(part, process.output())
        process = self.start("scanmq-scanner", "--http", "127.0.0.1:0", "--chains", str(self.dir / "none"))
        self.assertEqual(1, process.popen.wait(PATIENCE_S))
        self.assertIn("--chains", process.output())
