"""The check of the scanner's arithmetic must fail on a violation: small trees with one defect each."""

import pathlib
import tempfile
import unittest

import check_portable_math


class CheckPortableMath(unittest.TestCase):
    def violations(self, name, text):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / name
            path.parent.mkdir(parents=True)
            path.write_text(text, encoding="utf-8")
            return check_portable_math.check_tree(pathlib.Path(directory))

    def test_the_c_librarys_functions_are_found_with_file_and_line(self):
        for call in ("std::exp(x)", "std::erfc(x)", "std::log1p(x)", "std::powf(x, 2)", "::sin(x)",
                     "__builtin_fma(a, b, c)", "exp(x)", "(sinhf (x))", "a->b + log(dx, y)", "log(d)", "std::transform(a, b, c, std::log)"):
            found = self.violations("scanner/score/a.cpp", f"\ny = {call};\n")
            self.assertEqual(["scanner/score/a.cpp:2"], [v.split(": ")[0] for v in found], call)

    def test_ours_and_exact_functions_pass(self):
        self.assertEqual([], self.violations("scanner/score/a.cpp", (
            "y = portable::exp(x) + std::sqrt(x) + std::abs(x) + std::fabs(x) + std::floor(x);  // std::exp\n"
            "auto e = std::expected<int>(); z = log(d, x); std::exponential(1); v = Exp(x) + a.log(x) + p->pow(x);\n"
            "HWY_INLINE hn::Vec<D> exp(D d, hn::Vec<D> x) { return my_exp(x) + log1p(d, x); }\n")))

    def test_highways_own_operations_are_found(self):
        self.assertEqual(1, len(self.violations("scanner/search/a.cpp", "namespace hn = hwy::HWY_NAMESPACE;\n")))
        self.assertEqual(1, len(self.violations("scanner/search/a.cpp", "#include <hwy/contrib/math/math-inl.h>\n")))
        self.assertEqual([], self.violations("scanner/search/a.cpp",
                                             "namespace hn = scanmq::pricing::HWY_NAMESPACE::hn;\n"))

    def test_what_they_are_made_of_is_exempt(self):
        for name in ("scanner/pricing/portable_math.hpp", "scanner/market/sample_chain.cpp"):
            self.assertEqual([], self.violations(name, "y = std::fma(a, b, c);\n"), name)


if __name__ == "__main__":
    unittest.main()
