"""One client class, used unchanged against the scan service and against the broker's HTTP API."""

import signal
import threading
import time

from harness import Case, wait_until
from scan_api import Refused, Servers

UNKNOWN_ID = "0192a3b4c5d67e8f9a0b1c2d3e4f5061"
FILTERS = [{"type": "delta", "params": {"min_delta": 0.05, "max_delta": 0.45}},
           {"type": "spread_width", "params": {"max": 20}}]
BAD_REQUESTS = (
    {"symbol": "NOPE"}, {}, {"symbol": "SPY", "sort_by": "scroe"}, {"symbol": "SPY", "filters": [{"type": "dleta"}]},
    {"symbol": "SPY", "strategy": "iron_condor"}, {"symbol": "SPY", "limit": -1}, {"symbol": "SPY", "limmit": 1})


def shape(value):
    """Its keys and types, without its values."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def refusal(call, *arguments, **keywords):
    """Status, code and field of what must be refused."""
    try:
        return call(*arguments, **keywords)
    except Refused as refused:
        return refused.status, refused.error["code"]


def exercise(client, market):
    """All that such a client does. Returns what must be the same from both servers, and the shapes of the rest."""
    for data in market.values():
        client.put_snapshot(data)
    symbols = list(market)
    same, shapes = {}, {}
    same["scan"] = client.scan(symbol=symbols[0], limit=5, filters=FILTERS)
    same["sorted"] = client.scan(symbol=symbols[1], limit=4, sort_by="probability_profit")
    taken = client.batch(symbols, limit=7)
    shapes["taken"] = shape({key: taken[key] for key in ("job_id", "status", "symbols", "progress")})
    ended = client.wait(taken["job_id"])
    shapes["ended"] = shape(ended)
    same["batch"] = {key: ended[key] for key in ("status", "symbols", "progress", "spreads")}
    same["deleted"] = client.delete(taken["job_id"])["status"]
    partly = client.wait(client.batch([symbols[0], "NOPE"], limit=2)["job_id"])
    same["partly"] = partly["spreads"], partly["errors"][0]["symbol"], partly["errors"][0]["error"]["code"]
    same["errors"] = [refusal(client.scan, **request) for request in BAD_REQUESTS]
    same["unknown"] = [refusal(ask, one) for ask in (client.get, client.delete) for one in (UNKNOWN_ID, "nonsense")]
    same["filters"] = client.filters()
    same["presets"] = client.presets()
    same["valid"] = client.validate(FILTERS), client.validate([{"type": "dleta"}])
    same["health"] = client.health()
    numbers, text = client.metrics()
    same["metrics"] = numbers["http_requests_total"] > 0, "http_requests_total" in text
    status, headers, lines = client.call("POST", "/api/v1/scan", {"symbol": symbols[0], "limit": 1},
                                         {"Accept": "application/x-ndjson"}, raw=True)
    kinds = [line.split(b",")[0] for line in lines.splitlines()]  # of progress there may be any number
    same["lines"] = status, headers["Content-Type"], kinds[0], kinds[-1]
    paths = client.call("GET", "/api/v1/openapi.json")["paths"]
    same["openapi"] = sorted(path for path in paths if not path.startswith(("/v1", "/debug")))
    return same, shapes


class BothServers(Servers):
    def test_a_client_works_unchanged_against_either(self):
        self.maxDiff = None
        market = self.market(3)
        of_scanner = exercise(self.scanner(), market)
        of_broker = exercise(self.gateway(), market)
        for scanner, broker in zip(of_scanner, of_broker):
            self.assertEqual(set(scanner), set(broker))
            for what, value in scanner.items():
                self.assertEqual(value, broker[what], what)
        self.assertEqual(5, len(of_scanner[0]["scan"]))


class BrokerOnly(Servers):
    def test_what_was_taken_is_answered_after_a_kill(self):
        market = self.market(2)
        process = self.start_broker("--http", "127.0.0.1:0")
        client = self.client(self.http)
        for data in market.values():
            client.put_snapshot(data)
        symbols = list(market)
        status, headers, _ = client.call("POST", "/api/v1/scan?timeout_ms=0", {"symbol": symbols[0]}, raw=True)
        self.assertEqual(202, status)
        scan = headers["Location"].rpartition("/")[2]
        batch = client.batch(symbols)["job_id"]
        wait_until(lambda: self.queue("scans")["submitted"] == 3, "the batch is taken")
        process.kill()
        (self.dir / "endpoint").unlink()
        self.start_broker("--http", "127.0.0.1:0")
        client = self.client(self.http)
        self.assertEqual("queued", client.get(scan)["status"])
        self.start_worker()
        self.assertTrue(client.wait(scan)["spreads"])
        state = client.wait(batch)
        self.assertEqual(("completed", symbols), (state["status"], sorted(state["symbols"])))

    def test_sigterm_answers_who_waits(self):
        market = self.market(1)
        process = self.start_broker("--http", "127.0.0.1:0")
        client = self.client(self.http)
        for data in market.values():
            client.put_snapshot(data)
        answers = []

        def ask():
            answers.append(refusal(self.client(self.http).scan, symbol=next(iter(market))))

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(lambda: client.metrics()[0]["http_waits"] == 1, "the scan waits")
        process.popen.send_signal(signal.SIGTERM)
        began = time.monotonic()
        self.assertEqual(0, process.popen.wait(60))
        self.assertLess(time.monotonic() - began, 20)
        asking.join(60)
        self.assertEqual([(503, "shutting_down")], answers)


class Options(Case):
    def test_the_api_can_be_off_and_its_address_in_use(self):
        process = self.start_broker("--http", "none")
        self.assertIsNone(self.http)
        self.assertNotIn("HTTP", process.output())
        (self.dir / "endpoint").unlink()
        process.terminate()
        self.start_broker("--http", "127.0.0.1:0")
        other = self.start("scanmq-broker", "--listen", "tcp://127.0.0.1:0", "--data", str(self.dir / "other"),
                           "--http", self.http.removeprefix("http://"))
        self.assertNotEqual(0, other.popen.wait(60))
        self.assertIn("--http", other.output())
        other = self.start("scanmq-broker", "--listen", "tcp://127.0.0.1:0", "--data", str(self.dir / "other"),
                           "--http", "0.0.0.0:0")
        self.assertNotEqual(0, other.popen.wait(60))
        self.assertIn("--insecure", other.output())
