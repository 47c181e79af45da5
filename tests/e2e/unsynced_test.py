"""libunsynced.so takes back what was not synced, and nothing else."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from harness import BIN, SANITIZED, environment

PAGE = 4096


@unittest.skipIf(SANITIZED, "libunsynced.so is preloaded")
class Unsynced(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="scanmq-e2e-")
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name) / "data"
        self.dir.mkdir()
        self.seed = 0

    def start(self, *steps):
        env = environment(LD_PRELOAD=str(BIN / "libunsynced.so"), UNSYNCED_DIR=str(self.dir),
                          UNSYNCED_SEED=str(self.seed))
        return subprocess.Popen([BIN / "test-unsynced-probe", self.dir, *steps], env=env, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def probe(self, *steps):
        """Runs the steps, then the power fails; what is left is in self.dir."""
        process = self.start(*steps, "kill")
        _, err = process.communicate(timeout=60)
        self.assertEqual(-signal.SIGKILL, process.returncode, err)
        self.recover()

    def recover(self):
        process = self.start()
        _, err = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, err)
        self.assertIn("unsynced: watching", err)
        return err

    def text(self, name):
        return (self.dir / name).read_text(encoding="latin-1")

    def names(self):
        return sorted(os.listdir(self.dir))

    def test_unsynced_write_is_gone(self):
        self.probe("write:a:0:hello", "sync:a", "write:a:5: world", "write:a:0:J")
        self.assertEqual("hello", self.text("a"))

    def test_synced_write_stays(self):
        self.probe("write:a:0:hello", "write:a:5: world", "sync:a")
        self.assertEqual("hello world", self.text("a"))

    def test_file_that_was_never_synced_is_gone(self):
        self.probe("write:a:0:hello", "stream:b:hello")
        self.assertEqual([], self.names())

    def test_sync_of_the_folder_keeps_the_name_only(self):
        self.probe("write:a:0:hello", "sync-folder")
        self.assertEqual("", self.text("a"))

    def test_write_through_stays_without_its_neighbours(self):
        self.probe("fill:a:3:x", "sync:a", "fill:a:3:y", "through:a:4096:z", "write:a:4097:w")
        self.assertEqual("x" * PAGE + "z" + "y" * (PAGE - 1) + "x" * PAGE, self.text("a"))

    def test_unsynced_sizes_go_back(self):
        self.probe("write:a:0:hello", "sync:a", "write:b:0:hello", "sync:b", "truncate:a:2", "write:a:3:x",
                   "allocate:b:9000")
        self.assertEqual(("hello", "hello"), (self.text("a"), self.text("b")))
        self.probe("truncate:a:2", "sync:a", "allocate:b:9000", "sync:b")
        self.assertEqual(("he", "hello" + "\0" * 8995), (self.text("a"), self.text("b")))

    def test_file_opened_with_truncation_comes_back(self):
        self.probe("write:a:0:hello", "sync:a")
        self.probe("stream:a:J")
        self.assertEqual("hello", self.text("a"))

    def test_rename_needs_the_folder_synced(self):
        self.probe("write:a:0:old", "sync:a", "sync-folder", "write:t:0:new", "sync:t", "rename:t:a")
        self.assertEqual((["a", "t"], "old", "new"), (self.names(), self.text("a"), self.text("t")))
        self.probe("rename:t:a", "sync-folder")
        self.assertEqual((["a"], "new"), (self.names(), self.text("a")))

    def test_renamed_name_may_be_made_again(self):
        self.probe("write:a:0:old", "sync:a", "sync-folder", "write:t:0:new", "sync:t", "rename:t:a",
                   "stream:t:newer", "rename:t:a")
        self.assertEqual("old", self.text("a"))

    def test_removal_needs_the_folder_synced(self):
        self.probe("write:a:0:hello", "sync:a", "sync-folder", "remove:a")
        self.assertEqual("hello", self.text("a"))
        self.probe("remove:a", "sync-folder")
        self.assertEqual([], self.names())

    def test_folder_needs_a_sync_of_its_own_or_of_what_it_is_in(self):
        self.probe("folder:a", "folder:b", "sync-folder:b", "folder:c", "write:c/f:0:hello", "sync:c/f", "folder:d",
                   "write:d/f:0:hello", "sync-folder:d")
        self.assertEqual(["b", "c", "d"], self.names())
        self.assertEqual(("hello", ""), (self.text("c/f"), self.text("d/f")))
        self.probe("folder:e", "sync-folder")
        self.assertIn("e", self.names())

    def test_second_process_is_left_alone(self):
        first = self.start("write:a:0:hello", "lmdb:0:sync")
        first.stdout.readline()
        second = self.start("write:b:0:hello", "kill")
        self.assertIn("another process", second.communicate(timeout=60)[1])
        first.kill()
        first.communicate(timeout=60)
        self.recover()
        self.assertEqual("hello", self.text("b"))
        self.assertNotIn("a", self.names())

    def test_seed_keeps_some_pages(self):
        """Each page is old or new, and over many seeds both occur in one file."""
        mixed = set()
        for self.seed in range(1, 9):
            self.probe("fill:a:8:x", "sync:a")
            self.probe("fill:a:8:y")
            pages = [self.text("a")[i * PAGE:(i + 1) * PAGE] for i in range(8)]
            self.assertTrue(all(page in ("x" * PAGE, "y" * PAGE) for page in pages))
            mixed.add(len(set(pages)))
        self.assertIn(2, mixed)

    def commits_survive(self, mode):
        """Commits that returned before a kill at some moment, and commits that are there after it."""
        process = self.start(f"lmdb:0:{mode}")
        returned = [process.stdout.readline()]
        time.sleep(0.05 + 0.013 * (self.seed % 10))  # the moment of the kill, not a wait
        process.kill()
        # Not communicate(): it would not return what readline() has read ahead.
        returned += process.stdout.read().splitlines()
        process.communicate(timeout=60)
        check = self.start("lmdb-check")
        out, err = check.communicate(timeout=60)
        self.assertEqual(0, check.returncode, err)
        return len(returned), int(out)

    def test_lmdb_keeps_its_commits(self):
        for self.seed in range(6):
            with self.subTest(seed=self.seed):
                returned, there = self.commits_survive("sync")
                self.assertGreaterEqual(there, returned)
                self.assertLessEqual(there, returned + 1)
                for file in self.dir.iterdir():
                    file.unlink()

    def test_lmdb_without_syncs_loses_them(self):
        """The canary: a store that does not sync must be found out."""
        returned, there = self.commits_survive("nosync")
        self.assertGreater(returned, 0)
        self.assertEqual(0, there)


if __name__ == "__main__":
    unittest.main()
