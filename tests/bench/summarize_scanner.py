#!/usr/bin/env python3
"""The scan engine's figures beside their targets and references, as a Markdown table on stdout.

usage: summarize_scanner.py DIR    reads DIR/micro.json and DIR/memory.txt; ends with 1 when a target is missed
"""

import json
import pathlib
import sys

MILLION, MS, MB = 1e6, 1e-3, 1e6
# benchmark, counter (s: CPU seconds), its unit and the unit's size, bound, references with the same counter.
FIGURES = [
    ("iv/chain_mix_columns", "items_per_second", "M/s", MILLION, 15, ["iv/quantlib_lirs_chain_mix", "iv/quantlib_chain_mix"]),
    ("iv/wide_mix_columns", "items_per_second", "M/s", MILLION, 15, ["iv/quantlib_lirs_wide_mix", "iv/quantlib_wide_mix"]),
    ("iv/chain_mix_columns", "error", "", 1, 1e-12, ["iv/quantlib_lirs_chain_mix", "iv/quantlib_chain_mix"]),
    ("iv/wide_mix_columns", "error", "", 1, 1e-12, ["iv/quantlib_lirs_wide_mix", "iv/quantlib_wide_mix"]),
    ("iv/corner_mix_columns", "error", "", 1, 1e-12, ["iv/quantlib_lirs_corner_mix"]),
    ("iv/corner_mix_columns", "failed", "", 1, 0, ["iv/quantlib_lirs_corner_mix"]),
    ("bsm/greeks_columns", "items_per_second", "M/s", MILLION, 60, ["bsm/quantlib_greeks"]),
    ("american/price_fast", "items_per_second", "k/s", 1e3, 500, ["american/quantlib_fast"]),
    ("american/price_fast", "max_error", "", 1, 1e-5, ["american/quantlib_fast"]),
    ("market/price_spx", "s", "ms", MS, 5, ["market/quantlib_iv_greeks_spx"]),
    ("search/spx_verticals_100", "s", "ms", MS, 10, ["search/spx_verticals_100_scalar"]),
    ("scan/spx_verticals_100", "s", "ms", MS, 10, ["scan/spx_verticals_100_brute_force"]),
    ("scan/spx_verticals_100_all_metrics", "s", "ms", MS, 10, ["scan/spx_verticals_100_brute_force"]),
    ("scan/spx_verticals_100_every_metric", "s", "ms", MS, 10, ["scan/spx_verticals_100_brute_force"]),
    ("scan/spx_condors_100", "s", "ms", MS, 250, ["scan/spx_condors_100_brute_force/iterations:1"]),
    ("chain/read_cboe_spx", "bytes_per_second", "MB/s", MB, 200, ["chain/getline_strtod_spx"]),
]
# Rates are to be at least the target; the rest at most.
AT_LEAST = {"items_per_second", "bytes_per_second"}
AMERICAN_RATIO = 8.0
MEMORY_MIB = 50.0


def medians(path):
    seconds = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    runs = {}
    for run in json.loads(path.read_text())["benchmarks"]:
        if run.get("aggregate_name", "median") == "median":  # of one repetition there are no aggregates
            runs[run["run_name"]] = run | {"s": run["cpu_time"] * seconds[run["time_unit"]]}
    return runs


def shown(value, unit):
    if unit == "":
        return f"{value:.2g}"
    return f"{value:.3g} {unit}"


def main(directory):
    runs = medians(directory / "micro.json")
    missed = []
    print("| figure | target | measured | reference, same run |\n|---|---|---|---|")

    def row(name, target, value, references, met):
        print(f"| {name} | {target} | {'' if met else '**missed** '}{value} | {references} |")
        if not met:
            missed.append(name)

    for name, counter, unit, size, target, references in FIGURES:
        value = runs[name][counter] / size
        beside = "; ".join(f"`{other}` {shown(runs[other][counter] / size, unit)}" for other in references if other in runs)
        met = value >= target if counter in AT_LEAST else value <= target
        what = {"items_per_second": "", "bytes_per_second": "", "s": ""}.get(counter, f", {counter}")
        row(f"`{name}`{what}", shown(target, unit), shown(value, unit), beside, met)
    ratio = runs["american/price_fast"]["items_per_second"] / runs["american/quantlib_fast"]["items_per_second"]
    row("`american/price_fast` over `american/quantlib_fast`", AMERICAN_RATIO, f"{ratio:.1f}", "", ratio >= AMERICAN_RATIO)
    for line in (directory / "memory.txt").read_text().splitlines():
        strategy, kib, elapsed = line.split()
        mib = int(kib) / 1024
        row(f"peak memory of `scanmq scan --local`, {strategy}, {elapsed} s", f"{MEMORY_MIB:g} MiB", f"{mib:.1f} MiB", "",
            mib <= MEMORY_MIB)
    for name in missed:
        print(f"missed: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        sys.exit(2)
    sys.exit(main(pathlib.Path(sys.argv[1])))
