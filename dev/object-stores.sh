#!/usr/bin/env bash
# Installs the object stores that tests run against, into target/tools, when they are missing: an S3 server that keeps
# its objects in a directory, and Azurite, Microsoft's own stand-in for Azure Blob Storage.
set -euo pipefail
cd "$(dirname "$0")/.."

S3S_FS=0.14.1
# The last one that runs on the Node.js of Debian 12.
AZURITE=3.35.0

tools=$PWD/target/tools

if ! "$tools/bin/s3s-fs" --version 2>/dev/null | grep -qF "$S3S_FS"; then
    cargo install --quiet --locked --root "$tools" --version "$S3S_FS" --features binary s3s-fs
fi

if ! grep -qsF "\"version\": \"$AZURITE\"" "$tools/azurite/node_modules/azurite/package.json"; then
    mkdir -p "$tools/azurite"
    npm install --silent --no-audit --no-fund --prefix "$tools/azurite" "azurite@$AZURITE"
fi
