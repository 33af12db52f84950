# A platform of the benchmark's own: data, ports, network, client credentials. Sourced by dev/bench.sh.

# Below the ports that Linux gives to clients, and away from those that people and tests of this project take by habit.
api_port=27080 http_port=27000 https_port=27443 ssh_port=27022 registry_port=27050 rendezvous_port=27051
network=ambo-bench
api=http://127.0.0.1:$api_port
ambod=${CARGO_TARGET_DIR:-$PWD/target}/release/ambod
ambo=${CARGO_TARGET_DIR:-$PWD/target}/release/ambo
ambod_pid=

api_answers() { curl -fsS -o /dev/null --max-time 2 "$api/ambo/info" 2>/dev/null; }

# platform_up NAME   starts ambod on the data directory NAME, new or old
platform_up() {
    export AMBO_CONFIG_DIR=$work/$1-config AMBO_HOST=$api
    env AMBO_NETWORK=$network AMBO_LISTEN_API=127.0.0.1:$api_port AMBO_LISTEN_HTTP=127.0.0.1:$http_port \
        AMBO_LISTEN_HTTPS=127.0.0.1:$https_port AMBO_LISTEN_SSH=127.0.0.1:$ssh_port \
        AMBO_LISTEN_REGISTRY=127.0.0.1:$registry_port AMBO_LISTEN_RENDEZVOUS=127.0.0.1:$rendezvous_port AMBO_ROUTER_WORKERS=1 AMBO_GRACE_SECONDS=5 \
        AMBO_REQUESTS_PER_MINUTE=1000000000 \
        "$ambod" serve --data "$work/$1" >>"$work/ambod.log" 2>&1 </dev/null &
    ambod_pid=$!
    wait_for 30 "ambod's start" api_answers
    [ -d "$AMBO_CONFIG_DIR" ] && return
    "$ambo" register "$api" --email bench@example.com --password bench-password >>"$work/ambo.log" 2>&1 || give_up "a call of ambo failed: $work/ambo.log"
}

platform_down() {
    [ -n "$ambod_pid" ] || return 0
    kill "$ambod_pid" 2>/dev/null || true
    wait "$ambod_pid" 2>/dev/null || true
    ambod_pid=
}

# deploy_image APP   creates the app and runs one instance of the static nginx as it
deploy_image() {
    "$ambo" create "$1" --no-remote >>"$work/ambo.log" 2>&1 || give_up "a call of ambo failed: $work/ambo.log"
    "$ambo" deploy --image "$origin_image" -a "$1" >>"$work/ambo.log" 2>&1 || give_up "the deploy of $1 failed: $work/ambo.log"
}

token_create() {
    curl -fsS -u bench@example.com:bench-password -X POST -H 'Content-Type: application/json' -d '{}' \
        "$api/oauth/authorizations" | grep -o '"token": *"[^"]*"' | head -n 1 | cut -d'"' -f4
}

instances() { docker ps -q --filter "label=ambo.app=$1" --filter "network=$network"; }
address() { docker inspect --format "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$1"; }
bare_containers() { docker ps -aq --filter label=ambo-bench; }

# The instances of the benchmark's platform are those on its network.
remove_containers() {
    { bare_containers; docker ps -aq --filter "network=$network"; } | sort -u | xargs -r docker rm -f >/dev/null
}

# By name, so that an image which somebody else has too stays theirs.
remove_images() {
    docker images --digests --format '{{.Repository}}|{{.Tag}}|{{.Digest}}' | awk -F'|' -v registry="127.0.0.1:$registry_port/" \
        'index($1, registry) == 1 || $1 ~ /^ambo-bench-/ {
            if ($2 != "<none>") print $1 ":" $2
            if ($3 != "<none>") print $1 "@" $3
        }' | sort -u | xargs -r docker rmi >/dev/null 2>&1 || true
}

# Whatever ends the benchmark: its end, a failure, Ctrl-C.
remove_all() {
    local status=$?
    trap - EXIT
    trap '' INT TERM
    platform_down
    jobs -p | xargs -r kill 2>/dev/null || true
    wait
    # The engine may still be starting some for an ambod that is gone.
    for _ in 1 2 3 4 5; do
        remove_containers 2>/dev/null || true
        docker network inspect "$network" >/dev/null 2>&1 || break
        docker network rm "$network" >/dev/null 2>&1 && break
        sleep 1
    done
    remove_images
    case $status in
        0 | 130) rm -rf "$work" ;;
        *) echo " !     it failed; logs are in $work" >&2 ;;
    esac
    exit "$status"
}

# The origin: nginx that serves one file of 1 KiB from memory's page cache and writes no log.
make_origin() {
    local dir=$work/origin
    mkdir -p "$dir"
    head -c 768 /dev/urandom | base64 -w0 | head -c 1024 >"$dir/index.html"
    cat >"$dir/nginx.conf" <<'CONF'
worker_processes 1;
error_log stderr crit;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    open_file_cache max=16;
    server { listen 80 backlog=4096; root /srv; }
}
CONF
    printf 'FROM nginx:stable\nCOPY nginx.conf /etc/nginx/nginx.conf\nCOPY index.html /srv/index.html\n' >"$dir/Dockerfile"
    build_image "$dir" "$origin_image"
}

# build_image DIR TAG   BuildKit by docker's own client where it has buildx, else by the engine's API, which is quicker
build_image() {
    if docker buildx version >/dev/null 2>&1; then
        DOCKER_BUILDKIT=1 docker build -q -t "$2" "$1" >/dev/null
    else
        tar -C "$1" --exclude=.git -c . | curl -fsS --unix-socket "$engine_socket" -X POST -H 'Content-Type: application/x-tar' \
            --data-binary @- "http://engine/build?version=2&t=$2" >"$work/build.out"
        ! grep -q '"error"' "$work/build.out" || give_up "the build by hand failed: $work/build.out"
    fi
}
