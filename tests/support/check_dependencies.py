#!/usr/bin/env python3
"""Checks that dependencies point one way, as docs/ARCHITECTURE.md says.

usage: check_dependencies.py ROOT

Reads every #include of the sources under ROOT. A folder may include only itself and the folders that
ALLOWED names for it; a folder of sources that ALLOWED does not know is an error, too. The state machines
and the scanner must not reach for threads, clocks, files or sockets either. Prints one line per violation;
exits 1 when there is one.
"""

import pathlib
import re
import sys

COMMON = ("common/base", "common/protocol", "common/transport", "common/cache", "common/telemetry", "common/config",
          "common/http", "common/process", "common/compress")
SCANNER = ("scanner/market", "scanner/pricing", "scanner/strategy", "scanner/filter", "scanner/score",
           "scanner/search", "scanner/service")

# folder: what it may include beside itself.
ALLOWED = {
    "common/base": (),
    "common/protocol": ("common/base",),
    "common/transport": ("common/base", "common/protocol"),
    "common/cache": ("common/base",),
    "common/cache/redis": ("common/base", "common/cache"),
    "common/http": ("common/base",),
    "common/telemetry": ("common/base",),
    "common/config": ("common/base",),
    "common/process": ("common/base",),
    "common/compress": ("common/base",),
    "broker/core": ("common/base", "common/protocol", "common/cache"),
    "broker/store": ("common/base", "common/protocol", "common/compress", "broker/core"),
    "broker/http": COMMON + SCANNER + ("scanner/api", "client/core", "client/cpp"),
    "broker/server": COMMON + ("client/cache", "broker/core", "broker/store", "broker/http"),
    "worker/core": ("common/base", "common/protocol", "common/cache"),
    "worker/scanners": ("common/base", "common/protocol", "common/process") + SCANNER,
    "worker/remote": ("common/base", "common/protocol", "common/config", "common/http", "scanner/service", "scanner/api",
                      "worker/core", "worker/scanners"),
    "worker/server": COMMON + ("client/cache", "worker/core", "worker/scanners", "worker/remote"),
    "client/core": ("common/base", "common/protocol"),
    "client/cache": ("common/base", "common/protocol", "common/transport", "common/cache", "common/cache/redis",
                     "client/core", "client/cpp"),
    "client/cpp": ("common/base", "common/protocol", "common/transport", "common/compress", "client/core"),
    "client/cli": COMMON + SCANNER + ("client/core", "client/cpp"),
    **{folder: ("common/base",) + SCANNER for folder in SCANNER},
    "scanner/api": ("common/base",) + SCANNER,
    "scanner/server": COMMON + SCANNER + ("scanner/api",),
}

# Pure folders: no threads, files, sockets; what they need of the world is passed in.
PURE = ("common/cache", "broker/core", "worker/core", "client/core")
PURE_FORBIDDEN = re.compile(
    r"^(thread|mutex|shared_mutex|condition_variable|future|fstream|filesystem|iostream|random|ctime|time\.h"
    r"|unistd\.h|sys/.*|netinet/.*|zmq.*|boost/asio.*|spdlog/.*|msgpack.*|hiredis/.*)$")
# The engine knows nothing of messaging.
SCANNER_FORBIDDEN = re.compile(r"^(zmq.*|boost/asio.*|msgpack.*)$")
# Reading a clock inside a pure folder.
CLOCK = re.compile(r"\b(steady_clock|system_clock|high_resolution_clock)::now\b|\bSystemClock\b|\bclock_gettime\b")

SOURCES = ("common", "broker", "worker", "scanner", "client")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
COMMENT = re.compile(r"//.*")


def folder_of(path, known):
    """The longest known folder that holds path, or its parent."""
    best = max((f for f in known if path.startswith(f + "/")), key=len, default="")
    return best or path.rpartition("/")[0]


def check_include(folder, quote, target):
    """One sentence when `folder` may not include `target`, else None."""
    if quote == "<":
        if folder in PURE and PURE_FORBIDDEN.match(target):
            return f"{folder} is a pure state machine and must not include <{target}>"
        if folder in SCANNER + ("scanner/api",) and SCANNER_FORBIDDEN.match(target):
            return f"the scanner knows nothing of messaging and must not include <{target}>"
        return None
    if target.startswith("."):
        return f'include "{target}" by its path from the root'
    if target.partition("/")[0] not in SOURCES:
        return f'"{target}" is not a path from the root: use <> for libraries'
    wanted = folder_of(target, ALLOWED)
    if wanted != folder and wanted not in ALLOWED[folder]:
        return f"{folder} must not include {wanted} ({target})"
    return None


def check_file(root, path):
    relative = path.relative_to(root).as_posix()
    folder = folder_of(relative, ALLOWED)
    if folder not in ALLOWED:
        return [f"{relative}: folder {folder} has no line in ALLOWED of check_dependencies.py; add one"]
    violations = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        problem = check_include(folder, match[1], match[2]) if match else None
        if not problem and folder in PURE and CLOCK.search(COMMENT.sub("", line)):
            problem = f"{folder} must not read a clock: time is passed in"
        if problem:
            violations.append(f"{relative}:{number}: {problem}")
    return violations


def check_tree(root):
    """Every violation under root, as printable lines."""
    violations, files = [], 0
    for top in SOURCES:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".cpp", ".hpp") and path.is_file():
                files += 1
                violations += check_file(root, path)
    if not files:
        violations.append(f"{root}: no sources found; pass the repository's root")
    return violations


def main(arguments):
    if len(arguments) != 1:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    violations = check_tree(pathlib.Path(arguments[0]).resolve())
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
