# The router against nginx and haproxy: the same instance behind, one worker each, the proxy alone on core 0.

nginx_port=27101 nginx_log_port=27102 haproxy_port=27103
proxies=()

# nginx_conf NAME PORT ACCESS-LOG
nginx_conf() {
    cat >"$work/$1.conf" <<CONF
worker_processes 1;
daemon off;
pid $work/$1.pid;
error_log $work/$1.err crit;
events { worker_connections 4096; }
http {
    access_log $3;
    keepalive_requests 1000000000;
    client_body_temp_path $work/$1-body;
    proxy_temp_path $work/$1-proxy;
    fastcgi_temp_path $work/$1-fastcgi;
    uwsgi_temp_path $work/$1-uwsgi;
    scgi_temp_path $work/$1-scgi;
    upstream app { server $origin_address; keepalive 512; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:$2 backlog=4096;
        location / {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host \$host;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto \$scheme;
        }
    }
}
CONF
}

haproxy_conf() {
    cat >"$work/haproxy.conf" <<CONF
global
    nbthread 1
    maxconn 8192
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option forwardfor
    http-reuse always
frontend web
    bind 127.0.0.1:$haproxy_port
    default_backend app
backend app
    server origin $origin_address
CONF
}

start_proxies() {
    nginx_conf nginx $nginx_port off
    nginx_conf nginx-log $nginx_log_port "$work/nginx-access.log combined"
    haproxy_conf
    taskset -c 0 nginx -c "$work/nginx.conf" >>"$work/proxies.log" 2>&1 &
    proxies+=($!) nginx_pid=$!
    taskset -c 0 nginx -c "$work/nginx-log.conf" >>"$work/proxies.log" 2>&1 &
    proxies+=($!) nginx_log_pid=$!
    taskset -c 0 haproxy -db -f "$work/haproxy.conf" >>"$work/proxies.log" 2>&1 &
    proxies+=($!) haproxy_pid=$!
    local port
    for port in $nginx_port $nginx_log_port $haproxy_port; do
        wait_for 10 "a proxy's start" answers proxied.localhost 127.0.0.1 "$port" "200 OK"
    done
}

# The processes whose CPU time a proxy's round costs; nginx serves in its worker.
proxy_processes() {
    case $1 in
        ambod) echo "$ambod_pid" ;;
        nginx) echo "$nginx_pid" $(pgrep -P "$nginx_pid") ;;
        nginx+log) echo "$nginx_log_pid" $(pgrep -P "$nginx_log_pid") ;;
        haproxy) echo "$haproxy_pid" ;;
    esac
}

proxy_port() {
    case $1 in
        ambod) echo $http_port ;;
        nginx) echo $nginx_port ;;
        nginx+log) echo $nginx_log_port ;;
        haproxy) echo $haproxy_port ;;
    esac
}

load() { taskset -c 1 wrk -t1 -c"$connections" -d"$2" --latency -s dev/bench/report.lua -H "Host: proxied.localhost" "http://127.0.0.1:$1/"; }

# one_round ROUND PROXY   appends: round proxy requests/CPU-second requests/s p50 p99 (ms) bad
one_round() {
    local port processes before after requests rate p50 p99 bad
    port=$(proxy_port "$2")
    processes=$(proxy_processes "$2")
    load "$port" 1s >/dev/null
    before=$(cpu_ticks $processes)
    read -r requests rate p50 p99 bad < <(load "$port" "${round_seconds}s" | awk '$1 == "RESULT" { print $2, $3, $4, $5, $6 }')
    sleep 0.2
    after=$(cpu_ticks $processes)
    echo "$1 $2 $(calculate "$requests * $ticks_per_second / ($after - $before)" 0) $rate $p50 $p99 $bad" >>"$work/rounds"
}

# column PROXY N            the column's median over the rounds
column() { awk -v p="$1" -v n="$2" '$2 == p { print $n }' "$work/rounds" | median; }
# ratios PROXY N            the column as a ratio to nginx's of the same round
ratios() { awk -v p="$1" -v n="$2" '$2 == "nginx" { base[$1] = $n } $2 == p { own[$1] = $n } END { for (r in own) print own[r] / base[r] }' "$work/rounds"; }

router_table() {
    local proxy
    note "ratios to nginx of the same round, medians (lowest–highest)"
    printf '       %-10s %-24s %-12s %-8s %-8s\n' proxy "requests/CPU-second" requests/s p50 p99
    for proxy in "${contenders[@]}"; do
        printf '       %-10s %-24s %-12s %-8s %-8s\n' "$proxy" "$(ratios "$proxy" 3 | median) ($(ratios "$proxy" 3 | range))" \
            "$(ratios "$proxy" 4 | median)" "$(ratios "$proxy" 5 | median)" "$(ratios "$proxy" 6 | median)"
    done
    note "medians"
    printf '       %-10s %-20s %-12s %-9s %-9s %s\n' proxy requests/CPU-second requests/s "p50 ms" "p99 ms" "failed, all rounds"
    for proxy in "${contenders[@]}"; do
        printf '       %-10s %-20.0f %-12.0f %-9.2f %-9.2f %s\n' "$proxy" "$(column "$proxy" 3)" "$(column "$proxy" 4)" \
            "$(column "$proxy" 5)" "$(column "$proxy" 6)" "$(awk -v p="$proxy" '$2 == p { n += $7 } END { print n }' "$work/rounds")"
    done
}

router() {
    contenders=(ambod nginx nginx+log haproxy)
    say "Router: $rounds rounds of $round_seconds s each, $connections connections, 1 KiB, every proxy one worker on core 0"
    platform_up router
    deploy_image proxied
    local instance round i
    instance=$(instances proxied)
    docker update --cpuset-cpus 1 "$instance" >/dev/null
    origin_address=$(address "$instance"):80
    start_proxies
    wait_for 20 "the route" answers proxied.localhost 127.0.0.1 $http_port "200 OK"
    taskset -acp 0 "$ambod_pid" >/dev/null
    : >"$work/rounds"
    for ((round = 0; round < rounds; round++)); do
        for ((i = 0; i < ${#contenders[@]}; i++)); do
            one_round "$round" "${contenders[(round + i) % ${#contenders[@]}]}"
        done
    done
    router_table
    note "access lines in the app's log afterwards, the newest of them: $("$ambo" logs -n 1 --source ambo -a proxied 2>/dev/null | tail -n 1)"
    for i in "${proxies[@]}"; do kill "$i" && wait "$i" 2>/dev/null || true; done
    proxies=()
    platform_down
    remove_containers
}
