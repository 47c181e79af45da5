"""Operators' commands, job options, durable watching and journals against the real programs.

A test of something that the broker does not have yet is skipped, and says what is missing.
"""

import json
import signal

from harness import FAILED, OK, PARTIAL, USAGE, Case, wait_until

NOT_YET = ("unknown_kind", "unknown_topic", "unsupported")
NOBODY = "00000000000070008000000000000001"


class Operator(Case):
    def setUp(self):
        super().setUp()
        self.start_broker()

    def with_broker(self, *arguments, code=OK, **kwargs):
        """Runs it with --json; skips the test when the broker cannot do that yet."""
        answer = self.scanmq(*arguments, "--json", **kwargs)
        error = answer.json().get("error", {}) if answer.out else {}
        if error.get("code") in NOT_YET:
            self.skipTest(f"the broker does not have it yet: {error['sentence']}")
        self.assertEqual(code, answer.code, f"{arguments}: {answer.err}\n{answer.out}")
        return answer

    def submit(self, queue, *payloads, options=()):
        answer = self.scanmq("submit", queue, "--json", *options, stdin="\n".join(payloads) + "\n")
        jobs = answer.json().get("jobs", [])
        if any(job.get("code") == "unsupported" for job in jobs):
            self.skipTest(f"the broker does not have it yet: {answer.err}")
        self.assertEqual(OK, answer.code, answer.err)
        return [job["id"] for job in jobs]

    def entries(self, queue, count, *options):
        out = self.with_broker("watch", queue, "--from", "earliest", "--count", count, "--body", *options).out
        return [json.loads(line) for line in out.splitlines()]


class Arguments(Case):
    def test_usage_errors_name_what_and_what_to_do(self):
        for arguments, expected in [
            (("job", "cancel", "q", "12"), "32 hexadecimal digits"),
            (("job",), "show, explain, cancel"),
            (("dead",), "list, show, retry, drop"),
            (("dead", "retry", "q"), "--all"),
            (("dead", "drop", "q", NOBODY, "--all"), "not both"),
            (("watch", "q", "--since", "yesterday"), "2024-05-01T09:30:00Z"),
            (("watch", "q", "--since", "1h", "--from", "earliest"), "--from or --since"),
            (("watch", "q", "--no-ack"), "--name"),
            (("submit", "q", "x", "--priority", "10"), "--priority"),
            (("submit", "q", "x", "--pure", "--not-pure"), "not both"),
            (("submit", "q", "x", "--as-of", "noon"), "--as-of"),
            (("bench", "--data", "somewhere"), "--self-contained"),
            (("bench", "--self-contained", "--durability", "hope"), "memory"),
        ]:
            with self.subTest(arguments=arguments):
                answer = self.scanmq(*arguments)
                self.assertEqual(USAGE, answer.code, answer.err)
                self.assertIn(expected, answer.err)
                self.assertEqual("", answer.out)

    def test_help_lists_the_commands(self):
        text = self.ok("--help").out
        for command in ("job explain", "dead retry", "queue drain", "alias set", "subscription forget", "backup",
                        "store show"):
            self.assertIn(command, text)


