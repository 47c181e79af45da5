# shellcheck shell=bash
# Shell functions shared by compose/*.sh, tests/run.sh, tests/bench/*.sh and .ci/run. Sourced, never run.

SCANMQ_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -t 2 && -z "${NO_COLOR:-}" ]]; then
    STYLE_BOLD=$'\e[1m' STYLE_GREEN=$'\e[32m' STYLE_RED=$'\e[31m' STYLE_OFF=$'\e[0m'
else
    STYLE_BOLD='' STYLE_GREEN='' STYLE_RED='' STYLE_OFF=''
fi

# Everything said about progress goes to stderr: stdout belongs to results.
say() { printf '%s==>%s %s\n' "$STYLE_BOLD$STYLE_GREEN" "$STYLE_OFF" "$*" >&2; }
die() {
    printf '%serror:%s %s\n' "$STYLE_BOLD$STYLE_RED" "$STYLE_OFF" "$*" >&2
    exit 1
}

# build_preset PRESET TARGET...: configures when needed and builds, showing progress on a terminal and
# the whole log only when the build fails.
build_preset() {
    local preset=$1
    shift
    local log started=$SECONDS
    log=$(mktemp "${TMPDIR:-/tmp}/scanmq-build.XXXXXX")
    say "Building preset $preset"
    if ! (cd "$SCANMQ_ROOT" && cmake --preset "$preset") >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        die "configuring preset $preset failed; the log is above"
    fi
    local build=(ninja -C "$SCANMQ_ROOT/build/$preset" "$@")
    local failed=0
    "${build[@]}" 2>&1 | tee "$log" | show_build_progress >&2 || failed=1
    if ((failed)); then
        cat "$log" >&2
        rm -f "$log"
        die "building preset $preset failed; the log is above"
    fi
    rm -f "$log"
    say "Built in $((SECONDS - started)) s"
}

# Reads ninja's lines ("[3/40] Building ..."): on a terminal one line is kept up to date, elsewhere one is
# written every half minute, so that a long build is seen to be alive.
show_build_progress() {
    local line next=$((SECONDS + 30))
    while IFS= read -r line; do
        [[ $line == \[*\]* ]] || continue
        if [[ -t 1 ]]; then
            printf '\r\e[K%.100s' "$line"
        elif ((SECONDS >= next)); then
            printf '    %.100s\n' "$line"
            next=$((SECONDS + 30))
        fi
    done
    if [[ -t 1 ]]; then printf '\r\e[K'; fi
}

# wait_for_file PATH SECONDS PID: until PATH has content; fails when PID ends before, or time is up.
wait_for_file() {
    local path=$1 seconds=$2 pid=$3
    local deadline=$((SECONDS + seconds))
    while [[ ! -s $path ]]; do
        kill -0 "$pid" 2>/dev/null || return 1
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

# stop_process PID: SIGTERM, up to ten seconds of patience, then SIGKILL. Only for children of this shell.
stop_process() {
    local pid=$1 deadline=$((SECONDS + 10))
    kill -TERM "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do sleep 0.02; done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}
