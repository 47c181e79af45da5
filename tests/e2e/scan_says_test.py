"""What scan --local and chain show say of rates, days, limits and empty results, on files made here."""

import json

import chains
from harness import OK, PARTIAL, TIMED_OUT, USAGE, Case

HEAD = "symbol,day,expiry,strike,right,bid,ask\n"
COLUMNS = """
symbol = "symbol"
date = "day"
expiry = "expiry"
strike = "strike"
right = "right"
bid = "bid"
ask = "ask"
default_style = "{style}"
"""


class ScanSays(Case):
    def file(self, name, text):
        path = self.dir / name
        path.write_text(text)
        return path

    def columns(self, style="european"):
        return self.file(f"{style}.toml", COLUMNS.format(style=style))

    def rows(self, day, expiry, sides="CP", shift=0.0):
        out = ""
        for strike in chains.STRIKES:
            for side, value in zip("CP", chains.values(strike)):
                if side in sides:
                    out += f"TST,{day},{expiry},{strike},{side},{max(value - 0.05 + shift, 0):.2f},{value + 0.05 + shift:.2f}\n"
        return out

    def test_a_rate_that_nothing_says_is_not_called_fitted(self):
        puts = self.file("puts.csv", HEAD + self.rows("2023-09-14", "2023-10-20", "P"))
        flags = ("--columns", self.columns("american"), "--spot", 100)
        shown = self.ok("chain", "show", puts, *flags)
        self.assertIn("(assumed)", shown.out)
        self.assertIn("forwards are carried", shown.out)
        chain = self.ok("chain", "show", puts, *flags, "--json").json()["chains"][0]
        self.assertEqual("assumed", chain["rate_source"])
        self.assertTrue(chain["expiries"][0]["forward_is_carried"])
        assumed = self.ok("scan", "--local", puts, *flags, "--json").json()["assumptions"]
        self.assertEqual("assumed", assumed["rate_source"])
        self.assertTrue(assumed["forward_is_carried"])
        given = self.ok("scan", "--local", puts, *flags, "--rate", 0.03, "--json").json()["assumptions"]
        self.assertEqual(("given", 0.03), (given["rate_source"], given["rate"]))
        both = self.file("both.csv", HEAD + self.rows("2023-09-14", "2023-10-20"))
        fitted = self.ok("scan", "--local", both, "--columns", self.columns(), "--json").json()["assumptions"]
        self.assertEqual("fitted", fitted["rate_source"])
        self.assertFalse(fitted["forward_is_carried"])

    def test_spreads_of_several_days_say_which(self):
        days = self.file("days.csv", HEAD + self.rows("2023-09-14", "2023-10-20") + self.rows("2023-09-13", "2023-10-20"))
        flags = ("scan", "--local", days, "--columns", self.columns(), "--limit", 40)
        printed = self.ok(*flags, "--json").json()
        moments = {source["as_of_ms"] for source in printed["sources"]}
        self.assertEqual(2, len(moments))
        self.assertEqual(moments, {spread["as_of_ms"] for spread in printed["spreads"]})
        lines = self.ok(*flags).out.splitlines()
        self.assertEqual("day", lines[0].split()[2])
        self.assertEqual({"2023-09-13", "2023-09-14"}, {line.split()[2] for line in lines[1:41]})
        one = self.file("day.csv", HEAD + self.rows("2023-09-14", "2023-10-20"))
        lines = self.ok("scan", "--local", one, "--columns", self.columns()).out.splitlines()
        self.assertNotIn("day", lines[0].split())

    def test_an_empty_list_says_what_emptied_it(self):
        chain = self.file("chain.csv", HEAD + self.rows("2023-09-14", "2023-10-20"))
        flags = ("scan", "--local", chain, "--columns", self.columns())
        answer = self.ok(*flags, "--as-of", "2023-11-01")
        self.assertIn("18 contracts are expired", answer.out)
        answer = self.ok(*flags, "--dte", "100..")
        self.assertRegex(answer.out, r"of [\d,]+ do not pass the filter dte")
        single = self.file("single.csv", HEAD + "".join(self.rows("2023-09-14", "2023-10-20").splitlines(True)[8:10]))
        answer = self.ok("scan", "--local", single, "--columns", self.columns(), "--spot", 100)
        self.assertNotIn("passes the filters", answer.out)
        self.assertRegex(answer.out, "without a forward|no strikes that make a spread")
        request = self.file("request.json", json.dumps({"candidates_max": 1}))
        answer = self.scanmq(*flags, "--request", request)
        self.assertEqual(PARTIAL, answer.code)
        self.assertIn("Nothing was scanned", answer.out)
        self.assertIn("too_many_candidates", answer.err)

    def test_a_chain_beyond_the_limit_of_american_contracts_ends_soon(self):
        lines = [HEAD]
        for i in range(30_000):
            strike = 50 + i / 300
            for side, inside in (("C", 100 - strike), ("P", strike - 100)):
                value = max(inside, 0) + 2
                lines.append(f"TST,2023-09-14,2023-10-20,{strike:.4f},{side},{value - 0.05:.3f},{value + 0.05:.3f}\n")
        chain = self.file("many.csv", "".join(lines))
        flags = (chain, "--columns", self.columns("american"))
        self.assertIn("beyond the 50000 contracts of American exercise", self.ok("chain", "show", *flags).out)
        self.assertIn("60,000 contracts are of expiries without", self.ok("scan", "--local", *flags).out)
        # The same as European contracts is far too much to look at in a millisecond.
        flags = (chain, "--columns", self.columns("european"), "--timeout", "1ms")
        answer = self.scanmq("scan", "--local", *flags)
        self.assertEqual(TIMED_OUT, answer.code, answer.err)
        answer = self.scanmq("chain", "show", *flags)
        self.assertEqual(TIMED_OUT, answer.code, answer.err)
        self.assertIn("--timeout", answer.err)

    def test_small_things_are_said_right(self):
        chain = self.file("chain.csv", HEAD + self.rows("2023-09-14", "2023-10-20"))
        flags = ("scan", "--local", chain, "--columns", self.columns())
        spread = self.ok(*flags, "--strategy", "short_call", "--json").json()["spreads"][0]
        line = self.ok(*flags, "--strategy", "short_call").out.splitlines()[1]
        self.assertIsNone(spread["max_loss"])
        self.assertIn(f"{spread['risk']:.2f}", line)
        self.assertNotIn("inf", line)
        shown = self.ok("chain", "show", chain, "--columns", self.columns(), "--spot", 1e9)
        self.assertIn("its options say", shown.err)
        self.assertIn("1e+09", self.ok(*flags, "--spot", 1e9).err)
        request = self.file("request.json", '{"limit": 1e99}')
        answer = self.scanmq(*flags, "--request", request)
        self.assertEqual(USAGE, answer.code)
        self.assertIn("from 1 to 10000", answer.err)
        answer = self.scanmq("scan", "--limit", "x")
        self.assertEqual(1, answer.err.count("scanmq scan: "), answer.err)
        answer = self.scanmq("scan", "--local", chain, "--columns", self.dir / "none.toml")
        self.assertEqual(1, answer.err.count("--columns"), answer.err)
        bad = self.file("bad.toml", 'expiry = "3"\n')
        answer = self.scanmq("scan", "--local", chain, "--columns", bad)
        self.assertIn("no column for strike, right, bid, ask", answer.err)
        answer = self.scanmq("price", "--input", "-", stdin="\x1b[31m\x07,x\n1,2\n")
        self.assertNotEqual(OK, answer.code)
        self.assertNotIn("\x1b", answer.err)
