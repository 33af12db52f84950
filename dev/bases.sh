#!/usr/bin/env bash
# Puts the base images of the examples and tests on the engine, under the names that real Dockerfiles use: pulled where a
# registry is reachable, else made from Debian's packages.
# Usage: dev/bases.sh [NAME…]        without names: all
set -euo pipefail

here=$(dirname "$0")
sudo=$([ "$(id -u)" = 0 ] || echo sudo)

# name | Debian packages | changes to the image, separated by @
bases() {
    cat <<'TABLE'
debian:bookworm-slim||CMD ["bash"]
python:3.11-slim-bookworm|python3,python3-pip,python3-venv|CMD ["python3"]
node:18-bookworm-slim|nodejs|CMD ["node"]
nginx:stable|nginx-light|CMD ["nginx","-g","daemon off;"]@EXPOSE 80
TABLE
}

pull() { timeout "${AMBO_PULL_SECONDS:-60}" $sudo docker pull -q "$1" >/dev/null 2>&1; }

make_base() {
    local name=$1 packages=$2 changes=$3 include=ca-certificates args=() change
    "$here/packages.sh" mmdebstrap
    [ -n "$packages" ] && include="$include,$packages"
    IFS='@' read -ra parts <<<"$changes"
    for change in "${parts[@]}"; do args+=(--change "$change"); done
    # The machine's own certificate authorities, so that builds reach what the machine reaches. `python` as in the real image.
    $sudo mmdebstrap --quiet --variant=minbase --include="$include" \
        --customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"' \
        --customize-hook='[ ! -e "$1/usr/bin/python3" ] || ln -sf python3 "$1/usr/bin/python"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        bookworm - 2>/dev/null | $sudo docker import "${args[@]}" - "$name" >/dev/null
}

wanted=("$@")
bases | while IFS='|' read -r name packages changes; do
    if [ ${#wanted[@]} -gt 0 ] && [[ ! " ${wanted[*]} " == *" $name "* ]]; then continue; fi
    $sudo docker image inspect "$name" >/dev/null 2>&1 && continue
    if pull "$name"; then
        echo "       $name pulled"
    else
        make_base "$name" "$packages" "$changes" </dev/null
        echo "       $name made from Debian's packages"
    fi
done
