#!/usr/bin/env bash
# Sets up what the tests need and runs them. Usage: dev/test.sh [all|lint|unit|e2e]
set -euo pipefail
cd "$(dirname "$0")/.."
export INSTA_UPDATE=no CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

say() { echo "-----> $*"; }

setup() {
    say "Setting up: packages, Docker Engine, base images"
    # The Heroku CLI is installed by npm; where there is one from elsewhere, Debian's would be in its way.
    command -v npm >/dev/null || dev/packages.sh nodejs npm
    # For the foreign clients of Heroku's API: pip for one, OpenSSL for another.
    python3 -m pip --version >/dev/null 2>&1 || dev/packages.sh python3-pip
    dev/packages.sh libssl-dev pkg-config protobuf-compiler libprotobuf-dev
    # The store's other backend.
    dev/packages.sh etcd-server etcd-client
    # One reads what is measured, one what makes a node of a machine.
    dev/packages.sh prometheus cloud-init
    dev/packages.sh docker.io iptables curl ca-certificates openssh-client skopeo mmdebstrap iproute2 procps wrk
    dev/object-stores.sh
    dev/engine.sh up
    dev/bases.sh
}

# nextest where it is installed; cargo's own runner needs no set-up.
run_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --no-fail-fast "$@"
    else
        cargo test --no-fail-fast "$@"
    fi
}

lint() {
    say "Linting"
    make --no-print-directory lint
}

unit() {
    say "Testing the crates"
    run_tests --workspace --exclude ambo-e2e
}

e2e() {
    say "Building ambod and ambo"
    cargo build --quiet -p ambod -p ambo || return
    cargo build --quiet --locked --manifest-path e2e/foreign-clients/heroku_rs/Cargo.toml \
        --target-dir target/foreign-clients/rust || return
    say "Walking through the platform"
    run_tests -p ambo-e2e
}

# Runs every part, also after one has failed: a run on another machine is to tell all that is wrong at once.
all() {
    local failed=()
    setup
    lint || failed+=(lint)
    unit || failed+=(unit)
    e2e || failed+=(e2e)
    ((${#failed[@]} == 0)) || { say "Failed: ${failed[*]}"; return 1; }
    say "All passed"
}

what=${1:-all}
case $what in
    lint) lint ;;
    unit) setup && unit ;;
    e2e) setup && e2e ;;
    all) all ;;
    *) echo "usage: dev/test.sh [all|lint|unit|e2e]" >&2; exit 2 ;;
esac
