#!/usr/bin/env bash
# What scanmq does when more is asked of it than it can do, and when its scanner fails. Producers offer ten
# times what the workers can do, for SECONDS; then a remote scanner is killed, comes back, is slowed,
# and answers errors and garbage, in turn.
#
#   tests/e2e/overload.sh SECONDS [--preset release|dev] [--part overload|scanner ...] [--json-only]
#
# It prints what it does on stderr and one JSON object with its figures, targets and what was missed on the
# last line of stdout; exit 1 when a target was missed or a job lost.
# overload.py is the supervisor, overload_load.cpp the load.
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../compose/lib.sh"

preset=release
arguments=()
while (($#)); do
    case $1 in
        --preset)
            preset=${2:?--preset needs a name}
            shift
            ;;
        *) arguments+=("$1") ;;
    esac
    shift
done

build_preset "$preset" bin/scanmq-broker bin/scanmq-worker bin/scanmq bin/scanmq-scanner
build_preset dev bin/test-overload-load
exec python3 -B "$SCANMQ_ROOT/tests/e2e/overload.py" --bin "$SCANMQ_ROOT/build/$preset/bin" \
    --tools "$SCANMQ_ROOT/build/dev/bin" "${arguments[@]}"
