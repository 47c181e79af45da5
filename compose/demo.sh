#!/usr/bin/env bash
# One scan end to end: installs what is missing, builds, starts a broker, two workers and a subscriber on free
# ports of the loopback, stores a sample market as snapshots, scans it, and stops all it started.
#   compose/demo.sh                       a made-up market of 24 symbols
#   compose/demo.sh --symbols 100         another size
#   compose/demo.sh --chains PATH         a vendor's file, or a directory of them, instead
#   compose/demo.sh --json                the last line is one JSON object (docs/CLI.md#scan)
#   compose/demo.sh --keep                leaves everything running and prints the endpoints
# Other options are handed to `scanmq scan`, such as --strategy, --delta, --limit (scanmq scan --help).
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

chains='' symbols=24 json='' keep=''
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
        --json) json=1 ;;
        --keep) keep=1 ;;
        -h | --help) usage; exit 0 ;;
        *) scan_options+=("$1") ;;
    esac
    shift
done

"$SCANMQ_ROOT/compose/install.sh"
build_preset release scanmq scanmq-broker scanmq-worker
bin=$SCANMQ_ROOT/build/release/bin

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

say "Starting a broker, two workers and a subscriber"
start broker "$bin/scanmq-broker" --listen tcp://127.0.0.1:0 --endpoint-file "$work/endpoint" \
    --http 127.0.0.1:0 --data "$work/data" --queue scans,pure=1
wait_for_file "$work/endpoint" 20 "${pids[0]}" || die "the broker did not start; its log is below"
broker=$(head -n 1 "$work/endpoint")
for worker in 1 2; do
    start "worker-$worker" "$bin/scanmq-worker" --broker "$broker" --name "demo-worker-$worker" --threads 1
done
export SCANMQ_BROKER=$broker
start subscriber "$bin/scanmq" watch scans --from earliest --json
deadline=$((SECONDS + 20))
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

# Each job's one entry, and the group's, must have reached the subscriber as well.
deadline=$((SECONDS + 10))
until [[ $(grep -c '"kind":"job"' "$work/subscriber.log") -ge $stored ]] || ((SECONDS >= deadline)); do
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
