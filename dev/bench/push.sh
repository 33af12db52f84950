# A cached push: `git push` to the first answer of the new release, against build and run by hand.

source_up() {
    mkdir -p "$1"
    cp "$work/origin/nginx.conf" "$1/"
    printf 'FROM nginx:stable\nRUN sleep 1 && date > /made\nCOPY nginx.conf /etc/nginx/nginx.conf\nCOPY index.html /srv/index.html\n' >"$1/Dockerfile"
    echo first >"$1/index.html"
}

commit() { git -C "$1" add -A && git -C "$1" -c user.name=bench -c user.email=bench@example.com commit -q -m "$2"; }

# wait_answer HOST ADDRESS PORT PATTERN   prints when it came
wait_answer() {
    local deadline=$((SECONDS + 60))
    until answers "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || give_up "no answer with $4"
        sleep 0.01
    done
    echo "$EPOCHREALTIME"
}

# by_push N   prints seconds to the first answer and to the end of the push
by_push() {
    local begun answered
    echo "push $1 $RANDOM$RANDOM." >"$work/source/index.html"
    commit "$work/source" "$1"
    begun=$EPOCHREALTIME
    (cd "$work/source" && git push ambo main >"$work/push.out" 2>&1 && echo "$EPOCHREALTIME" >"$work/push.end") &
    local pushing=$!
    answered=$(wait_answer pushed.localhost 127.0.0.1 $http_port "$(<"$work/source/index.html")")
    wait "$pushing" || give_up "the push failed: $work/push.out"
    echo "$(elapsed "$begun" "$answered") $(elapsed "$begun" "$(<"$work/push.end")")"
}

# by_hand N   prints seconds to the first answer
by_hand() {
    local begun answered container
    echo "hand $1 $RANDOM$RANDOM." >"$work/by-hand/index.html"
    begun=$EPOCHREALTIME
    build_image "$work/by-hand" ambo-bench-hand
    container=$(docker run -d --label ambo-bench --network $network ambo-bench-hand)
    answered=$(wait_answer hand.localhost "$(address "$container")" 80 "$(<"$work/by-hand/index.html")")
    docker rm -f "$container" >/dev/null
    elapsed "$begun" "$answered"
}

push() {
    say "Cached push: $pushes pushes of one changed file, alternating with build and run by hand"
    docker buildx version >/dev/null 2>&1 || note "no docker buildx here: by hand means BuildKit through the engine's API by curl, then docker run -d"
    local i app=$work/source
    platform_up push
    source_up "$app"
    source_up "$work/by-hand"
    git -C "$app" init -q -b main
    commit "$app" first
    (cd "$app" && "$ambo" create pushed && git push ambo main) >>"$work/ambo.log" 2>&1
    by_hand 0 >/dev/null
    : >"$work/pushes" >"$work/hands"
    for ((i = 1; i <= pushes; i++)); do
        by_push "$i" >>"$work/pushes"
        by_hand "$i" >>"$work/hands"
    done
    local pushed ended hand
    pushed=$(cut -d' ' -f1 "$work/pushes" | median) ended=$(cut -d' ' -f2 "$work/pushes" | median) hand=$(median <"$work/hands")
    note "git push to first answer        $pushed s ($(cut -d' ' -f1 "$work/pushes" | range))"
    note "git push to its end             $ended s ($(cut -d' ' -f2 "$work/pushes" | range))"
    note "by hand to first answer         $hand s ($(range <"$work/hands"))"
    note "overhead of the push            $(calculate "$pushed - $hand") s, ratio $(calculate "$pushed / $hand")"
    platform_down
    remove_containers
}
