# Idle memory of ambod: PSS without apps, with one, with ten; then again after a restart.

apps_max=10

idle_pss() {
    sleep "$settle_seconds"
    pss_mb "$ambod_pid"
}

memory() {
    say "Idle memory of ambod (PSS, MB; $settle_seconds s after the last work)"
    local none one ten none_again i
    platform_up memory
    none=$(idle_pss)
    deploy_image app1
    one=$(idle_pss)
    for ((i = 2; i <= apps_max; i++)); do deploy_image "app$i"; done
    ten=$(idle_pss)
    platform_down
    platform_up memory
    wait_for 30 "the apps' return" answers app1.localhost 127.0.0.1 $http_port "200 OK"
    none_again=$(idle_pss)
    note "no app                              $none"
    note "1 app                               $one"
    note "$apps_max apps                             $ten"
    note "$apps_max apps, after a restart of ambod   $none_again"
    note "each app more, after a restart      $(calculate "($none_again - $none) / $apps_max")"
    platform_down
    remove_containers
}
