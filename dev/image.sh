#!/usr/bin/env bash
# Builds the image that a cluster's components are made of, from the programs in target/<profile>.
# Usage: dev/image.sh NAME[:TAG] [PROFILE]        PROFILE is release by default
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1 profile=${2:-release}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
for program in ambod ambo; do
    # What debuggers want would be most of the image.
    strip -o "$context/$program" "target/$profile/$program"
done
cp Dockerfile "$context/"
# The engine of Debian has no buildx, whose absence every build would tell of.
DOCKER_BUILDKIT=0 docker build --quiet --tag "$name" "$context" 2>"$context/log" >/dev/null || { cat "$context/log" >&2; exit 1; }
