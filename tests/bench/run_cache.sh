#!/usr/bin/env bash
# Measures what the caches do and prints one JSON object last. Release build; about two minutes. Exit code 1, after
# that, when the Redis was shut out by its own load: its breaker opened.
#   tests/bench/run_cache.sh              five repetitions of each
#   REPS=3 ONLY="embedded" tests/bench/run_cache.sh    some parts: embedded redis universe trace
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../compose/lib.sh"

reps=${REPS:-5}
only=${ONLY:-embedded redis universe trace}
work=$(mktemp -d "${TMPDIR:-/tmp}/scanmq-cache.XXXXXX")
pids=()
stop_all() {
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do stop_process "${pids[i]}"; done
    pids=()
}
# shellcheck disable=SC2317  # called by the trap
cleanup() {
    stop_all
    rm -rf "$work"
}
trap cleanup EXIT
wanted() { [[ " $only " == *" $1 "* ]]; }

build_preset release scanmq scanmq-broker scanmq-worker scanmq-universe scanmq-cache-trace >&2
bin=$SCANMQ_ROOT/build/release/bin
echo '{}' >"$work/out"

# note PATH VALUE: puts a JSON value into the result.
note() {
    python3 - "$work/out" "$1" "$2" <<'PY'
import json, sys
file, path, value = sys.argv[1:]
out = json.load(open(file))
at = out
*folders, last = path.split(".")
for folder in folders:
    at = at.setdefault(folder, {})
at.setdefault(last, []).append(json.loads(value))
json.dump(out, open(file, "w"))
PY
}

start_redis() {
    local port
    for _ in 1 2 3 4 5 6 7 8; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        : >"$work/redis.log"
        redis-server --bind 127.0.0.1 --port "$port" --dir "$work" --save '' --appendonly no >"$work/redis.log" 2>&1 &
        pids+=($!)
        # Until it says so, ends (its port is taken) or time is up.
        if grep -qm 1 'Ready to accept' < <(timeout 10 tail -n +1 -f --pid="${pids[-1]}" "$work/redis.log"); then
            redis=redis://127.0.0.1:$port/0
            return
        fi
    done
    die "redis-server did not start"
}

start_broker() {
    rm -f "$work/endpoint"
    "$bin/scanmq-broker" --listen tcp://127.0.0.1:0 --endpoint-file "$work/endpoint" --http none --data "$work/data" \
        "$@" >"$work/broker.log" 2>&1 &
    pids+=($!)
    wait_for_file "$work/endpoint" 20 "${pids[-1]}" || die "the broker did not start"
    broker=$(head -n 1 "$work/endpoint")
}

if wanted embedded; then
    say "Jobs answered at admission by the broker's own cache"
    for durability in memory sync; do
        for ((i = 0; i < reps; i++)); do
            note "embedded.$durability" "$("$bin/scanmq" bench --self-contained --durability "$durability" --distinct 500 \
                --seconds 3 --json | tail -n 1)"
        done
    done
fi

if wanted redis; then
    say "Jobs answered by a Redis, the broker's own cache being off"
    for ((i = 0; i < reps; i++)); do
        start_redis
        start_broker --durability memory --cache "$redis" --cache-bytes 0
        # So many payloads that few jobs join another's look-up.
        note redis.bench "$("$bin/scanmq" bench --broker "$broker" --distinct 20000 --window 16384 --seconds 3 --json | tail -n 1)"
        note redis.tiers "$("$bin/scanmq" cache stats --broker "$broker" --json | tail -n 1)"
        stop_all
    done
fi

if wanted universe; then
    say "A universe of 500 symbols and four strategies, again and again"
    for durability in sync memory; do
        start_broker --durability "$durability"
        "$bin/scanmq-worker" --broker "$broker" --threads 2 >"$work/worker.log" 2>&1 &
        pids+=($!)
        note "universe.$durability" "$("$bin/scanmq-universe" "$broker" 500 "$reps")"
        stop_all
        rm -rf "$work/data"
    done
fi

if wanted trace; then
    say "Hit rates on traces"
    note trace "$("$bin/scanmq-cache-trace" | tail -n 1)"
fi

python3 - "$work/out" <<'PY'
import json, statistics, sys
out = json.load(open(sys.argv[1]))
told = {}
for durability, runs in out.get("embedded", {}).items():
    told[f"embedded_{durability}_jobs_per_s"] = round(statistics.median(r["jobs_per_s"] for r in runs))
if "redis" in out:
    told["redis_jobs_per_s"] = round(statistics.median(r["jobs_per_s"] for r in out["redis"]["bench"]))
    tiers = [next(t for t in r["tiers"] if t["tier"] == "redis") for r in out["redis"]["tiers"]]
    told["redis_hits_per_s"] = round(statistics.median(
        t["hits"] / r["seconds"] for t, r in zip(tiers, out["redis"]["bench"])))
    # Of one run: what was asked for is hits and misses; of these, overflow was too much at once, held not sent.
    for figure in ("hits", "misses", "overflow", "timeouts", "held"):
        told["redis_" + figure] = round(statistics.median(t[figure] for t in tiers))
    told["redis_breaker_opened"] = sum(t["breaker_opened"] for t in tiers)
for durability, runs in out.get("universe", {}).items():
    told[f"universe_{durability}"] = runs[0]
if "trace" in out:
    told["trace"] = out["trace"][0]
print(json.dumps(told))
if told.get("redis_breaker_opened", 0) > 0:
    sys.exit("run_cache.sh: the Redis was shut out by its own load: its breaker opened")
PY
