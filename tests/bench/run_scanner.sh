#!/usr/bin/env bash
# Measures what the scan engine must reach, each figure beside its reference in the same run, and prints a
# table; fails when a figure is missed or a result is wrong. Release build, one core, CPU time; about half a minute.
#   tests/bench/run_scanner.sh            medians of five repetitions
#   REPS=9 OUT=dir tests/bench/run_scanner.sh   more of them; raw results stay in dir
#   BRUTE=1 tests/bench/run_scanner.sh    the condors' scalar brute force, too: 10 s a repetition
# SCANMQ_TEST_DATA is the folder of the SPX file; it defaults to ../shared/data/chains.
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../compose/lib.sh"

reps=${REPS:-5}
export SCANMQ_TEST_DATA=${SCANMQ_TEST_DATA:-$SCANMQ_ROOT/../shared/data/chains}
spx=$SCANMQ_TEST_DATA/cboe_spx_2023-09-14_quotedata.csv
[[ -f $spx ]] || die "$spx is not there: name the folder of the SPX file in SCANMQ_TEST_DATA"
out=${OUT:-$(mktemp -d "${TMPDIR:-/tmp}/scanmq-scanner.XXXXXX")}
mkdir -p "$out"
# shellcheck disable=SC2317  # called by the trap
cleanup() { [[ -n ${OUT:-} ]] || rm -rf "$out"; }
trap cleanup EXIT

build_preset release scanmq scanmq-microbench
bin=$SCANMQ_ROOT/build/release/bin

filter='^(iv/.*(chain|wide|corner)_mix(_columns)?$|bsm/(quantlib_greeks|greeks_columns)|american/(price_fast|quantlib_fast)$'
filter+='|chain/(read_cboe|getline_strtod)_spx|market/(price|quantlib_iv_greeks)_spx'
filter+='|s(can|earch)/spx_verticals_100.*|scan/spx_condors_100'
[[ -z ${BRUTE:-} ]] || filter+='|scan/spx_condors_100_brute_force.*'
filter+='$)'
say "Benchmarks, load $(cut -d' ' -f1-3 /proc/loadavg)"
wrong=0
taskset -c 0 "$bin/scanmq-microbench" --benchmark_filter="$filter" --benchmark_repetitions="$reps" \
    --benchmark_min_time=0.1 --benchmark_report_aggregates_only=true \
    --benchmark_out_format=json --benchmark_out="$out/micro.json" >"$out/micro.txt" || wrong=1

say "Memory of a scan: program, file and all"
peak() {
    /usr/bin/time -f "$1 %M %e" -a -o "$out/memory.txt" "$bin/scanmq" scan --local "$spx" --width ..100 "${@:2}" >/dev/null
}
peak verticals
peak iron_condors --strategy iron_condor --dte 0..60

python3 "$SCANMQ_ROOT/tests/bench/summarize_scanner.py" "$out" || wrong=1
exit "$wrong"
