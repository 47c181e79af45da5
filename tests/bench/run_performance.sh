#!/usr/bin/env bash
# Measures what docs/PERFORMANCE.md reports and prints medians as one JSON object. Release build; about five minutes.
#   tests/bench/run_performance.sh              five interleaved repetitions
#   REPS=9 OUT=dir tests/bench/run_performance.sh   more of them; raw results stay in dir
#   ONLY="closed" tests/bench/run_performance.sh    some parts: closed throughput open fill micro scan
# PEERS_DIR is the folder of the peers' harness, for the bare ZeroMQ broker of the same run; without it those
# figures are left out. CHAINS_DIR holds the SPX file. Both default to ../shared.
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../compose/lib.sh"

reps=${REPS:-5}
only=${ONLY:-closed throughput open fill micro scan}
peers=${PEERS_DIR:-$SCANMQ_ROOT/../shared/peers}
spx=${CHAINS_DIR:-$SCANMQ_ROOT/../shared/data/chains}/cboe_spx_2023-09-14_quotedata.csv
out=${OUT:-$(mktemp -d "${TMPDIR:-/tmp}/scanmq-performance.XXXXXX")}
mkdir -p "$out"
raw=$out/raw.jsonl
: >"$raw"

wanted() { [[ " $only " == *" $1 "* ]]; }

peer_pid=''
stop_peer() {
    [[ -z $peer_pid ]] || stop_process "$peer_pid"
    peer_pid=''
}
# shellcheck disable=SC2317  # called by the trap
cleanup() {
    stop_peer
    [[ -n ${OUT:-} ]] || rm -rf "$out"
}
trap cleanup EXIT

targets=(scanmq scanmq-broker scanmq-worker)
if wanted micro; then targets+=(scanmq-microbench); fi
build_preset release "${targets[@]}"
bin=$SCANMQ_ROOT/build/release/bin

naive=''
if [[ -f $peers/zmq_naive.cpp ]]; then
    naive=$out/zmq_naive
    g++ -O2 -std=c++20 -w "$peers/zmq_naive.cpp" -o "$naive" -lzmq -lpthread
fi

# record PART WHO REP JSON: one raw line.
record() { printf '{"part":"%s","who":"%s","rep":%s,"result":%s}\n' "$1" "$2" "$3" "$4" | tee -a "$raw" >&2; }

# peer PART REP ARGS...: a run of the bare ZeroMQ broker, itself started anew on a free port and the one after.
peer() {
    local part=$1 rep=$2 port
    shift 2
    [[ -n $naive ]] || return 0
    port=$(python3 -c 'import socket
while True:
    a, b = socket.socket(), socket.socket()
    a.bind(("127.0.0.1", 0))
    try: b.bind(("127.0.0.1", a.getsockname()[1] + 1))
    except OSError: continue
    print(a.getsockname()[1]); break')
    "$naive" broker "$port" 256 >/dev/null 2>&1 &
    peer_pid=$!
    record "$part" zmq_naive "$rep" "$(timeout 60 "$naive" --peer zmq-naive --port "$port" --pid "$peer_pid" "$@")"
    stop_peer
}
ours() {
    local part=$1 rep=$2
    shift 2
    record "$part" scanmq "$rep" "$("$bin/scanmq" bench --self-contained --json "$@" || true)"
}

for rep in $(seq "$reps"); do
    say "Repetition $rep of $reps, load $(cut -d' ' -f1-3 /proc/loadavg)"
    if wanted closed; then
        peer closed "$rep" --mode closed --opt single --batch 1 --n 5000 --secs 4
        ours closed "$rep" --mode closed --jobs 5000 --seconds 4
    fi
    if wanted throughput; then
        peer throughput "$rep" --mode tput --opt packed --batch 256 --secs 3
        ours throughput "$rep" --mode throughput --seconds 3
    fi
    if wanted open; then
        peer open "$rep" --mode open --opt single --batch 1 --rate 2000 --secs 3
        ours open "$rep" --mode open --rate 2000 --batch 1 --seconds 3
    fi
    if wanted fill; then ours fill "$rep" --fill 1000000 --timeout 120s; fi
    if wanted scan && [[ -f $spx ]]; then
        record scan scanmq "$rep" "$(taskset -c 0 "$bin/scanmq" scan --local "$spx" --width ..100 --limit 20 --json |
            python3 -c 'import json, sys; r = json.load(sys.stdin); print(json.dumps({"ms": r["seconds"] * 1e3, "candidates": r["counts"]["candidates"]}))')"
    fi
done
if wanted micro; then
    say "Microbenchmarks"
    taskset -c 0 "$bin/scanmq-microbench" --benchmark_repetitions="$reps" --benchmark_report_aggregates_only=true \
        --benchmark_out_format=json --benchmark_out="$out/micro.json" >&2
fi

python3 "$SCANMQ_ROOT/tests/bench/summarize_performance.py" "$out"
