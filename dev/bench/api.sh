# Latency of the API with many apps and releases, against what the store alone does on the same disk.

api_apps=${AMBO_BENCH_API_APPS:-1000} api_releases=${AMBO_BENCH_API_RELEASES:-10} api_connections=8
newest_first='version ..; order=desc,max=20'

# api_requests COUNT PATH BODY METHOD   as many requests in curl's words; {n} is the request's number
api_requests() {
    local n
    for ((n = 1; n <= $1; n++)); do
        [ "$n" = 1 ] || echo next
        printf 'url = "%s%s"\nrequest = "%s"\ndata = "%s"\n' "$api" "${2//\{n\}/$n}" "$4" "${3//\{n\}/$n}"
        printf 'header = "Authorization: Bearer %s"\nheader = "Content-Type: application/json"\n' "$token"
        printf 'output = "/dev/null"\nfail\nsilent\nshow-error\n'
    done
}

# Every app gets its releases from changes of its config; the first comes with the app.
api_seed() {
    local begun=$EPOCHREALTIME round
    api_requests "$api_apps" /apps '{\"name\":\"app-{n}\"}' POST | curl --parallel --parallel-max 16 -K - 2>>"$work/seed.log" || give_up "apps could not be made: $work/seed.log"
    note "$api_apps apps made through the API in $(elapsed "$begun") s"
    begun=$EPOCHREALTIME
    for ((round = 2; round <= api_releases; round++)); do
        api_requests "$api_apps" "/apps/app-{n}/config-vars" "{\\\"ROUND\\\":\\\"$round\\\",\\\"KEY_$round\\\":\\\"{n}\\\"}" PATCH |
            curl --parallel --parallel-max 16 -K - 2>>"$work/seed.log" || give_up "releases could not be made: $work/seed.log"
    done
    note "$((api_apps * (api_releases - 1))) releases made in $(elapsed "$begun") s"
}

# api_route METHOD PATH [BODY] [HEADER VALUE]…   one line of the table
api_route() {
    local requests rate p50 p99 bad
    read -r requests rate p50 p99 bad < <(BENCH_APPS=$api_apps BENCH_TOKEN=$token BENCH_HOST=127.0.0.1:$api_port \
        wrk -t1 -c"$api_connections" -d"${round_seconds}s" --latency -s dev/bench/api.lua "$api" -- "$@" |
        awk '$1 == "RESULT" { print $2, $3, $4, $5, $6 }')
    printf '       %-6s %-42s %-9s %-9s %-11s %s\n' "$1" "$2" "$p50" "$p99" "$rate" "$bad"
}

api_table() {
    note "$api_connections connections, $round_seconds s each, random apps; latency in ms"
    printf '       %-6s %-42s %-9s %-9s %-11s %s\n' "" route p50 p99 requests/s failed
    api_route GET "/apps/{app}"
    api_route GET "/apps/{app}/config-vars"
    api_route GET "/apps/{app}/releases" "" Range "$newest_first"
    api_route GET "/apps/{app}/releases/$api_releases"
    api_route GET "/apps/{app}/formation"
    api_route GET "/apps/{app}/dynos"
    api_route GET "/apps/{app}/domains"
    api_route GET "/apps/{app}/collaborators"
    api_route GET "/apps/{app}/builds"
    api_route GET /account
    api_route GET /apps
    api_route PATCH "/apps/{app}/config-vars" '{"CHANGED":"{n}"}'
    api_route PATCH "/apps/{app}" '{"maintenance":false}'
    api_route POST /apps '{}'
}

api() {
    say "API: $api_apps apps, $((api_apps * api_releases)) releases"
    platform_up api
    token=$(token_create)
    api_seed
    api_table
    awk '/^VmRSS:/ { printf "       resident memory of ambod now: %.1f MB\n", $2 / 1024 }' "/proc/$ambod_pid/status"
    note "the store alone, on the same disk"
    [ -n "${AMBO_BENCH_NO_BUILD:-}" ] || cargo build --release --quiet -p ambo-store --example commit_rate
    "${CARGO_TARGET_DIR:-$PWD/target}/release/examples/commit_rate" "$work" | sed 's/^/       /'
    platform_down
}
