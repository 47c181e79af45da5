"""The check of kill9.sh finds each violation that it is there for."""

import pathlib
import tempfile
import unittest

import kill9_check

JOBS = 3
ACKNOWLEDGED = ["0 accepted", "1 duplicate", "2 refused store_full", "2 accepted", "0 duplicate"]
FINAL = ["E 0 1 done same", "C aa 1", "E 1 0 done same", "E 2 2 done same", "C aa 3"]
SEEN = ["E 0 1 done same", "C aa 1", "E 0 1 done same", "E 1 0 done same", "E 2 2 done same", "C aa 3"]


class Check(unittest.TestCase):
    def report(self, acknowledged=(), final=(), seen=(), tail=""):
        with tempfile.TemporaryDirectory(prefix="scanmq-e2e-") as directory:
            paths = []
            for name, lines in (("acknowledged", acknowledged or ACKNOWLEDGED), ("seen", seen or SEEN),
                                ("final", final or FINAL)):
                paths.append(pathlib.Path(directory) / name)
                paths[-1].write_text("".join(line + "\n" for line in lines) + tail)
            return kill9_check.check(paths[0], (paths[1],), paths[2], JOBS)

    def problem(self, sentence, **files):
        report = self.report(**files)
        self.assertTrue(any(sentence in problem for problem in report.problems), report.problems)
        return report

    @staticmethod
    def changed(lines, before, after):
        return [after if line == before else line for line in lines if line != before or after]

    def test_good_round(self):
        report = self.report()
        self.assertEqual([], report.problems)
        self.assertEqual((3, 3, 0, 0, 0, 1, 1), (report.acknowledged, report.delivered, report.lost, report.unexpected,
                                                 report.duplicated, report.seen_again, report.refusals))

    def test_line_that_a_kill_cut_short_does_not_count(self):
        self.assertEqual([], self.report(tail="1 acce").problems)

    def test_lost(self):
        report = self.problem("without an entry: jobs 1 (2)", final=FINAL[:3] + ["C aa 2"], seen=SEEN[:4] + ["C aa 2"])
        self.assertEqual(1, report.lost)

    def test_unexpected(self):
        stranger = ["E 3 0123456789abcdef0123456789abcdef done none", "C aa 4"]
        report = self.problem("never submitted", final=FINAL + stranger, seen=SEEN + stranger)
        self.assertEqual(1, report.unexpected)

    def test_duplicated(self):
        again = ["E 3 1 done same", "C aa 4"]
        report = self.problem("more than one entry: jobs 1 (1)", final=FINAL + again, seen=SEEN + again)
        self.assertEqual(1, report.duplicated)

    def test_not_acknowledged(self):
        self.problem("not acknowledged: jobs 1 (2)", acknowledged=ACKNOWLEDGED[:3])

    def test_forgotten_id(self):
        self.problem("accepted again", acknowledged=ACKNOWLEDGED + ["0 accepted"])

    def test_hole_in_the_offsets(self):
        self.problem("do not rise by one", final=self.changed(FINAL, "E 1 0 done same", "E 3 0 done same"))
        self.problem("has lost offsets", final=["G 0 5"] + FINAL)

    def test_other_outcome_or_body(self):
        self.problem("ended otherwise", final=self.changed(FINAL, "E 1 0 done same", "E 1 0 dead none"))
        self.problem("ended otherwise", final=self.changed(FINAL, "E 1 0 done same", "E 1 0 done other"))

    def test_entry_that_was_another_one_before(self):
        self.problem("seen: not so in the end", seen=SEEN + ["E 2 0 done same", "C aa 3"])
        self.problem("seen: not so in the end", seen=SEEN + ["E 3 0 done same", "C aa 4"])

    def test_entry_that_never_came(self):
        self.problem("seen: offsets that never came: 1 (1)", seen=self.changed(SEEN, "E 1 0 done same", ""))

    def test_other_incarnation(self):
        self.problem("seen: incarnations", seen=["C bb 0"] + SEEN)
        self.problem("several incarnations", final=["C bb 0"] + FINAL)

    def test_gap_on_the_way(self):
        self.problem("seen: told of lost offsets", seen=["G 0 1"] + SEEN)


if __name__ == "__main__":
    unittest.main()
