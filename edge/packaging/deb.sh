#!/usr/bin/env bash
# A Debian package of lsr-edge in target/debian, for this machine or for another kind of processor. Its program is taken out of it again and must pass its
# self-test, for arm64 under emulation.
#
#   bash edge/packaging/deb.sh [amd64|arm64] [FLAGS OF cargo deb, e.g. --features camera]
#
# Needs cargo-deb (cargo install cargo-deb), and for arm64 on another machine what `.ci/cross-toolchains.sh arm64` installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

own=$(dpkg --print-architecture)
architecture=${1:-$own}
shift $(($# > 0))
run=()
flags=(--package lsr-edge --locked "$@")
if [ "$architecture" != "$own" ]; then
  [ "$architecture" = arm64 ] || { echo "$architecture: expected amd64 or arm64" >&2; exit 2; }
  triple=aarch64-unknown-linux-gnu
  flags+=(--target "$triple" --deb-revision=1)
  run=(qemu-aarch64-static -L /usr/aarch64-linux-gnu)
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  if ! rustup target list --installed | grep -qx "$triple"; then
    # The same version of rustc that std in the sysroot was built with.
    export RUSTC=/usr/bin/rustc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="--sysroot ${ARM64_SYSROOT:-$HOME/.cache/arm64-sysroot}"
  fi
fi

package=$(cargo deb "${flags[@]}" | tail -n 1)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
dpkg-deb --extract "$package" "$folder"
dpkg-deb --field "$package" Package Version Architecture Depends
test -s "$folder/lib/systemd/system/lsr-edge.service" || test -s "$folder/usr/lib/systemd/system/lsr-edge.service"
"${run[@]}" "$folder/usr/bin/lsr-edge" self-test
echo "$package"
