#!/usr/bin/env bash
# The main job, end to end: engine, build, platform, account, app, push, answer. Safe to repeat.
# Usage: dev/demo.sh up|down
set -euo pipefail
cd "$(dirname "$0")/.."

demo=${AMBO_DEMO_DIR:-$PWD/.demo}
app=${AMBO_DEMO_APP:-hello}
api=http://127.0.0.1:7080
export AMBO_CONFIG_DIR=$demo/config
export GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
ambod=$PWD/target/release/ambod
ambo=$PWD/target/release/ambo
begun=$EPOCHREALTIME

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# step "what" command…   prints the step, runs it, prints how long it took
step() {
    local what=$1 at=$EPOCHREALTIME
    shift
    echo "-----> $what"
    "$@"
    echo "       $(seconds_since "$at") s"
}

api_answers() { curl -fsS -o /dev/null --max-time 2 "$api/ambo/info" 2>/dev/null; }

wait_until() {
    local what=$1
    shift
    for _ in $(seq 300); do
        "$@" && return
        sleep 0.2
    done
    echo " !     $what did not happen within 60 s; see $demo/ambod.log" >&2
    exit 1
}

build() { dev/packages.sh protobuf-compiler libprotobuf-dev && cargo build --release --quiet -p ambod -p ambo; }

running() { [ -f "$demo/ambod.pid" ] && kill -0 "$(cat "$demo/ambod.pid")" 2>/dev/null; }

start_platform() {
    mkdir -p "$demo"
    if ! running; then
        setsid "$ambod" serve --data "$demo/data" >>"$demo/ambod.log" 2>&1 </dev/null &
        echo $! >"$demo/ambod.pid"
    fi
    wait_until "the platform's start" api_answers
}

register() {
    "$ambo" whoami >/dev/null 2>&1 || "$ambo" register "$api" --email demo@example.com --password "demo-password"
    "$ambo" whoami
}

create_app() {
    if [ ! -d "$demo/$app/.git" ]; then
        rm -rf "${demo:?}/$app"
        cp -r examples/hello-python "$demo/$app"
        git -C "$demo/$app" init -q -b main
    fi
    cd "$demo/$app"
    git add -A
    git diff --cached --quiet 2>/dev/null && git rev-parse -q --verify HEAD >/dev/null ||
        git -c user.name=demo -c user.email=demo@example.com commit -q -m "Say hello"
    "$ambo" info -a "$app" >/dev/null 2>&1 || "$ambo" create "$app"
    git remote get-url ambo >/dev/null 2>&1 || "$ambo" git:remote -a "$app"
    cd - >/dev/null
}

push() {
    cd "$demo/$app"
    # A push of what is deployed already does nothing, so each demo pushes something new.
    git -c user.name=demo -c user.email=demo@example.com commit -q --allow-empty -m "Demo at $(date -u +%FT%TZ)"
    git push ambo main
    cd - >/dev/null
}

answer() { curl -fsS --max-time 10 "http://$app.localhost:7000/"; echo; }

up() {
    step "Checking for a Docker Engine" dev/engine.sh up
    command -v curl >/dev/null || step "Installing curl" dev/packages.sh curl ca-certificates
    step "Putting the base images on it" dev/bases.sh python:3.11-slim-bookworm
    step "Building ambod and ambo" build
    step "Starting the platform" start_platform
    step "Registering the first account" register
    step "Creating the app $app" create_app
    step "git push ambo main" push
    step "curl http://$app.localhost:7000/" answer
    echo
    echo "The app answers at http://$app.localhost:7000/, $(seconds_since "$begun") s after the start."
    echo "Its source is in $demo/$app: change it, commit, and \`git push ambo main\` again."
    echo "\`make demo-down\` stops and removes all of it."
}

down() {
    if running; then
        "$ambo" destroy -a "$app" --confirm "$app" 2>/dev/null || true
        local pid
        pid=$(cat "$demo/ambod.pid")
        kill "$pid"
        for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    fi
    if docker version >/dev/null 2>&1; then
        docker ps -aq --filter "label=ambo.app=$app" | xargs -r docker rm -f >/dev/null
        docker images -q "127.0.0.1:7050/$app" | sort -u | xargs -r docker rmi -f >/dev/null 2>&1 || true
        docker network rm ambo >/dev/null 2>&1 || true
    fi
    rm -rf "$demo"
    dev/engine.sh down
    echo "The demo is gone."
}

"${1:-up}"
