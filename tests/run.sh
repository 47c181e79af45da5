#!/usr/bin/env bash
# Installs what is missing, builds and runs every test through ctest. The last line is ctest's own.
#   tests/run.sh                      preset dev
#   tests/run.sh asan tsan            other presets, one after another
#   tests/run.sh -R LeaseTable        only tests whose name matches (as ctest -R)
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../compose/lib.sh"

presets=()
ctest_options=(--output-on-failure -j2)
while (($#)); do
    case $1 in
        -R)
            [[ -n ${2:-} ]] || { printf 'tests/run.sh: -R needs a pattern\n' >&2; exit 2; }
            ctest_options+=(-R "$2" --no-tests=error)
            shift
            ;;
        -h | --help) sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        dev | asan | tsan) presets+=("$1") ;;
        *) printf 'tests/run.sh: unknown argument %s (presets with tests: dev asan tsan)\n' "$1" >&2; exit 2 ;;
    esac
    shift
done
((${#presets[@]})) || presets=(dev)

"$SCANMQ_ROOT/compose/install.sh"

# Sanitizers stop at the first finding; what they say about libzmq's own threads is known (see the file).
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$SCANMQ_ROOT/tests/support/tsan.supp halt_on_error=1}

status=0
for preset in "${presets[@]}"; do
    build_preset "$preset"
    say "Testing preset $preset"
    (cd "$SCANMQ_ROOT/build/$preset" && ctest "${ctest_options[@]}") || status=1
done
exit "$status"
