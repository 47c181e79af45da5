"""A short kill9.sh: see there. Longer ones are run by hand, before a release and after a change of the store."""

import argparse
import tempfile
import unittest

import kill9
from harness import BIN, SANITIZED


def rounds(**changes):
    """True when there was no violation; what a round with one left behind stays, and is named."""
    options = argparse.Namespace(rounds=1, jobs=2000, seed=1, unsynced=False, seconds=2.0, durability="sync",
                                 blob_every=256, keep=False, dir=None, bin=BIN, tools=BIN)
    vars(options).update(changes)
    return kill9.run_rounds(options)


class Kill9(unittest.TestCase):
    def test_killed_processes_lose_nothing(self):
        self.assertTrue(rounds())

    @unittest.skipIf(SANITIZED, "libunsynced.so is preloaded")
    def test_lost_power_loses_nothing(self):
        self.assertTrue(rounds(unsynced=True, seed=2))

    @unittest.skipIf(SANITIZED, "libunsynced.so is preloaded")
    def test_broker_that_does_not_sync_is_found_out(self):
        """The canary: without it a green test could mean that nothing is killed, lost or counted."""
        with tempfile.TemporaryDirectory(prefix="scanmq-e2e-") as directory:
            self.assertFalse(rounds(unsynced=True, durability="async", seed=3, dir=directory))

    def test_same_seed_same_kills(self):
        def plan():
            return kill9.schedule(kill9.random.Random(5), 4.0, 3)

        self.assertEqual(plan(), plan())
        self.assertLessEqual(2, sum(kill.role == "broker" for kill in plan()))


if __name__ == "__main__":
    unittest.main()
