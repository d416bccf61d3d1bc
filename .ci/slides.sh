#!/usr/bin/env bash
# lsr-edge with everything that reads slides: OpenSlide and CharLS, from Debian's packages (as root, unless they are there).
# target/slides/binary then names the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
if ! command -v cmake > /dev/null || ! pkg-config --exists openslide 2> /dev/null || ! ls /usr/lib/llvm-*/lib/libclang*.so* > /dev/null 2>&1; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends libopenslide-dev libclang-dev cmake pkg-config > /dev/null
fi
# With a test, so that what it depends on has the features that it has for all other tests, and is compiled once for both.
cargo test --locked --workspace --features lsr-edge/slides --no-run --test slides
mkdir -p "$target/slides"
cp "$target/debug/lsr-edge" "$target/slides/lsr-edge"
echo "$target/slides/lsr-edge" > "$target/slides/binary"
