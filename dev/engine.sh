#!/usr/bin/env bash
# Makes a Docker Engine answer: installs Debian's package when there is none, starts it with systemd or without.
# Usage: dev/engine.sh [up|down]      `down` stops only an engine that `up` has started by hand.
set -euo pipefail

socket=${AMBO_ENGINE_SOCKET:-/var/run/docker.sock}
state=${AMBO_DEV_STATE:-/var/tmp/ambo-dev}
sudo=$([ "$(id -u)" = 0 ] || echo sudo)

answers() { $sudo test -S "$socket" && $sudo timeout 5 docker --host "unix://$socket" version >/dev/null 2>&1; }

install_engine() {
    command -v dockerd >/dev/null || command -v /usr/sbin/dockerd >/dev/null && return
    echo "       installing docker.io from Debian's packages"
    "$(dirname "$0")/packages.sh" docker.io iptables
}

runs() { [ -n "$1" ] && $sudo kill -0 "$1" 2>/dev/null; }

# One that is starting or stopping: another beside it would find its pid file and give up.
await_other_engine() {
    for _ in $(seq 60); do
        runs "$(cat /var/run/docker.pid 2>/dev/null)" || return 0
        answers && return
        sleep 0.5
    done
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        $sudo systemctl enable --now docker
        return
    fi
    $sudo mkdir -p "$state"
    # Its own session, so that it outlives the terminal that started it.
    $sudo setsid sh -c "exec dockerd --host unix://$socket >$state/dockerd.log 2>&1 </dev/null & echo \$! >$state/dockerd.pid"
}

up() {
    answers && return
    install_engine
    await_other_engine
    answers && return
    start_engine
    for _ in $(seq 120); do
        answers && return
        sleep 0.5
    done
    echo "the Docker Engine does not come up; its log ends:" >&2
    $sudo tail -n 20 "$state/dockerd.log" >&2 || true
    exit 1
}

down() {
    [ -f "$state/dockerd.pid" ] || return 0
    local pid
    pid=$(cat "$state/dockerd.pid")
    $sudo rm -f "$state/dockerd.pid"
    $sudo kill "$pid" 2>/dev/null || true
    for _ in $(seq 60); do
        runs "$pid" || break
        sleep 0.5
    done
}

"${1:-up}"
