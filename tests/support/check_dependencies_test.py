"""The dependency check must fail on a violation: small trees with one defect each."""

import pathlib
import tempfile
import unittest

import check_dependencies


class CheckDependencies(unittest.TestCase):
    def violations(self, files):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return check_dependencies.check_tree(root)

    def test_allowed_includes_pass(self):
        self.assertEqual([], self.violations({
            "common/base/a.hpp": "#include <string>\n",
            "broker/core/b.cpp": '#include "broker/core/b.hpp"\n#include "common/base/a.hpp"\n',
            "client/cli/c.cpp": '#include "scanner/service/engine.hpp"\n#include <thread>\n',
        }))

    def test_upward_include_fails_with_file_and_line(self):
        found = self.violations({"common/base/a.hpp": '\n#include "common/protocol/codec.hpp"\n'})
        self.assertEqual(["common/base/a.hpp:2: common/base must not include common/protocol "
                          "(common/protocol/codec.hpp)"], found)

    def test_broker_and_worker_never_include_each_other(self):
        found = self.violations({
            "broker/server/a.cpp": '#include "worker/core/worker_core.hpp"\n',
            "worker/server/b.cpp": '#  include "broker/core/broker_core.hpp"\n',
        })
        self.assertEqual(2, len(found))

    def test_scanner_sees_only_base(self):
        self.assertEqual(2, len(self.violations({
            "scanner/market/a.cpp": '#include "common/protocol/kinds.hpp"\n#include <zmq.hpp>\n'})))

    def test_pure_core_must_not_use_threads_or_clocks(self):
        found = self.violations({
            "worker/core/a.cpp": "#include <thread>\nauto t = std::chrono::steady_clock::now();\n"
                                 "// steady_clock::now in a comment is no violation\n"})
        self.assertEqual(["worker/core/a.cpp:1", "worker/core/a.cpp:2"], [v.split(": ")[0] for v in found])

    def test_shared_tiers_are_for_the_shells_only(self):
        include = '#include "client/cache/shared_tier.hpp"\n'
        self.assertEqual([], self.violations({"broker/server/a.cpp": include, "worker/server/a.cpp": include}))
        for path in ("broker/core/a.cpp", "worker/core/a.cpp", "common/cache/a.cpp", "client/core/a.cpp"):
            self.assertEqual(1, len(self.violations({path: include})), path)

    def test_redis_is_for_shared_tiers_only(self):
        include = '#include "common/cache/redis/redis_tier.hpp"\n'
        self.assertEqual([], self.violations({"client/cache/a.cpp": include}))
        self.assertEqual(3, len(self.violations({
            "broker/core/a.cpp": include, "common/cache/a.cpp": include + "#include <hiredis/async.h>\n"})))

    def test_relative_include_fails(self):
        self.assertEqual(1, len(self.violations({"broker/core/a.cpp": '#include "../store/b.hpp"\n'})))

    def test_unknown_folder_fails(self):
        self.assertIn("has no line in ALLOWED", self.violations({"broker/extra/a.cpp": "\n"})[0])

    def test_empty_tree_fails(self):
        self.assertEqual(1, len(self.violations({})))


if __name__ == "__main__":
    unittest.main()
