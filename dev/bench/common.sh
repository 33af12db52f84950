# What every measurement needs: time, medians, CPU, waiting. Sourced by dev/bench.sh.

ticks_per_second=$(getconf CLK_TCK)

say() { echo "-----> $*"; }
note() { echo "       $*"; }

give_up() {
    echo " !     $*" >&2
    exit 1
}

elapsed() { awk -v a="$1" -v b="${2:-$EPOCHREALTIME}" 'BEGIN { printf "%.3f\n", b - a }'; }
calculate() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }

# median < numbers, one a line
median() { sort -g | awk '{ v[NR] = $1 } END { if (NR) printf "%.3f\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# range < numbers, one a line: lowest–highest
range() { sort -g | awk 'NR == 1 { low = $1 } { high = $1 } END { printf "%.2f–%.2f\n", low, high }'; }

# cpu_ticks PID…   user and system time that the processes with all their threads have spent
cpu_ticks() {
    local pid sum=0 fields
    for pid in "$@"; do
        fields=$(<"/proc/$pid/stat")
        read -ra fields <<<"${fields##*) }"
        sum=$((sum + fields[11] + fields[12]))
    done
    echo "$sum"
}

# wait_for SECONDS "what" command…
wait_for() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || give_up "$what did not happen in time; the logs are in $work"
        sleep 0.05
    done
}

# answers HOST ADDRESS PORT PATTERN   one GET / without a program of its own, so that polling costs next to nothing
answers() {
    local line found=1 connection
    { exec {connection}<>"/dev/tcp/$2/$3"; } 2>/dev/null || return 1
    printf 'GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1" >&"$connection"
    while IFS= read -r -t 5 line <&"$connection" || [ -n "$line" ]; do
        [[ $line == *"$4"* ]] && found=0 && break
    done
    exec {connection}>&-
    return $found
}
