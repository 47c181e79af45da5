#!/usr/bin/env python3
"""Medians of what run_store.sh printed, as one JSON object.

usage: summarize_store.py FILE
"""

import collections
import json
import statistics
import sys


def main():
    values = collections.defaultdict(list)
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            result, name = one["result"], f'{one["part"]}.{one["who"]}'
            if one["part"] == "waiting":
                name = f'{name}.{one["rep"]}'
            latency = result.get("latency_us", {})
            figures = {
                "jobs_per_s": result.get("jobs_per_s", result.get("rate")),
                "p50_us": latency.get("p50", result.get("p50", result.get("p50_us"))),
                "p99_us": latency.get("p99", result.get("p99", result.get("p99_us"))),
                "ms": result.get("ms"),
                "lost": result.get("lost"),
                "duplicated": result.get("duplicated", result.get("dup")),
                "anonymous_mib": result["anonymous_bytes"] / 2**20 if "anonymous_bytes" in result else None,
                "broker_us_per_job": result.get("broker_us_per_job"),
                "fill_jobs_per_s": result.get("fill_jobs_per_s"),
            }
            for figure, value in figures.items():
                if value is not None:
                    values[name, figure].append(value)
    out = collections.defaultdict(dict)
    for (name, figure), all_of_it in sorted(values.items()):
        out[name][figure] = [round(statistics.median(all_of_it), 3), round(min(all_of_it), 3), round(max(all_of_it), 3)]
    print(json.dumps({"median, least, most": out}, indent=2))


if __name__ == "__main__":
    main()
