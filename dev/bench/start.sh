# Starting 1, 10 and 50 instances, against bare `docker run -d` one after the other and eight at a time.

bare_run() { docker run -d --label ambo-bench --network $network "$origin_image"; }

# all_answer CONTAINER…
all_answer() {
    local address
    for address in $(docker inspect --format "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$@"); do
        wait_for 60 "an answer of $address" answers bare "$address" 80 "200 OK"
    done
}

# bare COUNT AT-A-TIME   prints seconds until all have answered
bare() {
    local begun=$EPOCHREALTIME all
    all=$(export -f bare_run && export network origin_image && seq "$1" | xargs -P "$2" -I{} bash -c bare_run)
    all_answer $all
    elapsed "$begun"
    docker rm -f $all >/dev/null
}

count_up() { curl -fs -H "Authorization: Bearer $token" "$api/apps/started/dynos" | grep -o '"state": *"up"' | wc -l; }
all_up() { [ "$(count_up)" = "$1" ]; }
none_left() { [ -z "$(instances started)" ]; }

# scaled COUNT   prints seconds until all are up, which is after each has answered
scaled() {
    local begun=$EPOCHREALTIME
    "$ambo" ps:scale "web=$1" -a started >>"$work/ambo.log" 2>&1
    wait_for 120 "the start of $1 instances" all_up "$1"
    elapsed "$begun"
    "$ambo" ps:scale web=0 -a started >>"$work/ambo.log" 2>&1
    wait_for 60 "the end of $1 instances" none_left
}

start() {
    say "Starting instances: seconds until all have answered"
    local count scale sequence together
    platform_up start
    deploy_image started
    token=$(token_create)
    scaled 1 >/dev/null
    printf '       %-10s %-14s %-14s %-14s %-20s %s\n' instances ps:scale "one by one" "8 at a time" "ratio to one by one" "to 8 at a time"
    for count in 1 10 50; do
        scale=$(scaled "$count")
        sequence=$(bare "$count" 1)
        together=$sequence
        [ "$count" = 1 ] || together=$(bare "$count" 8)
        printf '       %-10s %-14s %-14s %-14s %-20s %s\n' "$count" "$scale" "$sequence" "$together" \
            "$(calculate "$scale / $sequence")" "$(calculate "$scale / $together")"
    done
    platform_down
    remove_containers
}
