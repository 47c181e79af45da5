#!/usr/bin/env bash
# The built programs under kill -9: broker, workers, producer and subscriber are killed at random
# moments and started again; then faults stop, everything drains, and the total is checked: every
# acknowledged job has exactly one final entry, nothing else has one, offsets have no holes, and the
# subscriber that was killed has seen the whole stream (duplicates allowed, and counted).
#
#   tests/e2e/kill9.sh ROUNDS JOBS [--preset dev|release] [--unsynced] [--seed N] [--seconds S] ...
#
#   --unsynced   the broker loses what it did not sync (libunsynced.so): a power failure at each kill
#   --seed N     of the first round, the next has N+1: the same moments of the same kills again
#   --preset P   of the programs under test (dev); the test's own programs are always the dev preset's
#   --help       all options
#
# One line a round and a summary on stdout; exit 1 on any violation, and the round's data and logs stay.
# A round takes about --seconds (5) and a few more; one that hangs ends after a minute, as a violation.
# kill9.py is the supervisor, kill9_check.py the check, kill9_producer.cpp and kill9_subscriber.cpp the
# two ends, unsynced_shim.cpp the power failure.
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../compose/lib.sh"

preset=dev
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

tools=(test-kill9-producer test-kill9-subscriber libunsynced.so)
programs=(scanmq-broker scanmq-worker scanmq)
if [[ $preset == dev ]]; then
    build_preset dev "${programs[@]/#/bin/}" "${tools[@]/#/bin/}"
else
    build_preset "$preset" "${programs[@]/#/bin/}"
    build_preset dev "${tools[@]/#/bin/}"
fi
exec python3 -B "$SCANMQ_ROOT/tests/e2e/kill9.py" --bin "$SCANMQ_ROOT/build/$preset/bin" \
    --tools "$SCANMQ_ROOT/build/dev/bin" "${arguments[@]}"
