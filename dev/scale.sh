#!/usr/bin/env bash
# Measures what a platform of three sizes costs, on this machine. See docs/scale.md.
# Usage: dev/scale.sh [NODES APPS INSTANCES]
set -euo pipefail
cd "$(dirname "$0")/.."

sizes=("100 1000 10000" "333 3333 33333" "1000 10000 100000")
[ $# -eq 0 ] || sizes=("$*")

dev/packages.sh build-essential
cargo build --release --quiet -p ambo-testkit --example scale
for size in "${sizes[@]}"; do
    for part in control router; do
        # Three numbers.
        # shellcheck disable=SC2086
        target/release/examples/scale "$part" $size
    done
done