class Jobs(Operator):
    def test_a_waiting_job_is_shown_explained_and_cancelled(self):
        self.ok("queue", "create", "work")
        first, second = self.submit("work", "one", "two")
        shown = self.with_broker("job", "show", "work", first).json()
        self.assertEqual((first, "queued"), (shown["id"], shown["state"]))
        reasons = self.with_broker("job", "explain", "work", first).json()["reasons"]
        self.assertIn("no_workers", [row["reason"] for row in reasons])
        answer = self.with_broker("job", "cancel", "work", first, NOBODY, code=PARTIAL).json()
        self.assertEqual((1, ["queued", "unknown"]), (answer["cancelled"], [job["was"] for job in answer["jobs"]]))
        self.with_broker("job", "cancel", "work", first, code=FAILED)  # it is finished
        entry = self.entries("work", 1)[0]
        self.assertEqual((first, "cancelled"), (entry["id"], entry["outcome"]))
        self.assertEqual("queued", self.with_broker("job", "show", "work", second).json()["state"])

    def test_an_unknown_job_is_an_error(self):
        self.ok("queue", "create", "work")
        answer = self.with_broker("job", "show", "work", NOBODY, code=FAILED)
        self.assertEqual("unknown_job", answer.json()["error"]["code"])

    def test_priority_and_deadline_are_kept(self):
        self.ok("queue", "create", "work")
        self.submit("work", "late", options=("--deadline", "1ms"))
        self.submit("work", "low", options=("--priority", 1))
        self.submit("work", "high", options=("--priority", 9))
        self.start_worker("--scanner", "noop")
        entries = {entry["body"]: entry for entry in self.entries("work", 3)}
        self.assertLess(entries["high"]["offset"], entries["low"]["offset"])

    def test_a_newer_job_of_the_same_key_supersedes_the_one_that_waits(self):
        self.ok("queue", "create", "work")
        old, = self.submit("work", "old", options=("--conflate-key", "SPY"))
        self.submit("work", "new", options=("--conflate-key", "SPY"))
        entry = self.entries("work", 1)[0]
        self.assertEqual((old, "superseded"), (entry["id"], entry["outcome"]))

    def test_equal_pure_jobs_are_joined(self):
        self.ok("queue", "create", "work")
        self.submit("work", "same", options=("--pure",))
        answer = self.with_broker("submit", "work", "same", "--pure")
        self.assertEqual(("coalesced", "queued"),
                         tuple(answer.json()["jobs"][0][key] for key in ("verdict", "state")))


class Queues(Operator):
    def test_pause_resume_drain_and_purge(self):
        self.ok("queue", "create", "work")
        self.with_broker("queue", "pause", "work")
        self.assertEqual("paused", self.queue("work")["state"])
        self.submit("work", "one")
        self.with_broker("queue", "resume", "work")
        self.assertEqual("open", self.queue("work")["state"])
        self.with_broker("queue", "drain", "work")
        refused = self.scanmq("submit", "work", "two", "--json")
        self.assertEqual((FAILED, "queue_draining"), (refused.code, refused.json()["jobs"][0]["code"]))
        self.with_broker("queue", "purge", "work")
        self.assertEqual("purged", self.entries("work", 1)[0]["code"])


    def test_a_queue_stays_with_the_version_it_was_given_until_it_follows_again(self):
        self.ok("queue", "create", "work")
        shown = self.with_broker("queue", "version", "work").json()
        self.assertEqual({"queue": "work", "scanner_version": "", "pinned": False}, shown)
        shown = self.with_broker("queue", "version", "work", "engine/7").json()
        self.assertEqual({"queue": "work", "scanner_version": "engine/7", "pinned": True}, shown)
        job, = self.submit("work", "one", options=("--pure",))
        self.assertEqual((1, "engine/7"), (self.queue("work")["version_pinned"], self.queue("work")["scanner_version"]))
        shown = self.with_broker("queue", "version", "work", "--follow").json()
        self.assertFalse(shown["pinned"])
        self.with_broker("queue", "version", "work", "8", "--follow", code=USAGE)
        self.with_broker("queue", "version", "nowhere", "8", code=FAILED)


class DeadLetters(Operator):
    def test_nothing_is_dead_in_a_new_queue(self):
        self.ok("queue", "create", "work")
        self.assertEqual([], self.with_broker("dead", "list", "work").json()["dead"])
        self.assertEqual([], self.with_broker("dead", "retry", "work", "--all").json()["jobs"])
        answer = self.with_broker("dead", "drop", "work", NOBODY, code=FAILED)
        self.assertEqual([NOBODY], answer.json()["missing"])


class Aliases(Operator):
    def test_an_alias_follows_its_put_and_is_removed(self):
        self.ok("sample-market", "--symbols", 1, "--out", self.dir / "market")
        put = self.with_broker("snapshot", "put", self.dir / "market", "--alias", "X@latest").json()["snapshots"][0]
        listed = self.with_broker("alias", "list").json()["aliases"]
        self.assertEqual([("X@latest", put["id"])], [(row["alias"], row["id"]) for row in listed])
        self.with_broker("alias", "set", "X@latest", "none")
        self.assertEqual([], self.with_broker("alias", "list").json()["aliases"])
        self.with_broker("alias", "set", "Y", put["label"])


