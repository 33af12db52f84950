#!/usr/bin/env bash
# Measures Ambo against nginx, haproxy and bare docker, on this machine, and prints ratios. See docs/benchmarks.md.
# Usage: dev/bench.sh [memory] [router] [push] [start] [api]      without names: all but api
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${AMBO_BENCH_ROUNDS:-8} round_seconds=${AMBO_BENCH_SECONDS:-3} connections=${AMBO_BENCH_CONNECTIONS:-64}
pushes=5 settle_seconds=5
engine_socket=${AMBO_ENGINE_SOCKET:-/var/run/docker.sock}
origin_image=ambo-bench-origin
export PATH=$PATH:/usr/sbin GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
unset AMBO_APP AMBO_API_KEY

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(memory router push start)
for part in "${parts[@]}"; do
    case $part in
        memory | router | push | start | api) ;;
        *) echo "usage: dev/bench.sh [memory] [router] [push] [start] [api]" >&2; exit 2 ;;
    esac
done

work=$(mktemp -d /tmp/ambo-bench.XXXXXX)
chmod 755 "$work"
for file in common platform memory router push start api; do source "dev/bench/$file.sh"; done
trap remove_all EXIT
trap 'exit 130' INT TERM

say "Setting up: packages, Docker Engine, base image, release build"
dev/packages.sh protobuf-compiler libprotobuf-dev nginx-light haproxy wrk curl ca-certificates procps
dev/engine.sh up
dev/bases.sh nginx:stable
[ -n "${AMBO_BENCH_NO_BUILD:-}" ] || cargo build --release --quiet -p ambod -p ambo
remove_containers
make_origin

for part in "${parts[@]}"; do "$part"; done
say "Done in $SECONDS s"
