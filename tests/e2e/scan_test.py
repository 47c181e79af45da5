"""A scan over broker and workers gives what one process gives."""

import json

import chains
from harness import FAILED, PARTIAL, Case


class Scan(Case):
    def setUp(self):
        super().setUp()
        self.market = self.dir / "market"
        self.ok("sample-market", "--symbols", 6, "--out", self.market)

    def start_all(self):
        self.start_broker()
        self.start_worker(name="w1")
        self.start_worker(name="w2")

    @staticmethod
    def comparable(result):
        """What does not depend on where the scan ran."""
        sources = sorted((source["symbol"], source["as_of_ms"]) for source in result["sources"])
        return json.dumps([result["spreads"], result["arbitrage"], result["counts"], sources], sort_keys=True)

    def test_broker_equals_local(self):
        self.start_all()
        flags = ("--dte", "3..60", "--delta", "0.05..0.45", "--filter", "liquidity:min_bid=0.05", "--limit", 40,
                 "--json")
        local = self.ok("scan", "--local", self.market, *flags).json()
        remote = self.ok("scan", "--chains", self.market, *flags).json()
        stored = self.ok("scan", "--all", *flags).json()
        self.assertEqual(40, len(local["spreads"]))
        self.assertGreater(local["counts"]["candidates"], 1000)
        self.assertEqual(6, len(local["sources"]))
        self.assertEqual(self.comparable(local), self.comparable(remote))
        self.assertEqual(self.comparable(local), self.comparable(stored))
        self.assertEqual((6, []), (remote["jobs"], remote["failed"]))
        self.assertGreater(remote["jobs_per_s"], 0)
        self.assertGreaterEqual(remote["latency_us"]["p99"], remote["latency_us"]["p50"])

    def test_spreads_have_the_documented_keys(self):
        spread = self.ok("scan", "--local", self.market, "--limit", 1, "--json").json()["spreads"][0]
        for key in ("legs", "net_price", "max_profit", "max_loss", "breakevens", "pop", "ev", "score"):
            self.assertIn(key, spread)
        for leg in spread["legs"]:
            for key in ("strike", "expiry", "right", "side", "ratio"):
                self.assertIn(key, leg)

    def test_verticals_hold_up_by_hand(self):
        """Net price, extremes and breakeven of each spread, from its legs' fills."""
        for spread in self.ok("scan", "--local", self.market, "--limit", 200, "--json").json()["spreads"]:
            low, high = sorted(spread["legs"], key=lambda leg: leg["strike"])
            signs = [1 if leg["side"] == "long" else -1 for leg in (low, high)]
            net = signs[0] * low["fill"] + signs[1] * high["fill"]
            width = high["strike"] - low["strike"]
            self.assertAlmostEqual(net, spread["net_price"], 9)
            cost = net + spread["fees"]
            # Worth between 0 and the width when the bought leg is nearer the money, else between -width and 0.
            bought = low if low["right"] == "call" else high
            floor = 0.0 if bought["side"] == "long" else -width
            self.assertAlmostEqual(floor + width - cost, spread["max_profit"], 9)
            self.assertAlmostEqual(cost - floor, spread["max_loss"], 9)
            edge = low["strike"] if low["right"] == "call" else high["strike"]
            value = cost if floor == 0.0 else -cost
            breakeven = edge + value if low["right"] == "call" else edge - value
            self.assertAlmostEqual(breakeven, spread["breakevens"][0], 6)

    def test_text_output_ends_with_a_summary(self):
        lines = self.ok("scan", "--local", self.market, "--limit", 3).out.splitlines()
        self.assertEqual(4, len([line for line in lines if line][:-1]))
        self.assertRegex(lines[-1], r"^6 jobs in [0-9.]+ s, [0-9.]+ jobs/s, latency p50 \d+ us, p99 \d+ us")

    def test_stored_labels_and_unknown_ones(self):
        self.start_all()
        stored = self.ok("snapshot", "put", self.market, "--json").json()["snapshots"]
        one = self.ok("scan", stored[0]["label"], "--json").json()
        self.assertEqual(1, one["jobs"])
        self.assertEqual({stored[0]["symbol"]}, {spread["symbol"] for spread in one["spreads"]})
        missing = self.scanmq("scan", "NOSUCH", "--json")
        self.assertEqual((FAILED, "unknown_snapshot"), (missing.code, missing.json()["error"]["code"]))

    def test_a_snapshot_that_the_broker_lost_is_put_again(self):
        """A store with room for half of them, which forgets what no job uses yet."""
        self.start_broker("--snapshot-bytes-max", "60KiB", "--blob-grace", "0s")
        self.start_worker()
        flags = ("--limit", 40, "--json")
        local = self.ok("scan", "--local", self.market, *flags).json()
        remote = self.ok("scan", "--chains", self.market, *flags).json()
        self.assertEqual((6, []), (remote["jobs"], remote["failed"]))
        self.assertEqual(self.comparable(local), self.comparable(remote))
        hashes = [source["snapshot"] for source in remote["sources"]]
        self.assertEqual(6, len(set(hashes)))
        stored = self.ok("snapshot", "list", "--json").json()["snapshots"]
        self.assertLess(len(stored), 6, "or there was nothing to put again")

    def test_unreadable_payload_ends_rejected(self):
        self.start_all()
        self.ok("queue", "create", "scans", "pure=true")
        self.ok("submit", "scans", "no request at all", "--subject", "bad", "--quiet")
        entry = self.ok("watch", "scans", "--from", "earliest", "--pattern", "bad", "--count", 1, "--json").json()
        self.assertEqual(("rejected", "bad_payload"), (entry["outcome"], entry["code"]))

    def test_symbol_mismatch_makes_the_scan_partial(self):
        """A request for one symbol over chains of six."""
        self.start_all()
        symbol = self.ok("sample-market", "--symbols", 1, "--json").json()["symbols"][0]["symbol"]
        request = self.dir / "request.json"
        request.write_text(json.dumps({"symbol": symbol, "limit": 3}))
        answer = self.scanmq("scan", "--chains", self.market, "--request", request, "--json")
        self.assertEqual(PARTIAL, answer.code, answer.err)
        result = answer.json()
        self.assertEqual(["rejected"] * 5, [failure["outcome"] for failure in result["failed"]])
        self.assertEqual({symbol}, {spread["symbol"] for spread in result["spreads"]})
        self.assertEqual(3, len(result["spreads"]))

    def test_directory_with_an_unreadable_file_is_partial(self):
        (self.market / "zz.csv").write_text(chains.cboe().replace("20.35", "x20.35"))
        (self.market / "notes.txt").write_text("nothing of interest\n")
        answer = self.scanmq("scan", "--local", self.market, "--limit", 1, "--json")
        self.assertEqual(PARTIAL, answer.code, answer.err)
        result = answer.json()
        self.assertEqual(["unread"], [failure["outcome"] for failure in result["failed"]])
        self.assertIn("zz.csv:5: column \"Bid (calls)\"", result["failed"][0]["sentence"])
        self.assertEqual(6, result["jobs"])
        self.assertIn("1 files of no known format", answer.err)