class StandingScans(Case):
    """A desk follows the market: an alias moves, the scan runs again, whatever became of the broker meanwhile."""

    def setUp(self):
        super().setUp()
        self.process = self.start_broker()
        self.ok("queue", "create", "scans")
        self.ok("sample-market", "--symbols", 2, "--out", self.dir / "market")
        rows = self.ok("snapshot", "put", self.dir / "market", "--json").json()["snapshots"]
        self.old, self.new = (row["id"] for row in rows)

    def listed(self):
        return {row["name"]: row for row in self.ok("standing", "list", "--json").json()["standing"]}

    def runs(self, name, count):
        def ran():
            return self.listed()[name]["runs"] == count

        wait_until(ran, f"{name} ran {count} times")

    def entries(self, count):
        out = self.ok("watch", "scans", "--from", "earliest", "--count", count, "--json").out
        return [json.loads(line) for line in out.splitlines()]

    def kill_and_start_broker(self):
        self.process.kill()
        (self.dir / "endpoint").unlink()
        self.process = self.start_broker()

    def test_it_follows_its_alias_across_a_crash(self):
        self.start_worker()
        self.ok("standing", "add", "desk", "--alias", "X", "--subject", "desk.x", "--limit", 3, "--min-interval", "0s")
        self.assertEqual(("no alias 'X'; it runs when it is set", 0, 0),
                         tuple(self.listed()["desk"][key] for key in ("last_error", "runs", "pending")))
        self.ok("alias", "set", "X", self.old)
        self.runs("desk", 1)
        first = self.entries(1)[0]
        self.assertEqual(("desk.x", "done"), (first["subject"], first["outcome"]))
        self.kill_and_start_broker()
        self.assertEqual(1, self.listed()["desk"]["runs"], "nothing moved: nothing runs")
        self.start_worker(name="w2")
        self.ok("alias", "set", "X", self.new)
        self.runs("desk", 2)
        self.assertEqual(["done", "done"], [entry["outcome"] for entry in self.entries(2)])
        self.assertEqual("dropped", self.ok("standing", "drop", "desk", "--json").json()["result"])
        answer = self.scanmq("standing", "drop", "desk", "--json")
        self.assertEqual((FAILED, "unknown_standing"), (answer.code, answer.json()["error"]["code"]))

    def test_a_run_that_was_put_off_is_made_after_a_crash(self):
        self.ok("alias", "set", "X", self.old)
        (self.dir / "payload").write_text("{}")
        self.ok("standing", "add", "desk", "--alias", "X", "--payload", self.dir / "payload", "--min-interval", "3s")
        self.runs("desk", 1)
        self.ok("alias", "set", "X", self.new)  # mostly within the interval
        self.kill_and_start_broker()
        self.runs("desk", 2)
        self.assertEqual("superseded", self.entries(1)[0]["outcome"])

    def test_usage(self):
        for arguments, expected in [
            (("standing", "add", "desk"), "--alias"),
            (("standing", "add", "desk", "--alias", "X", "--pure", "--not-pure"), "not both"),
            (("standing", "add", "desk", "--alias", "X", "--preset", "none"), "preset"),
            (("standing", "add", "desk", "--alias", "X", "--payload", "file", "--strategy", "iron_condor"), "--payload takes its place"),
        ]:
            with self.subTest(arguments=arguments):
                answer = self.scanmq(*arguments)
                self.assertEqual(USAGE, answer.code)
                self.assertIn(expected, answer.err)
        answer = self.scanmq("standing", "add", "desk", "--alias", "X", "--queue", "none", "--json")
        self.assertEqual((FAILED, "unknown_queue"), (answer.code, answer.json()["error"]["code"]))


