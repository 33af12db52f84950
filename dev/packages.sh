#!/usr/bin/env bash
# Installs Debian packages that are not there yet.
# Usage: dev/packages.sh PACKAGE…
set -euo pipefail

sudo=$([ "$(id -u)" = 0 ] || echo sudo)
missing=()
for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

$sudo apt-get update -q >/dev/null
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >/dev/null
