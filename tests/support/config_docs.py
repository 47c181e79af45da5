#!/usr/bin/env python3
"""Writes docs/CONFIG.md from what the programs say about their options.

usage: config_docs.py BIN_DIR FILE           write FILE
       config_docs.py --check BIN_DIR FILE   exit 1, with a diff, when FILE is not what would be written
"""

import difflib
import pathlib
import subprocess
import sys

HEAD = """\
# Options

Every option of every program. An option is read from the command line, else from its environment variable, else from the TOML file that `--config` names, else it has
its default. In the file, a key is the option's name without its dashes (`blob-listen = "..."`), at the top or in the table of the program (`[broker]`, `[worker]`, `[scanner]`, `[cli]`),
which wins; tables of other programs are skipped, so one file serves all. `--help`, `--version` and `--help-markdown` are built in.

Bytes are written `4096`, `64KiB`, `512MiB`; durations `250us`, `10s`, `15min`, never without a unit. A list is separated by commas, or its flag repeated.

This page is generated: `tests/support/config_docs.py build/dev/bin docs/CONFIG.md`. A test compares it with the programs.
"""

PROGRAMS = ("scanmq-broker", "scanmq-worker", "scanmq-scanner", "scanmq")


def options_of(bin_dir, program):
    text = subprocess.run([bin_dir / program, "--help-markdown"], check=True, capture_output=True, text=True,
                          env={}).stdout
    return text.strip() + "\n"


def page(bin_dir):
    sections = [f"\n## {program}\n\n{options_of(bin_dir, program)}" for program in PROGRAMS]
    return HEAD + "".join(sections)


def main(arguments):
    check = arguments[:1] == ["--check"]
    if len(arguments) != 2 + check:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    bin_dir, path = pathlib.Path(arguments[-2]).resolve(), pathlib.Path(arguments[-1])
    wanted = page(bin_dir)
    if not check:
        path.write_text(wanted, encoding="utf-8")
        return 0
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    if found == wanted:
        return 0
    sys.stdout.writelines(difflib.unified_diff(found.splitlines(True), wanted.splitlines(True), str(path),
                                               "what the programs say"))
    print(f"{path} is out of date; run tests/support/config_docs.py {arguments[-2]} {path}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
