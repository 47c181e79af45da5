#!/usr/bin/env python3
"""Measures snapshots on their way: memory and decodes of the workers they reach, and what small jobs notice of puts.

usage: snapshots.py [--bin DIR] [--chain FILE] [--pairs N] [reach] [latency]

reach    A snapshot of the chain (about 1 MB) is scanned by eight workers of one thread, which have scanned a small one
         before. Each worker's peak is reset before, and compared with what it had then.
latency  A fixed rate of small no-op jobs, with and without snapshots being put meanwhile; runs of a pair alternate, the
         first of it as well.

Prints one JSON object last. Ends every process it started, by its id.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from overload import Programs, environment, say, wait_until  # noqa: E402

WORKERS = 8
REQUEST = json.dumps({"limit": 1, "strategies": ["bull_put"], "filters": [{"type": "dte", "params": {"min": 20, "max": 30}},
                                                                          {"type": "width", "params": {"max": 25}}]})
ROWS = 8400  # of the chain's file, two contracts each
SYMBOLS = 600  # of one set of made-up chains, 26 MB
SETS = 12
RATE, SECONDS = 500, 6
PUT_BYTES = 100e6


def status(process):
    lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM")}


def scan_everywhere(programs, label):
    """Jobs over this snapshot until each worker has done some."""
    def done():
        return {row["name"]: row["done"] for row in programs.scanmq("worker", "list")["workers"]}

    start = done()

    def reached():
        programs.scanmq("submit", "reach", "--snapshot", label, "--quiet", stdin=(REQUEST + "\n") * (2 * WORKERS))
        now = done()
        return all(now[name] > start[name] for name in start)

    wait_until(reached, f"each worker has scanned {label}", 120)
    wait_until(lambda: programs.scanmq("queue", "list", "reach")["queues"][0]["running"] == 0 and
               programs.scanmq("queue", "list", "reach")["queues"][0]["waiting"] == 0, "all jobs are done", 120)


def cut(chain, path):
    """So much of a Cboe file that its snapshot has nearly a megabyte."""
    lines = chain.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:ROWS]), encoding="utf-8")
    return path


def reach(programs, chain):
    programs.start_broker()
    programs.scanmq("queue", "create", "reach")
    workers = [programs.start_worker(f"w{i}", "--threads", 1) for i in range(WORKERS)]
    wait_until(lambda: len(programs.scanmq("worker", "list")["workers"]) == WORKERS, "the workers are there", 60)
    programs.scanmq("sample-market", "--symbols", 1, "--out", programs.dir / "small")
    programs.scanmq("snapshot", "put", next((programs.dir / "small").iterdir()), "--label", "small")
    scan_everywhere(programs, "small")
    programs.scanmq("snapshot", "put", cut(chain, programs.dir / "large.csv"), "--label", "large")
    for worker in workers:
        pathlib.Path(f"/proc/{worker.pid}/clear_refs").write_text("5")
    before = [status(worker)["VmRSS"] for worker in workers]
    scan_everywhere(programs, "large")
    extra = [status(worker)["VmHWM"] - was for worker, was in zip(workers, before)]
    kept = [status(worker)["VmRSS"] - was for worker, was in zip(workers, before)]
    (row,) = [row for row in programs.scanmq("snapshot", "list")["snapshots"] if row["label"] == "large"]
    for worker in workers:
        programs.end(worker)
    inputs = [re.findall(r"inputs: (\d+) fetched, (\d+) decoded, (\d+) found", worker.log.read_text())[-1]
              for worker in workers]
    return {"workers": WORKERS, "snapshot_bytes": row["bytes"], "stored_bytes": row.get("stored_bytes"),
            "fetched": [int(one[0]) - 1 for one in inputs], "decodes": [int(one[1]) - 1 for one in inputs],
            "found_in_memory": sum(int(one[2]) for one in inputs), "extra_peak_bytes": sorted(extra),
            "extra_kept_bytes": sorted(kept)}


def run_latency(programs, binaries, sets, putting):
    programs.start_broker()
    broker, putter, put_bytes = programs.running[-1], None, 0
    if putting:
        putter = subprocess.Popen([binaries / "scanmq", "snapshot", "put", *sets, "--broker", programs.broker, "--json"],
                                  stdout=subprocess.DEVNULL, env=environment())
        programs.running.append(putter)
        wait_until(lambda: programs.scanmq("snapshot", "list")["snapshots"], "puts have begun", 60)
    begun = time.monotonic()
    result = programs.scanmq("bench", "--broker", programs.broker, "--mode", "open", "--rate", RATE, "--seconds", SECONDS,
                             "--workers", 1)
    if putting:
        rows = programs.scanmq("snapshot", "list")["snapshots"]
        put_bytes = sum(row.get("bytes", 0) for row in rows)  # of those listed
        under_way = putter.poll() is None
        programs.end(putter)
        result["put"] = {"bytes": put_bytes, "stored_bytes": sum(row.get("stored_bytes", 0) for row in rows),
                         "under_way_at_the_end": under_way, "seconds": round(time.monotonic() - begun, 2)}
    programs.end(broker)
    return result


def latency(binaries, tools, directory, pairs):
    sets = []
    for seed in range(SETS):
        folder = directory / f"set{seed}"
        subprocess.run([binaries / "scanmq", "sample-market", "--symbols", str(SYMBOLS), "--seed", str(seed + 1), "--out",
                        folder], stdout=subprocess.DEVNULL, check=True)
        sets.append(folder)
    rows = []
    for pair in range(pairs):
        row = {}
        for putting in ((False, True), (True, False))[pair % 2]:
            with tempfile.TemporaryDirectory(prefix="scanmq-snapshots-") as run:
                with Programs(binaries, tools, pathlib.Path(run)) as programs:
                    result = run_latency(programs, binaries, sets, putting)
            # What was removed is discarded by the file system now, not in the middle of the next run.
            os.sync()
            row["putting" if putting else "quiet"] = result["latency_us"]
            if putting:
                row["put"] = result["put"]
        row["p99_ratio"] = round(row["putting"]["p99"] / row["quiet"]["p99"], 3)
        row["p50_ratio"] = round(row["putting"]["p50"] / row["quiet"]["p50"], 3)
        say(f"pair {pair}: {json.dumps(row)}")
        rows.append(row)
    return {"rate": RATE, "seconds": SECONDS, "pairs": rows,
            "p99_ratio": statistics.median(row["p99_ratio"] for row in rows),
            "p50_ratio": statistics.median(row["p50_ratio"] for row in rows),
            "enough_put": all(row["put"]["bytes"] >= PUT_BYTES for row in rows)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--chain", type=pathlib.Path,
                        default=ROOT / "../shared/data/chains/cboe_spx_2023-09-14_quotedata.csv")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("parts", nargs="*", default=["reach", "latency"])
    options = parser.parse_args()
    out = {"machine_load": pathlib.Path("/proc/loadavg").read_text().split()[0]}
    with tempfile.TemporaryDirectory(prefix="scanmq-snapshots-") as directory:
        directory = pathlib.Path(directory)
        if "reach" in options.parts:
            with Programs(options.bin, options.bin, directory) as programs:
                out["reach"] = reach(programs, options.chain)
        if "latency" in options.parts:
            out["latency"] = latency(options.bin, options.bin, directory, options.pairs)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
