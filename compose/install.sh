#!/usr/bin/env bash
# Installs the Debian packages of packages.txt that are missing, as root or through sudo, and says which.
# With all of them present it does nothing and needs no network.
#   compose/install.sh            install what is missing
#   compose/install.sh --check    only list what is missing; exit 1 when there is any
set -euo pipefail
# shellcheck source=compose/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case "${1:-}" in
    '' | --check) ;;
    -h | --help) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) printf 'usage: compose/install.sh [--check]\n' >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
    say "This is not a Debian system: packages are not checked. compose/packages.txt lists what is needed."
    exit 0
fi

installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' | awk '$2 == "installed" { print $1 }')
missing=()
while IFS= read -r line; do
    line=${line%%#*}
    line=${line//[[:space:]]/}
    [[ -n $line ]] || continue
    IFS='|' read -ra choices <<<"$line"
    found=
    for choice in "${choices[@]}"; do
        if grep -qxF "$choice" <<<"$installed"; then found=1; fi
    done
    [[ -n $found ]] || missing+=("${choices[0]}")
done <"$SCANMQ_ROOT/compose/packages.txt"

((${#missing[@]})) || exit 0
if [[ ${1:-} == --check ]]; then
    printf '%s\n' "${missing[@]}"
    exit 1
fi

run_as_root=()
if ((EUID != 0)); then
    command -v sudo >/dev/null ||
        die "missing packages: ${missing[*]}. Install them as root: apt-get install ${missing[*]}"
    run_as_root=(sudo)
fi
install() {
    "${run_as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}" >&2
}
say "Installing with apt: ${missing[*]}"
# Fresh package lists are fetched only when the lists at hand do not suffice.
if ! install; then
    say "Trying again with fresh package lists"
    "${run_as_root[@]}" apt-get update >&2 || die "the package lists could not be fetched; missing: ${missing[*]}"
    install || die "apt could not install: ${missing[*]}"
fi
