#!/usr/bin/env bash
# Builds the integer engine of lsr-edge (edge/src/int8: scalar kernels, planner, session) as a no_std crate for a Cortex-M4F: it needs only
# core, alloc and libm. Needs `rustup target add thumbv7em-none-eabihf`, or else what `.ci/cross-toolchains.sh cortex-m` installs.
#
#   bash .ci/int8-no-std.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
target=thumbv7em-none-eabihf

CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/int8-no-std
export CARGO_TARGET_DIR
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER
flags=(--release --quiet)
if ! rustup target list --installed | grep -qx "$target"; then
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
  flags+=(-Z build-std=core,alloc --ignore-rust-version)
fi

package=$CARGO_TARGET_DIR/package
mkdir -p "$package/src"
cat >"$package/Cargo.toml" <<EOF
[package]
name = "int8-no-std"
version = "0.0.0"
edition = "2024"
[dependencies]
libm = "$(sed -n 's/^libm = "\(.*\)"/\1/p' Cargo.toml)"
[workspace]
EOF
cat >"$package/src/lib.rs" <<EOF
#![no_std]
extern crate alloc;
#[path = "$root/edge/src/int8/mod.rs"]
pub mod int8;
EOF
cd "$package" # outside the workspace
cargo build "${flags[@]}" --target "$target"
echo "$target: the integer engine builds with core, alloc and libm"
