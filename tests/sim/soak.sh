#!/usr/bin/env bash
# soak.sh N [FIRST] [flags of scanmq-sim]: runs N seeds from FIRST (default: a number of today) on all
# processors; prints "N passed, M failed" and the failing seeds. Exits 1 when one failed.
set -euo pipefail

count=${1:?how many seeds}
first=${2:-$(($(date +%s) / 60 * 100000))}
shift $(($# < 2 ? $# : 2))
sim=${SCANMQ_SIM:-build/dev/bin/scanmq-sim}
jobs=$(nproc)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Short runs, so that a seed that ends the process costs few others.
chunk=$(((count + jobs * 16 - 1) / (jobs * 16)))
for ((at = 0; at < count; at += chunk)); do
    last=$((at + chunk < count ? at + chunk : count))
    echo "$((first + at))..$((first + last - 1))"
done | xargs -P "$jobs" -I{} sh -c \
    'sim=$0; out=$1; shift; "$sim" --seeds {} --failures-max 1000000 "$@" > "$out/{}" 2>&1 || true' \
    "$sim" "$folder" "$@"

passed=$(awk '/^[0-9]+ passed, [0-9]+ failed$/ { n += $1 } END { print n + 0 }' "$folder"/*)
grep -h -A 40 -E '^seed [0-9]+ (FAILED|ABORTED)' "$folder"/* || true
echo "$passed passed, $((count - passed)) failed"
grep -hoE '^seed [0-9]+ (FAILED|ABORTED)' "$folder"/* | awk '{ printf "%s ", $2 } END { if (NR) print "" }'
[[ $passed -eq $count ]]
