#!/usr/bin/env bash
# Measures what docs/PERFORMANCE.md reports of the durable store and prints one JSON line a measurement. Release build.
#   tests/bench/run_store.sh                       everything, five interleaved repetitions, about fifteen minutes
#   REPS=3 ONLY="durable restart" tests/bench/run_store.sh   some parts: durable closed restart waiting
#   WAITING=2000000 tests/bench/run_store.sh       jobs of part `waiting` (ten million)
# PEERS_DIR is the folder of the peers' harness (default ../shared/peers), for Redis Streams with appendfsync always
# and the bare ZeroMQ broker of the same run; without it, or without redis-server and hiredis, those are left out.
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../compose/lib.sh"

reps=${REPS:-5}
only=${ONLY:-durable closed restart waiting}
waiting=${WAITING:-10000000}
peers=${PEERS_DIR:-$SCANMQ_ROOT/../shared/peers}
work=$(mktemp -d "${TMPDIR:-/tmp}/scanmq-store.XXXXXX")
bin=$SCANMQ_ROOT/build/release/bin
broker_pid=''
workers=()
peer_pid=''
cleanup() {
    local pid
    for pid in "${workers[@]}" $broker_pid $peer_pid; do stop_process "$pid"; done
    rm -rf "$work"
}
trap cleanup EXIT
wanted() { [[ " $only " == *" $1 "* ]]; }
record() { printf '{"part":"%s","who":"%s","rep":%s,"result":%s}\n' "$1" "$2" "$3" "$4"; }

build_preset release scanmq scanmq-broker scanmq-worker scanmq-backlog

# start_broker DIR ARGS...: its endpoint in $endpoint.
start_broker() {
    local data=$1
    shift
    rm -f "$work/endpoint"
    "$bin/scanmq-broker" --listen tcp://127.0.0.1:0 --endpoint-file "$work/endpoint" --http none --log warn --data "$data" "$@" \
        >/dev/null &
    broker_pid=$!
    wait_for_file "$work/endpoint" 60 "$broker_pid" || die "the broker did not start"
    endpoint=$(head -n 1 "$work/endpoint")
}
stop_broker() {
    [[ -z $broker_pid ]] || stop_process "$broker_pid"
    broker_pid=''
}
stop_workers() {
    local pid
    for pid in "${workers[@]}"; do stop_process "$pid"; done
    workers=()
}

free_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
redis=''
if wanted durable && [[ -f $peers/redis.cpp ]] && command -v redis-server >/dev/null &&
    g++ -O2 -std=c++20 -w "$peers/redis.cpp" -o "$work/redis" -lhiredis -lpthread 2>/dev/null; then
    redis=$work/redis
fi
naive=''
if wanted closed && [[ -f $peers/zmq_naive.cpp ]]; then
    g++ -O2 -std=c++20 -w "$peers/zmq_naive.cpp" -o "$work/zmq_naive" -lzmq -lpthread && naive=$work/zmq_naive
fi
# The configuration of the peers' own table: Streams, appendfsync always.
peer_redis() {
    local port
    port=$(free_port)
    mkdir -p "$work/redis-data"
    redis-server --port "$port" --bind 127.0.0.1 --dir "$work/redis-data" --save '' --appendonly yes \
        --appendfsync always --daemonize no >/dev/null &
    peer_pid=$!
    until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.05; done
    record durable redis_always "$1" "$(timeout 60 "$redis" --peer redis --variant always --port "$port" --pid "$peer_pid" \
        --mode tput --batch 256 --wbatch 256 --window 16384 --secs 3)"
    stop_process "$peer_pid"
    peer_pid=''
    rm -rf "$work/redis-data"
}
peer_naive() {
    local port
    port=$(free_port)
    "$naive" broker "$port" 256 >/dev/null 2>&1 &
    peer_pid=$!
    record closed zmq_naive "$1" "$(timeout 60 "$naive" --peer zmq-naive --port "$port" --pid "$peer_pid" \
        --mode closed --opt single --batch 1 --n 5000 --secs 4)"
    stop_process "$peer_pid"
    peer_pid=''
}
bench() { "$bin/scanmq" bench --self-contained --json "$@" || true; }

# What one fdatasync of a preallocated file costs here.
sync_cost() {
    python3 - "$work/sync" <<'PY'
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"\0" * (8 << 20), 0); os.fsync(fd)
times = []
for i in range(1000):
    began = time.perf_counter()
    os.pwrite(fd, b"x" * 4096, 4096 * (i % 2048)); os.fdatasync(fd)
    times.append(time.perf_counter() - began)
times.sort()
print('{"p50_us":%.1f,"p99_us":%.1f}' % (times[500] * 1e6, times[990] * 1e6))
PY
}

for rep in $(seq "$reps"); do
    say "Repetition $rep of $reps, load $(cut -d' ' -f1-3 /proc/loadavg)"
    if wanted durable; then
        if [[ -n $redis ]]; then peer_redis "$rep"; fi
        record durable scanmq "$rep" "$(bench --durability sync --mode throughput --seconds 3)"
        record memory scanmq "$rep" "$(bench --durability memory --mode throughput --seconds 3)"
    fi
    if wanted closed; then
        if [[ -n $naive ]]; then peer_naive "$rep"; fi
        record sync disk "$rep" "$(sync_cost)"
        record closed scanmq_memory "$rep" "$(bench --durability memory --mode closed --jobs 5000 --seconds 4)"
        record closed scanmq_sync "$rep" "$(bench --durability sync --mode closed --jobs 5000 --seconds 4)"
    fi
    if wanted restart; then
        start_broker "$work/restart"
        filled=$("$bin/scanmq-backlog" fill "$endpoint" "$broker_pid" 1000000)
        kill -KILL "$broker_pid"
        wait "$broker_pid" 2>/dev/null || true
        began=$(date +%s%N)
        start_broker "$work/restart"
        took=$((($(date +%s%N) - began) / 1000000))
        "$bin/scanmq-backlog" ready "$endpoint" 1000000 || die "the jobs are not there"
        record restart scanmq "$rep" "{\"ms\":$took,\"filled\":$filled}"
        stop_broker
        rm -rf "$work/restart"
    fi
done
if wanted waiting; then
    for jobs in $(for _ in $(seq "$reps"); do printf "1000 %s " "$waiting"; done); do
        start_broker "$work/waiting"
        for n in 1 2; do
            "$bin/scanmq-worker" --broker "$endpoint" --scanner noop --name "w$n" --threads 1 --log warn &
            workers+=($!)
        done
        record waiting scanmq "$jobs" "$("$bin/scanmq-backlog" run "$endpoint" "$broker_pid" "$jobs" 8)"
        stop_workers
        stop_broker
        rm -rf "$work/waiting"
    done
fi
