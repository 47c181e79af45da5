"""price, iv and chain show: what needs no broker and no scan."""

import json
import math
import xml.etree.ElementTree as xml

import chains
from harness import FAILED, PARTIAL, USAGE, Case


class Price(Case):
    FLAGS = ("--spot", 100, "--strike", 105, "--years", 0.5, "--rate", 0.04)

    def test_values_and_greeks(self):
        call, put = self.ok("price", *self.FLAGS, "--volatility", 0.25, "--json").json()["options"]
        self.assertEqual(("call", "put"), (call["right"], put["right"]))
        parity = call["value"] - put["value"] - (100 - 105 * math.exp(-0.04 * 0.5))
        self.assertAlmostEqual(0, parity, 12)
        self.assertAlmostEqual(1, call["greeks"]["delta"] - put["greeks"]["delta"], 12)
        for option in (call, put):
            self.assertEqual({"delta", "gamma", "vega", "theta", "rho"}, set(option["greeks"]))
            self.assertAlmostEqual(option["greeks"]["vega"] / 100, option["shown"]["vega_point"], 12)
            self.assertAlmostEqual(option["greeks"]["theta"] / 365, option["shown"]["theta_day"], 3)
        table = self.ok("price", *self.FLAGS, "--volatility", 0.25).out.splitlines()
        self.assertEqual(3, len(table))
        self.assertIn(f"{call['value']:.6f}", table[1])

    def test_prices_come_back_as_volatilities(self):
        rows = self.ok("price", "--spot", 100, "--strike", "80,100,120", "--years", 1, "--volatility", 0.3,
                       "--dividend", "0.25:1.5", "--json").json()["options"]
        csv = "strike,right,price\n" + "".join(f"{r['strike']},{r['right']},{r['value']!r}\n" for r in rows)
        file = self.dir / "prices.csv"
        file.write_text(csv)
        flags = ("--spot", 100, "--years", 1, "--dividend", "0.25:1.5", "--json")
        for answer in (self.ok("iv", "--input", file, *flags), self.ok("iv", "--input", "-", *flags, stdin=csv)):
            implied = answer.json()["options"]
            self.assertEqual(6, len(implied))
            for option in implied:
                self.assertEqual("ok", option["status"])
                self.assertAlmostEqual(0.3, option["volatility"], 9)

    def test_american_exercise(self):
        flags = ("--spot", 100, "--strike", 120, "--years", 2, "--rate", 0.08, "--right", "put")
        value = {style: self.ok("price", *flags, "--volatility", 0.25, "--style", style, "--json").json()["options"][0]
                 for style in ("european", "american")}
        self.assertGreater(value["american"]["value"], value["european"]["value"] + 1)
        self.assertGreaterEqual(value["american"]["value"], 20)
        back = self.ok("iv", *flags, "--style", "american", "--price", value["american"]["value"], "--json").json()
        self.assertAlmostEqual(0.25, back["options"][0]["volatility"], 6)

    def test_no_volatility_has_a_status_and_exit_4(self):
        answer = self.scanmq("iv", *self.FLAGS, "--price", 101, "--right", "call", "--json")
        self.assertEqual(PARTIAL, answer.code)
        option = answer.json()["options"][0]
        self.assertEqual(("above_max", None), (option["status"], option["volatility"]))
        self.assertIn("above_max", self.scanmq("iv", *self.FLAGS, "--price", 101, "--right", "call").out)

    def test_mistakes(self):
        for arguments, stdin, expected in [
            (("price",), None, "give spot or forward"),
            (("price", *self.FLAGS, "--volatility", 25), None, "0.25 for 25 %"),
            (("price", *self.FLAGS, "--volatilty", 0.25), None, "--volatility"),
            (("price", "--input", "-", "--spot", 1), "strke\n1\n", 'standard input:1: there is no column "strke"'),
            (("iv", *self.FLAGS, "--price", 1), None, "right is missing"),
        ]:
            with self.subTest(arguments=arguments):
                answer = self.scanmq(*arguments, stdin=stdin)
                self.assertEqual((USAGE, ""), (answer.code, answer.out))
                self.assertIn(expected, answer.err)
        self.assertEqual(FAILED, self.scanmq("price", "--input", self.dir / "absent.csv").code)


