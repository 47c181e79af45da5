"""Exit codes, errors and the small commands."""

import json

from harness import FAILED, NO_BROKER, OK, TIMED_OUT, USAGE, Case


class WithoutBroker(Case):
    def test_usage_errors_exit_2(self):
        for arguments, expected in [
            ((), "usage: scanmq"),
            (("scna",), 'did you mean "scan"?'),
            (("queue",), "list, create, set, delete"),
            (("scan",), "nothing to scan"),
            (("scan", "--sample", "3", "--all"), "several things to scan"),
            (("scan", "--sample", "3", "--delta", "0.3"), "0.1..0.3"),
            (("scan", "--sample", "3", "--strategy", "bull_putt"), "did you mean"),
            (("scan", "--nonsense"), "--nonsense"),
            (("bench", "--seconds", "0"), "--jobs"),
            (("queue", "create", "q", "max_jobs"), "NAME=VALUE"),
        ]:
            with self.subTest(arguments=arguments):
                answer = self.scanmq(*arguments)
                self.assertEqual(USAGE, answer.code)
                self.assertIn(expected, answer.err)
                self.assertEqual("", answer.out)

    def test_no_broker_exits_3_and_says_where(self):
        for arguments in [("queue", "list"), ("scan", "--sample", "1"), ("submit", "q", "x"), ("bench",)]:
            with self.subTest(arguments=arguments):
                answer = self.scanmq(*arguments, "--broker", "tcp://127.0.0.1:1", "--timeout", "300ms", "--json")
                self.assertEqual(NO_BROKER, answer.code)
                self.assertIn("tcp://127.0.0.1:1", answer.err)
                self.assertEqual("no_broker", answer.json()["error"]["code"])

    def test_help_and_markdown(self):
        self.assertIn("sample-market", self.ok("--help").out)
        self.assertIn("--strategy", self.ok("scan", "--help").out)

    def test_sample_market_is_the_same_for_a_seed(self):
        for name, seed in [("a", 7), ("b", 7), ("c", 8)]:
            self.ok("sample-market", "--symbols", 3, "--seed", seed, "--out", self.dir / name)
        files = sorted(path.name for path in (self.dir / "a").iterdir())
        self.assertEqual(3, len(files))
        for file in files:
            self.assertEqual((self.dir / "a" / file).read_bytes(), (self.dir / "b" / file).read_bytes())
            self.assertNotEqual((self.dir / "a" / file).read_bytes(), (self.dir / "c" / file).read_bytes())
        described = self.ok("sample-market", "--symbols", 3, "--json").json()
        self.assertEqual(described["contracts"], sum(s["contracts"] for s in described["symbols"]))


class WithBroker(Case):
    def setUp(self):
        super().setUp()
        self.process = self.start_broker()

    def test_broker_ends_with_0_on_sigterm(self):
        self.assertEqual(0, self.process.terminate(), self.process.output())

    def test_queue_commands(self):
        self.ok("queue", "create", "work", "max_jobs=10", "pure=true", "max_bytes=1MiB")
        self.ok("queue", "create", "work", "max_jobs=10", "pure=true", "max_bytes=1MiB")
        row = self.queue("work")
        self.assertEqual((10, 1 << 20, 1, 0), (row["max_jobs"], row["max_bytes"], row["pure"], row["waiting"]))
        self.ok("queue", "set", "work", "max_jobs=20")
        self.assertEqual(20, self.queue("work")["max_jobs"])
        self.assertIn("work", self.ok("queue", "list").out)

        for arguments, code in [
            (("queue", "create", "work", "max_jobs=11"), "queue_exists"),
            (("queue", "set", "work", "max_job=11"), "bad_setting"),
            (("queue", "set", "absent", "max_jobs=11"), "unknown_queue"),
            (("queue", "create", "a queue"), "bad_name"),
            (("watch", "absent"), "unknown_queue"),
        ]:
            with self.subTest(arguments=arguments):
                answer = self.scanmq(*arguments, "--json")
                self.assertEqual(FAILED, answer.code, answer.err)
                self.assertEqual(code, answer.json()["error"]["code"])

        self.ok("submit", "work", "payload", "--quiet")
        self.assertEqual("queue_in_use", self.scanmq("queue", "delete", "work", "--json").json()["error"]["code"])
        self.ok("queue", "delete", "work", "--force")
        self.assertNotIn("work", self.ok("queue", "list").out)

    def test_submit_lines_and_watch_their_results(self):
        self.start_worker("--scanner", "noop")
        self.ok("queue", "create", "work")
        submitted = self.ok("submit", "work", "--subject", "a.b", "--json", stdin="one\ntwo\nthree\n").json()
        self.assertEqual((3, 3, 0), (submitted["submitted"], submitted["accepted"], submitted["refused"]))
        self.ok("submit", "work", "other", "--subject", "c")
        watched = self.ok("watch", "work", "--from", "earliest", "--count", 3, "--pattern", "a.*", "--body", "--json")
        entries = [json.loads(line) for line in watched.out.splitlines()]
        self.assertEqual({"one", "two", "three"}, {entry["body"] for entry in entries})
        self.assertEqual({job["id"] for job in submitted["jobs"]}, {entry["id"] for entry in entries})
        self.assertEqual({"done"}, {entry["outcome"] for entry in entries})
        offsets = [entry["offset"] for entry in entries]
        self.assertEqual(sorted(offsets), offsets)
        from_offset = self.ok("watch", "work", "--from", offsets[1], "--count", 1, "--json").json()
        self.assertEqual(offsets[1], from_offset["offset"])
        self.assertEqual("", self.ok("watch", "work", "--idle", "50ms").out)

    def test_bad_subject_is_refused(self):
        self.ok("queue", "create", "work")
        answer = self.scanmq("submit", "work", "x", "--subject", "a..b", "--json")
        self.assertEqual((FAILED, "bad_subject"), (answer.code, answer.json()["error"]["code"]))

    def test_scan_without_workers_times_out(self):
        answer = self.scanmq("scan", "--sample", 2, "--timeout", "1s", "--json")
        self.assertEqual(TIMED_OUT, answer.code, answer.err)
        result = answer.json()
        self.assertEqual(["unfinished"] * 2, [failure["outcome"] for failure in result["failed"]])
        self.assertEqual([], result["spreads"])

    def test_snapshots_come_back_byte_for_byte(self):
        self.ok("sample-market", "--symbols", 2, "--out", self.dir / "market")
        put = self.ok("snapshot", "put", self.dir / "market", "--json").json()["snapshots"]
        self.assertEqual(2, len(put))
        listed = self.ok("snapshot", "list", "--json").json()["snapshots"]
        self.assertEqual({s["id"] for s in put}, {s["id"] for s in listed})
        for stored in put:
            self.ok("snapshot", "get", stored["label"], "--out", self.dir / "got")
            self.assertEqual((self.dir / "market" / f"{stored['label']}.snapshot").read_bytes(),
                             (self.dir / "got").read_bytes())
            self.assertEqual(OK, self.scanmq("snapshot", "get", stored["id"], "--out", self.dir / "got").code)
        missing = self.scanmq("snapshot", "get", "SPZ", "--out", self.dir / "got", "--json")
        self.assertEqual((FAILED, "unknown_snapshot"), (missing.code, missing.json()["error"]["code"]))
        absent = self.scanmq("snapshot", "get", "00" * 32, "--out", self.dir / "got", "--json")
        self.assertEqual((FAILED, "unknown_blob"), (absent.code, absent.json()["error"]["code"]))
