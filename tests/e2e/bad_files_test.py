"""Vendors' files that cannot be read: the documented error, the line and column, exit code 1, nothing stored."""

import chains
from harness import FAILED, USAGE, Case


def changed(line, change):
    """The good file with one line (numbered from 1) replaced by change(line)."""
    lines = chains.cboe().splitlines(True)
    lines[line - 1] = change(lines[line - 1])
    return "".join(lines)


def with_cell(line, column, text):
    cells = line.split(",")
    cells[column] = text
    return ",".join(cells)


BAD = {
    "missing_column": (chains.cboe().replace(",Strike,", ",Strik,"), ':4: column "Strike"'),
    "bad_number": (changed(9, lambda line: with_cell(line, 4, "3.x")), ':9: column "Bid (calls)"'),
    "empty_file": ("", "is empty"),
    "truncated_row": (changed(7, lambda line: ",".join(line.split(",")[:12]) + "\n"), ":7: has 12 fields"),
    "no_contracts": (chains.HEAD, "no usable contract"),
    "unknown_format": ("hello\nworld\n", "not a format that can be read"),
}


class BadFiles(Case):
    def check(self, *command):
        for code, (text, where) in BAD.items():
            with self.subTest(code=code):
                path = self.dir / f"{code}.csv"
                path.write_text(text)
                answer = self.scanmq(*command, path, "--json")
                self.assertEqual(FAILED, answer.code, answer.err)
                error = answer.json()["error"]
                self.assertEqual(code, error["code"], error)
                self.assertIn(str(path), error["sentence"])
                self.assertIn(where, error["sentence"])
                self.assertIn(error["sentence"], answer.err)

    def test_good_file_is_read(self):
        (self.dir / "good.csv").write_text(chains.cboe())
        result = self.ok("scan", "--local", self.dir / "good.csv", "--json").json()
        self.assertEqual(2 * len(chains.STRIKES), result["counts"]["contracts"])
        self.assertEqual("TST", result["spreads"][0]["symbol"])

    def test_local_scan(self):
        self.check("scan", "--local")

    def test_nothing_is_stored_or_submitted(self):
        self.start_broker()
        self.check("scan", "--chains")
        self.check("snapshot", "put")
        self.assertEqual([], self.ok("snapshot", "list", "--json").json()["snapshots"])
        self.assertEqual([], self.ok("queue", "list", "--json").json()["queues"])

    def test_absent_file(self):
        answer = self.scanmq("scan", "--local", self.dir / "absent.csv", "--json")
        self.assertEqual((FAILED, "cannot_read_file"), (answer.code, answer.json()["error"]["code"]))

    def test_damaged_snapshot(self):
        self.ok("sample-market", "--symbols", 1, "--out", self.dir / "market")
        path = next((self.dir / "market").iterdir())
        path.write_bytes(path.read_bytes()[:-100])
        answer = self.scanmq("scan", "--local", path, "--json")
        self.assertEqual((FAILED, "bad_snapshot"), (answer.code, answer.json()["error"]["code"]))

    def test_request_file_that_is_none(self):
        (self.dir / "good.csv").write_text(chains.cboe())
        (self.dir / "request.json").write_text('{"limt": 3}')
        answer = self.scanmq("scan", "--local", self.dir / "good.csv", "--request", self.dir / "request.json")
        self.assertEqual(USAGE, answer.code)
        self.assertIn('"limit"', answer.err)