class ChainShow(Case):
    def setUp(self):
        super().setUp()
        self.ok("sample-market", "--symbols", 2, "--out", self.dir / "market")
        self.files = sorted((self.dir / "market").iterdir())

    def test_every_contract_is_accounted_for(self):
        shown = self.ok("chain", "show", self.files[0], "--json").json()
        chain = shown["chains"][0]
        self.assertEqual(shown["contracts"], chain["contracts"])
        self.assertEqual(chain["contracts"], sum(expiry["contracts"] for expiry in chain["expiries"]))
        for expiry in chain["expiries"]:
            self.assertEqual(expiry["contracts"], expiry["used"] + sum(expiry["dropped"].values()))
            self.assertAlmostEqual(math.exp(-expiry["rate"] * expiry["years"]), expiry["discount"], 12)
            self.assertGreater(expiry["atm_volatility"], 0.02)
            self.assertLess(abs(expiry["forward"] / chain["spot"] - 1), 0.2)
        text = self.ok("chain", "show", self.files[0]).out
        self.assertIn(f"{chain['expiries'][0]['forward']:.2f}", text)
        self.assertIn("no_bid", text)

    def test_chains_and_expiries_can_be_chosen(self):
        both = self.ok("chain", "show", self.dir / "market", "--json").json()["chains"]
        self.assertEqual(2, len(both))
        symbol, date = both[1]["symbol"], both[1]["expiries"][2]["date"]
        one = self.ok("chain", "show", self.dir / "market", "--chain", symbol, "--expiry", date, "--json").json()
        self.assertEqual([(symbol, [date])],
                         [(c["symbol"], [e["date"] for e in c["expiries"]]) for c in one["chains"]])
        absent = self.scanmq("chain", "show", self.files[0], "--expiry", "2030-01-01", "--json")
        self.assertEqual((FAILED, "no_contracts"), (absent.code, absent.json()["error"]["code"]))
        self.assertEqual(USAGE, self.scanmq("chain", "show", self.files[0], "--expiry", "soon").code)
        self.assertEqual(USAGE, self.scanmq("chain", "show", self.dir / "market", "--plot", self.dir / "p.svg").code)

    def test_picture_of_the_smiles(self):
        picture = self.dir / "smile.svg"
        self.ok("chain", "show", self.files[0], "--plot", picture)
        root = xml.parse(picture).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        self.assertEqual(4, len(root.findall("{*}g")))
        self.assertGreater(len(root.findall(".//{*}circle")), 50)
        expiry = self.ok("chain", "show", self.files[0], "--json").json()["chains"][0]["expiries"][1]
        self.ok("chain", "show", self.files[0], "--expiry", expiry["date"], "--plot", picture)
        self.assertEqual(1, len(xml.parse(picture).getroot().findall("{*}g")))
        self.assertIn(expiry["date"], picture.read_text())

    def test_a_file_of_any_columns(self):
        rows = []
        for strike in chains.STRIKES:
            for right, value in zip(("call", "put"), chains.values(strike)):
                rows.append(f"2023-10-20;{right};{strike};{max(value - 0.05, 0):.2f};{value + 0.05:.2f}")
        file, columns = self.dir / "own.csv", self.dir / "own.toml"
        file.write_text("ends;kind;at;buy;sell\n" + "\n".join(rows) + "\n")
        columns.write_text('expiry = "ends"\nright = "kind"\nstrike = "at"\nbid = "buy"\nask = "sell"\n'
                           'delimiter = ";"\ndefault_style = "european"\n')
        flags = ("--columns", columns, "--symbol", "OWN", "--as-of", "2023-09-14T20:00Z")
        chain = self.ok("chain", "show", file, *flags, "--json").json()["chains"][0]
        self.assertEqual(("OWN", "columns", len(rows)), (chain["symbol"], chain["source"], chain["contracts"]))
        self.assertAlmostEqual(chains.VOLATILITY, chain["expiries"][0]["atm_volatility"], 2)
        self.assertAlmostEqual(100.0, chain["spot"], 1)
        spreads = self.ok("scan", "--local", file, *flags, "--limit", 3, "--json").json()["spreads"]
        self.assertEqual({"OWN"}, {spread["symbol"] for spread in spreads})
        columns.write_text('expiry = "ends"\nrigt = "kind"\n')
        wrong = self.scanmq("chain", "show", file, "--columns", columns)
        self.assertEqual(USAGE, wrong.code)
        self.assertIn('did you mean "right"', wrong.err)

    def test_a_file_says_what_roots_are(self):
        file, table = self.dir / "vendor.csv", self.dir / "contracts.toml"
        file.write_text(chains.cboe())
        table.write_text('[roots.TST]\nstyle = "european"\n')
        styles = [self.ok("chain", "show", file, *flags, "--json").json()["chains"][0]["style"]
                  for flags in ((), ("--contracts", table))]
        self.assertEqual(["american", "european"], styles)
        table.write_text('[roots.TST]\nstile = "european"\n')
        wrong = self.scanmq("chain", "show", file, "--contracts", table)
        self.assertEqual(USAGE, wrong.code)
        self.assertIn("style", wrong.err)

    def test_quotes_can_be_dropped(self):
        file = self.dir / "vendor.csv"
        file.write_text(chains.cboe())

        def counts(*flags):
            shown = self.ok("chain", "show", file, *flags, "--json").json()
            return shown["contracts"], shown["left_out"].get("one_sided", 0), shown["marked"].get("one_sided", 0)

        contracts, dropped, marked = counts()
        self.assertEqual(0, dropped)
        self.assertGreater(marked, 0)
        self.assertEqual((contracts - marked, marked, 0), counts("--drop", "one_sided"))
        wrong = self.scanmq("chain", "show", file, "--drop", "crosed")
        self.assertEqual(USAGE, wrong.code)
        self.assertIn('did you mean "crossed"', wrong.err)

    def test_rows_left_out_are_told(self):
        file = self.dir / "vendor.csv"
        file.write_text(chains.cboe())
        extra = chains.cboe().splitlines()[-1]
        file.write_text(chains.cboe() + extra + "\n")
        shown = self.ok("chain", "show", file, "--json").json()
        self.assertEqual(2, shown["left_out"]["duplicate"])
        self.assertEqual("cboe_csv", shown["chains"][0]["source"])
        self.assertIn("2 duplicate", self.ok("chain", "show", file).out)
        file.write_text("no,chain\n1,2\n")
        broken = self.scanmq("chain", "show", file, "--json")
        self.assertEqual((FAILED, "unknown_format"), (broken.code, json.loads(broken.out)["error"]["code"]))
        self.assertIn("vendor.csv", broken.err)
