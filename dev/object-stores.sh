#!/usr/bin/env bash
# Installs the object stores that tests run against, into target/tools, when they are missing: an S3 server that keeps
# its objects in a directory, and Azurite, Microsoft's own stand-in for Azure Blob Storage.
set -euo pipefail
cd "$(dirname "$0")/.."

S3S_FS=0.14.1
# The last one that runs on the Node.js of Debian 12.
AZURITE=3.35.0

tools=$PWD/target/tools

# The server names its notes after their objects' whole keys, which is too long a name for a file when keys are as long
# as S3 allows; so it is built with names of one length.
s3s_fs() {
    local work=$tools/s3s-fs.build source
    rm -rf "$work"
    mkdir -p "$work/fetch/src"
    touch "$work/fetch/src/lib.rs"
    printf '[package]\nname = "fetch"\nedition = "2024"\n[dependencies]\ns3s-fs = "=%s"\n[workspace]\n' "$S3S_FS" \
        >"$work/fetch/Cargo.toml"
    source=$(cargo metadata --quiet --format-version 1 --manifest-path "$work/fetch/Cargo.toml" |
        grep -oE '"[^"]*/s3s-fs-[0-9.]+/Cargo.toml"' | head -1 | tr -d '"')
    cp -r "${source%/Cargo.toml}" "$work/s3s-fs"
    sed -i 's/encode(key)/std::hash::BuildHasher::hash_one(\&std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default(), key)/' \
        "$work/s3s-fs/src/fs.rs"
    printf '\n[workspace]\n' >>"$work/s3s-fs/Cargo.toml"
    cargo install --quiet --locked --root "$tools" --path "$work/s3s-fs" --features binary
    rm -rf "$work"
    echo "$S3S_FS" >"$tools/s3s-fs.version"
}

if [[ $(cat "$tools/s3s-fs.version" 2>/dev/null) != "$S3S_FS" ]]; then
    s3s_fs
fi

if ! grep -qsF "\"version\": \"$AZURITE\"" "$tools/azurite/node_modules/azurite/package.json"; then
    mkdir -p "$tools/azurite"
    npm install --silent --no-audit --no-fund --prefix "$tools/azurite" "azurite@$AZURITE"
fi
