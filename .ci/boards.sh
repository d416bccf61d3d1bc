#!/usr/bin/env bash
# Builds the board programs of lsr-firmware. Needs `rustup target add` of their targets, or else what `.ci/cross-toolchains.sh cortex-m` installs.
#
#   bash .ci/boards.sh            all boards
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")/boards
export CARGO_TARGET_DIR
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET RUSTC_WRAPPER

flags=(--release)
if ! rustup target list --installed | grep -qx thumbv6m-none-eabi; then
  linker_folder=$(dirname "$(dirname "$(rustup which rustc)")")/lib/rustlib/x86_64-unknown-linux-gnu/bin
  export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$linker_folder:$PATH"
  flags+=(-Z build-std=core --ignore-rust-version)
fi
cd firmware/boards
cargo build "${flags[@]}" --target thumbv6m-none-eabi --features pico --bin pico
python3 ../../.ci/elf_sizes.py "$CARGO_TARGET_DIR/thumbv6m-none-eabi/release/pico"
