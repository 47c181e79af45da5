"""scan --local: table, JSON, CSV and picture, the same on any number of threads, without a broker."""

import csv
import io
import re
import xml.etree.ElementTree as xml

import chains
from harness import FAILED, USAGE, Case


class ScanLocal(Case):
    def setUp(self):
        super().setUp()
        self.market = self.dir / "market"
        self.ok("sample-market", "--symbols", 5, "--out", self.market)

    def scan(self, *flags):
        return self.ok("scan", "--local", self.market, "--dte", "3..60", "--limit", 12, *flags)

    def test_table_says_what_json_says(self):
        spreads = self.scan("--json").json()["spreads"]
        lines = self.scan().out.splitlines()
        self.assertEqual(["#", "symbol", "strategy", "expiry", "dte", "strikes", "net", "G", "R", "breakeven", "POP",
                          "EV", "score"], lines[0].split())
        self.assertEqual(12, len(spreads))
        for number, (line, spread) in enumerate(zip(lines[1:], spreads), 1):
            low, high = sorted(leg["strike"] for leg in spread["legs"])
            put = spread["legs"][0]["right"] == "put"
            strikes = f"{high:g}/{low:g}P" if put else f"{low:g}/{high:g}C"
            net = f"{abs(spread['net_price']):.2f} {'cr' if spread['net_price'] < 0 else 'db'}"
            for part in (str(number), spread["symbol"], spread["strategy"], strikes, net,
                         f"{spread['max_profit']:.2f}", f"{spread['max_loss']:.2f}", f"{spread['score']:.1f}"):
                self.assertIn(part, line)

    def test_csv_has_every_figure(self):
        spreads = self.scan("--json").json()["spreads"]
        rows = list(csv.DictReader(io.StringIO(self.scan("--csv").out)))
        self.assertEqual(len(spreads), len(rows))
        for row, spread in zip(rows, spreads):
            for name in ("net_price", "max_profit", "max_loss", "pop", "ev", "score"):
                self.assertAlmostEqual(spread[name], float(row[name]), 9)
            for name, value in spread["greeks"].items():
                if value is None:
                    self.assertEqual("", row[name])
                else:
                    self.assertAlmostEqual(value, float(row[name]), 9)
            self.assertEqual(spread["reason"], row["reason"])
            for name, value in spread["components"].items():
                self.assertEqual(value is None, row[f"score_{name}"] == "")
            self.assertEqual(len(spread["legs"]), len(row["legs"].split()))

    def test_explain_says_why_below_each_spread(self):
        spreads = self.scan("--json").json()["spreads"]
        lines = self.scan("--explain").out.splitlines()[1:25]
        for at, spread in enumerate(spreads):
            self.assertTrue(spread["reason"])
            self.assertEqual(spread["reason"], lines[2 * at + 1].strip())

    def test_every_flag_of_the_request_is_in_the_assumptions(self):
        result = self.scan("--volatility", "0.3", "--rate", "0.02", "--fill", "0.5", "--fee", "1", "--best-per",
                           "symbol", "--exact-count", "--dividend", "2024-08-01:0.5", "--spot", "101",
                           "--json").json()
        assumed = result["assumptions"]
        self.assertEqual(("user", 0.3, 0.5, 1, "symbol", True),
                         tuple(assumed[key] for key in ("volatility", "volatility_value", "fill", "fee_per_contract",
                                                        "best_per", "rate_is_input")))
        symbols = [spread["symbol"] for spread in result["spreads"]]
        self.assertEqual(sorted(set(symbols)), sorted(symbols))
        for flags, expected in [(("--volatility", "high"), "realised:0.18"), (("--best-per", "expiri"), "expiry?"),
                                (("--dividend", "0.5"), "2024-05-10:0.50")]:
            with self.subTest(flags=flags):
                answer = self.scanmq("scan", "--local", self.market, *flags)
                self.assertEqual(USAGE, answer.code)
                self.assertIn(expected, answer.err)

    def test_any_number_of_threads_gives_the_same(self):
        def comparable(threads):
            result = self.scan("--json", "--threads", threads).json()
            return {key: value for key, value in result.items() if key not in ("seconds", "jobs_per_s", "latency_us")}

        one = comparable(1)
        self.assertEqual(5, len(one["sources"]))
        for threads in (2, 5, 16):
            self.assertEqual(one, comparable(threads))

    def test_picture_of_a_payoff(self):
        spreads = self.scan("--json").json()["spreads"]
        picture = self.dir / "payoff.svg"
        for rank in (1, 12):
            self.scan("--plot", picture, "--rank", rank)
            texts = [text.text or "" for text in xml.parse(picture).getroot().iter("{http://www.w3.org/2000/svg}text")]
            spread = spreads[rank - 1]
            self.assertTrue(texts and any(spread["strategy"] in text for text in texts), texts)
            self.assertIn(f"breakeven {spread['breakevens'][0]:.2f}", texts)
            self.assertTrue(any(re.search(rf"POP {100 * spread['pop']:.1f} %", text) for text in texts))
        answer = self.scanmq("scan", "--local", self.market, "--limit", 3, "--plot", picture, "--rank", 4)
        self.assertEqual(USAGE, answer.code)
        self.assertIn("rank 4", answer.err)

    def test_what_does_not_go_together(self):
        for flags, expected in [
            (("--sample", 1, "--plot", self.dir / "p.svg"), "--local"),
            (("--local", self.market, "--csv", "--json"), "one of them"),
        ]:
            with self.subTest(flags=flags):
                answer = self.scanmq("scan", *flags)
                self.assertEqual(USAGE, answer.code)
                self.assertIn(expected, answer.err)
        answer = self.scanmq("scan", "--local", self.market, "--plot", self.dir / "absent" / "p.svg", "--json")
        self.assertEqual((FAILED, "cannot_write_file"), (answer.code, answer.json()["error"]["code"]))

    def test_a_vendors_file(self):
        file = self.dir / "vendor.csv"
        file.write_text(chains.cboe())
        picture = self.dir / "vendor.svg"
        result = self.ok("scan", "--local", file, "--plot", picture, "--json").json()
        self.assertGreater(len(result["spreads"]), 0)
        self.assertIn("TST", picture.read_text())