class Watching(Operator):
    def test_a_name_goes_on_where_it_was_and_is_forgotten(self):
        self.ok("queue", "create", "work")
        self.start_worker("--scanner", "noop")
        self.submit("work", "one", "two", "three")
        first = self.entries("work", 2, "--name", "desk")
        rest = self.entries("work", 1, "--name", "desk")
        self.assertEqual([first[1]["offset"] + 1], [entry["offset"] for entry in rest])
        rows = self.with_broker("subscription", "list", "work").json()["subscriptions"]
        self.assertEqual([("desk", 3)], [(row["name"], row["cursor"]) for row in rows])
        self.with_broker("subscription", "forget", "work", "desk")
        answer = self.with_broker("subscription", "forget", "work", "desk", code=FAILED)
        self.assertEqual("unknown_subscription", answer.json()["error"]["code"])
        self.assertEqual(0, self.entries("work", 1, "--name", "desk")[0]["offset"])

    def test_without_ack_the_cursor_stays(self):
        self.ok("queue", "create", "work")
        self.start_worker("--scanner", "noop")
        self.submit("work", "one")
        for _ in range(2):
            self.assertEqual(0, self.entries("work", 1, "--name", "desk", "--no-ack")[0]["offset"])

    def test_a_name_in_the_environment_makes_nothing_durable(self):
        self.ok("queue", "create", "work")
        self.assertEqual("", self.ok("watch", "work", "--idle", "50ms", SCANMQ_NAME="me").out)

    def test_since_a_moment_before_the_first_entry(self):
        self.ok("queue", "create", "work")
        self.start_worker("--scanner", "noop")
        self.submit("work", "one")
        self.entries("work", 1)
        answer = self.scanmq("watch", "work", "--since", "1h", "--count", 1, "--json")
        if answer.code != OK:
            self.skipTest(f"the broker does not have it yet: {answer.err}")
        self.assertEqual(0, answer.json()["offset"])


class Store(Operator):
    def test_figures(self):
        self.assertTrue(self.with_broker("store", "show").json()["store"])

    def test_backup(self):
        self.with_broker("backup", "monday")


class Journal(Operator):
    def test_a_killed_submit_is_made_good_by_the_next(self):
        journal = self.dir / "work.journal"
        # The queue has room for one job, so most of them wait when the process is killed.
        self.ok("queue", "create", "work", "max_jobs=1")
        lines = self.dir / "lines"
        lines.write_text("".join(f"payload {i}\n" for i in range(20)))
        process = self.start("scanmq", "submit", "work", "--journal", str(journal), "--broker", self.broker,
                             "--timeout", "60s", stdin=lines)
        wait_until(lambda: journal.exists() and b"payload 19" in journal.read_bytes(), "all jobs are in the journal")
        wait_until(lambda: self.queue("work")["waiting"] == 1, "one is taken")
        in_use = self.scanmq("submit", "work", "x", "--journal", journal)
        self.assertEqual(FAILED, in_use.code)
        self.assertIn("in use", in_use.err)
        process.popen.send_signal(signal.SIGKILL)
        process.popen.wait()

        self.ok("queue", "set", "work", "max_jobs=1000")
        again = self.ok("submit", "work", "--journal", journal, "--json", stdin="last\n")
        self.assertIn("of an earlier run", again.err)
        self.start_worker("--scanner", "noop")
        bodies = [entry["body"] for entry in self.entries("work", 21)]
        self.assertEqual(sorted([f"payload {i}" for i in range(20)] + ["last"]), sorted(bodies))
        self.assertEqual(21, self.queue("work")["submitted"])
        self.assertNotIn("earlier run", self.ok("submit", "work", "--journal", journal, stdin="").err)

    def test_another_queues_journal_is_refused(self):
        self.ok("queue", "create", "work")
        self.ok("queue", "create", "other")
        self.ok("submit", "work", "x", "--journal", self.dir / "j")
        answer = self.scanmq("submit", "other", "x", "--journal", self.dir / "j")
        self.assertEqual(FAILED, answer.code)
        self.assertIn("of queue work", answer.err)
        self.assertIn(str(self.dir / "j"), answer.err)
