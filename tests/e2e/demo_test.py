"""compose/demo.sh as a user runs it, with the programs of this build: what its last line says."""

import json
import shutil
import subprocess
import unittest

from harness import BIN, ROOT, PATIENCE_S, environment

SYMBOLS = 3


class Demo(unittest.TestCase):
    def demo(self, *arguments):
        # Look-ups are waited for, so that a busy machine changes no hit rate.
        done = subprocess.run([ROOT / "compose/demo.sh", "--symbols", str(SYMBOLS), "--json", *arguments],
                              capture_output=True, text=True, timeout=4 * PATIENCE_S,
                              env=environment(SCANMQ_BIN_DIR=str(BIN), SCANMQ_CACHE_WAIT="10s"))
        self.assertEqual(0, done.returncode, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    def check(self, told):
        self.assertEqual((SYMBOLS, []), (told["jobs"], told["failed"]))
        second = told["second_scan"]
        self.assertEqual({"seconds", "hit_rate"}, set(second))
        self.assertEqual(1.0, second["hit_rate"], "every job of the second scan out of the cache")
        self.assertGreater(second["seconds"], 0)
        self.assertLess(second["seconds"], PATIENCE_S)

    def test_the_second_scan_comes_out_of_the_cache(self):
        self.check(self.demo())

    @unittest.skipUnless(shutil.which("redis-server") and shutil.which("redis-cli"), "no redis-server")
    def test_the_second_scan_comes_out_of_a_redis(self):
        self.check(self.demo("--cache", "redis"))


if __name__ == "__main__":
    unittest.main()
