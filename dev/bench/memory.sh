# Idle memory of ambod: resident, and what of it is its own rather than pages of its program that the kernel may drop.

apps_max=${AMBO_BENCH_APPS:-10} logins=8

# memory_line WHAT   prints resident and own memory in MB, once ambod has been left alone for a while
memory_line() {
    sleep "$settle_seconds"
    awk -v what="$1" '/^VmRSS:/ { all = $2 } /^RssAnon:/ { own = $2 }
        END { printf "       %-38s %-10.1f %.1f\n", what, all / 1024, own / 1024 }' "/proc/$ambod_pid/status" | tee -a "$work/memory.lines"
}

# A password is checked with much memory, on purpose. It must not stay.
log_in() {
    local login
    for ((login = 0; login < logins; login++)); do token_create >/dev/null; done
}

# memory_of WHAT   the resident memory of that line
memory_of() { awk -v what="$1" 'index($0, what) { print $(NF - 1) }' "$work/memory.lines"; }

memory() {
    say "Idle memory of ambod, MB, $settle_seconds s after the last work"
    local i
    printf '       %-38s %-10s %s\n' "" resident own
    platform_up memory
    memory_line "fresh"
    log_in
    memory_line "after $logins logins with a password"
    for ((i = 1; i <= apps_max; i++)); do deploy_image "app$i"; done
    memory_line "after $apps_max deploys, $apps_max apps running"
    platform_down
    platform_up memory
    wait_for 30 "the apps' return" answers app1.localhost 127.0.0.1 $http_port "200 OK"
    memory_line "$apps_max apps running, ambod restarted"
    note "each app more                          $(calculate "($(memory_of restarted) - $(memory_of fresh)) / $apps_max")"
    platform_down
    remove_containers
}
