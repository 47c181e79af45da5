#!/usr/bin/env python3
"""Medians of run_performance.sh's raw results, as one JSON object on stdout.

usage: summarize_performance.py DIR    reads DIR/raw.jsonl and, where it is there, DIR/micro.json
"""

import collections
import json
import pathlib
import platform
import statistics
import subprocess
import sys


def figures(who, part, result):
    """The numbers of one run, by the same names for us and the peer."""
    if who == "zmq_naive":
        return {"jobs_per_s": result["rate"], "p50_us": result["p50"], "p99_us": result["p99"]}
    if part == "scan":
        return result
    if part == "fill":
        return {"jobs": result["jobs"], "jobs_per_s": result["jobs_per_s"], "lost": result["lost"],
                "broker_rss_mib": result["broker_rss_bytes"] / 2**20}
    return {"jobs_per_s": result["jobs_per_s"], "p50_us": result["latency_us"]["p50"],
            "p99_us": result["latency_us"]["p99"], "lost": result["lost"], "duplicated": result["duplicated"],
            "broker_rss_mib": result["broker_rss_bytes"] / 2**20}


def medians(runs):
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def ratios(ours, peers, name):
    """Median over the repetitions of ours to the peer's of the same one."""
    return round(statistics.median(a[name] / b[name] for a, b in zip(ours, peers)), 3)


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    root = pathlib.Path(__file__).parent
    commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True,
                            check=False).stdout.strip()
    cpus = pathlib.Path("/proc/cpuinfo").read_text().count("processor\t")
    return {"cpu": cpu, "cpus": cpus, "kernel": platform.release(), "commit": commit}


def micro(path):
    out = {}
    for run in json.loads(path.read_text())["benchmarks"]:
        if run.get("aggregate_name") == "median":
            entry = {"ns": round(run["cpu_time"] * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[run["time_unit"]], 1)}
            if "items_per_second" in run:
                entry["items_per_s"] = round(run["items_per_second"])
            out[run["run_name"]] = entry
    return out


def main(directory):
    runs = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in (directory / "raw.jsonl").read_text().splitlines():
        run = json.loads(line)
        runs[run["part"]][run["who"]].append(figures(run["who"], run["part"], run["result"]))
    summary = {"machine": machine()}
    for part, by_who in runs.items():
        summary[part] = {who: medians(list_) for who, list_ in by_who.items()}
        summary[part]["repetitions"] = len(by_who["scanmq"])
        if "zmq_naive" in by_who:
            for name in ("jobs_per_s",) if part == "throughput" else ("p50_us", "p99_us"):
                summary[part][f"{name}_ratio"] = ratios(by_who["scanmq"], by_who["zmq_naive"], name)
    if (directory / "micro.json").exists():
        summary["micro"] = micro(directory / "micro.json")
    print(json.dumps(summary, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        sys.exit(2)
    main(pathlib.Path(sys.argv[1]))
