#!/usr/bin/env bash
# One scan end to end: installs what is missing, builds, starts a broker, two workers and a subscriber on free
# ports of the loopback, stores a sample market as snapshots, scans it twice (the second time out of the cache), and
# stops all it started.
#   compose/demo.sh                       a made-up market of 24 symbols
#   compose/demo.sh --symbols 100         another size
#   compose/demo.sh --chains PATH         a vendor's file, or a directory of them, instead
#   compose/demo.sh --cache redis         the second scan out of a Redis, which is started for it
#   compose/demo.sh --json                the last line is one JSON object (docs/CLI.md#scan)
#   compose/demo.sh --keep                leaves everything running and prints the endpoints
# Other options are handed to `scanmq scan`, such as --strategy, --delta, --limit (scanmq scan --help).
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

chains='' symbols=24 json='' keep='' cache=memory
scan_options=()
while (($#)); do
    case $1 in
        --chains)
            [[ -n ${2:-} ]] || { printf 'demo.sh: --chains needs a file or a directory\n' >&2; exit 2; }
            [[ -e $2 ]] || { printf 'demo.sh: %s does not exist\n' "$2" >&2; exit 2; }
            chains=$(realpath -- "$2")
            shift
            ;;
        --symbols)
            [[ ${2:-} =~ ^[1-9][0-9]{0,4}$ ]] || { printf 'demo.sh: --symbols needs a number\n' >&2; exit 2; }
            symbols=$2
            shift
            ;;
        --cache)
            [[ ${2:-} == memory || ${2:-} == redis ]] || { printf 'demo.sh: --cache is memory or redis\n' >&2; exit 2; }
            cache=$2
            shift
            ;;
        --json) json=1 ;;
        --keep) keep=1 ;;
        -h | --help) usage; exit 0 ;;
        *) scan_options+=("$1") ;;
    esac
    shift
done

# The programs of a build that is there: nothing is installed or built.
bin=${SCANMQ_BIN_DIR:-}
if [[ -z $bin ]]; then
    "$SCANMQ_ROOT/compose/install.sh"
    build_preset release scanmq scanmq-broker scanmq-worker
    bin=$SCANMQ_ROOT/build/release/bin
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/scanmq-demo.XXXXXX")
pids=()
# shellcheck disable=SC2317  # called by the trap
stop_all() {
    local status=$?
    trap - EXIT
    local i
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do stop_process "${pids[i]}"; done
    if ((status)); then tail -n 5 "$work"/*.log >&2 2>/dev/null || true; fi
    rm -rf "$work"
    exit "$status"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME COMMAND...: in the background, its output in $work/NAME.log.
start() {
    local name=$1
    shift
    nohup "$@" >"$work/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

# start_redis: on a free port of the loopback; sets $redis to its URL.
start_redis() {
    local attempt port
    for attempt in 1 2 3 4 5 6 7 8; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 40000))
        start "redis-$attempt" redis-server --bind 127.0.0.1 --port "$port" --dir "$work" --save '' --appendonly no
        for _ in {1..100}; do
            if redis-cli -h 127.0.0.1 -p "$port" ping 2>/dev/null | grep -q PONG && kill -0 "${pids[-1]}" 2>/dev/null; then
                redis=redis://127.0.0.1:$port/0
                return
            fi
            kill -0 "${pids[-1]}" 2>/dev/null || break # the port is taken
            sleep 0.05
        done
    done
    die "redis-server did not start; its log is below"
}

redis=''
if [[ $cache == redis ]]; then
    say "Starting a Redis"
    start_redis
fi
say "Starting a broker, two workers and a subscriber"
broker_at=${#pids[@]}
start broker "$bin/scanmq-broker" --listen tcp://127.0.0.1:0 --endpoint-file "$work/endpoint" \
    --http 127.0.0.1:0 --data "$work/data" --queue scans,pure=1 --cache "${redis:-memory}"
wait_for_file "$work/endpoint" 60 "${pids[broker_at]}" || die "the broker did not start; its log is below"
broker=$(head -n 1 "$work/endpoint")
for worker in 1 2; do
    start "worker-$worker" "$bin/scanmq-worker" --broker "$broker" --name "demo-worker-$worker" --threads 1
done
export SCANMQ_BROKER=$broker
start subscriber "$bin/scanmq" watch scans --from earliest --json
deadline=$((SECONDS + 60))
until [[ $("$bin/scanmq" worker list | grep -c '^demo-worker-') -eq 2 ]]; do
    ((SECONDS < deadline)) || die "the workers did not connect; their logs are below"
    sleep 0.05
done

if [[ -z $chains ]]; then
    say "Making up a market of $symbols symbols"
    chains=$work/market
    "$bin/scanmq" sample-market --symbols "$symbols" --out "$chains" | tail -n 1 >&2
fi
say "Storing snapshots"
stored=$("$bin/scanmq" snapshot put "$chains" | wc -l)
say "Scanning $stored snapshots"
scan_status=0
"$bin/scanmq" scan --all --progress ${json:+--json} "${scan_options[@]}" >"$work/result" || scan_status=$?

# The same again. With a Redis, the broker's own cache is emptied before, so that the Redis has to answer.
cached() { "$bin/scanmq" queue list scans --json | sed -n 's/.*"cached":\([0-9]*\).*/\1/p'; }
say "Scanning the same again${redis:+, out of the Redis}"
[[ -z $redis ]] || "$bin/scanmq" cache drop --all >/dev/null
before=$(cached)
"$bin/scanmq" scan --all --json "${scan_options[@]}" >"$work/second" || true
seconds=$(sed -n 's/.*"seconds":\([0-9.e+-]*\).*/\1/p' "$work/second")
hit_rate=$(awk -v hits=$(($(cached) - before)) -v jobs="$stored" 'BEGIN { printf "%.3f", jobs ? hits / jobs : 0 }')
say "The second scan took $seconds s, $hit_rate of its jobs out of the cache"
if [[ -n $json ]]; then
    sed -i "s/}\$/,\"second_scan\":{\"seconds\":$seconds,\"hit_rate\":$hit_rate}}/" "$work/result"
else
    printf 'second scan: %s s, hit rate %s\n' "$seconds" "$hit_rate" >>"$work/result"
fi

# Each job's one entry, and the group's, must have reached the subscriber as well.
deadline=$((SECONDS + 10))
until [[ $(grep -c '"kind":"job"' "$work/subscriber.log") -ge $((2 * stored)) ]] || ((SECONDS >= deadline)); do
    sleep 0.02
done
seen=$(grep -c '"kind":"job"' "$work/subscriber.log" || true)
say "The subscriber saw $seen results"

if [[ -n $keep ]]; then
    trap - EXIT
    say "Left running, with logs in $work"
    printf '    broker      %s\n    processes   %s (kill %s stops them)\n    try         %s\n' "$broker" \
        "${#pids[@]}" "${pids[*]}" "SCANMQ_BROKER=$broker $bin/scanmq queue list" >&2
fi
cat "$work/result"
exit "$scan_status"
