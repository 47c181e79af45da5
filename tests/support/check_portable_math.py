#!/usr/bin/env python3
"""Checks that the scanner computes the same on every machine (docs/SCANNER.md, "The same on every machine").

usage: check_portable_math.py ROOT

The C library's exp, log and the like have other last digits on other processors, and so have highway's
multiply-adds: sources of scanner/ call portable:: and the hn of lanes-inl.hpp instead. Prints one line per
violation; exits 1 when there is one.
"""

import pathlib
import re
import sys

FUNCTIONS = ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "sin", "cos", "tan", "asin", "acos", "atan",
             "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "cbrt", "hypot", "fma", "tgamma",
             "lgamma")
# Without a scope it is <math.h>'s, but for the functions of vector_math-inl.hpp, whose first argument is the tag d.
LIBRARY = re.compile(r"\bstd::(?:%s)[fl]?\b|(?<![\w)>])::(?:%s)[fl]?\s*\(|\b__builtin_(?:%s)[fl]?\b"
                     r"|(?<![\w:.])(?<!->)(?:%s)[fl]?\s*\((?!\s*(?:D )?d,)"
                     % (("|".join(FUNCTIONS),) * 4))
HIGHWAY = re.compile(r"\bhwy::HWY_NAMESPACE\b|\bhwy::N_\w+|hwy/contrib/math")
# What they are made of, and the made-up market, whose quotes are inputs and not results.
LIBRARY_ALLOWED = ("scanner/pricing/portable_math.", "scanner/market/sample_")
HIGHWAY_ALLOWED = ("scanner/pricing/lanes-inl.hpp",)


def check_tree(root):
    violations = []
    for path in sorted((root / "scanner").rglob("*")):
        if path.suffix not in (".cpp", ".hpp", ".inc"):
            continue
        name = path.relative_to(root).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            code = line.split("//")[0]
            found = LIBRARY.search(code)
            if found and not name.startswith(LIBRARY_ALLOWED):
                violations.append(f"{name}:{number}: {found.group(0).rstrip('( ')} differs between processors: use portable::")
            found = HIGHWAY.search(code)
            if found and not name.startswith(HIGHWAY_ALLOWED):
                violations.append(f"{name}:{number}: {found.group(0)} differs between targets: use the hn of lanes-inl.hpp")
    return violations


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    violations = check_tree(pathlib.Path(sys.argv[1]))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
