#!/usr/bin/env bash
# lsr-train with MPI, for the tests of several processes: Open MPI and libclang from Debian (as root, unless they are there), then
# target/mpi/lsr-train, whose path is written to target/mpi/binary. Features are unified as in `cargo test --workspace`, so nothing but
# lsr-train itself is compiled for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

if ! command -v mpicc > /dev/null || ! command -v mpirun > /dev/null || ! ls /usr/lib/llvm-*/lib/libclang*.so* > /dev/null 2>&1; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends libopenmpi-dev openmpi-bin libclang-dev > /dev/null
fi

cargo clippy --locked --workspace --lib --bins --test processes --features lsr-train/mpi -- -D warnings
cargo build --locked --workspace --features lsr-train/mpi --bin lsr-train --test processes
mkdir -p "$target/mpi"
# Under a name of its own: the next build without MPI replaces target/debug/lsr-train.
cp "$target/debug/lsr-train" "$target/mpi/lsr-train"
printf '%s\n' "$target/mpi/lsr-train" > "$target/mpi/binary"
