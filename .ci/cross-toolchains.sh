#!/usr/bin/env bash
# Fresh machine -> builds and emulates Cortex-M programs and aarch64 Linux programs in Rust, from Debian packages alone.
# Needs root. Does nothing when everything is there. Where `rustup target add` has brought a part's targets, that part takes
# its compiler from there: nothing is left to install for Cortex-M, and only linker, libc and emulator for aarch64.
#
#   bash .ci/cross-toolchains.sh            everything
#   bash .ci/cross-toolchains.sh cortex-m   only what builds for Cortex-M (rustc and the source of core)
#   bash .ci/cross-toolchains.sh emulator   only what emulates a Cortex-M board (QEMU)
#   bash .ci/cross-toolchains.sh arm64      only what builds and emulates aarch64 Linux programs
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

part=${1:-all}
installed=$(rustup target list --installed 2>/dev/null || true)
has() { grep -qx "$1" <<<"$installed"; }

# rustc-web: a rustc that has its sources packaged with it (rust-web-src), which -Z build-std needs.
packages=()
if [ "$part" = all ] || [ "$part" = cortex-m ]; then
  if has thumbv6m-none-eabi && has thumbv7em-none-eabihf; then
    echo "cortex-m: rustup's own targets"
  else
    packages+=(rustc-web rust-web-src)
  fi
fi
if [ "$part" = all ] || [ "$part" = emulator ]; then packages+=(qemu-system-arm); fi
if [ "$part" = all ] || [ "$part" = arm64 ]; then
  packages+=(qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
  if has aarch64-unknown-linux-gnu; then
    echo "aarch64: rustup's own target"
  else
    packages+=(rustc-web)
  fi
fi

missing=()
for package in ${packages[@]+"${packages[@]}"}; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  apt-get update -qq </dev/null
  apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
fi
[[ " ${packages[*]} " != *" rustc-web "* ]] || echo "rustc-web: $(/usr/bin/rustc --version)"
if [ "$part" = cortex-m ] || [ "$part" = emulator ] || has aarch64-unknown-linux-gnu; then exit 0; fi

# std for aarch64 goes into a sysroot of its own: arm64 need not become a foreign architecture of this machine.
# The package's version must be that of the compiler, so both are recorded beside it.
sysroot=${ARM64_SYSROOT:-$HOME/.cache/arm64-sysroot}
version=$(dpkg-query -W -f '${Version}' rustc-web)
if [ "$(cat "$sysroot/version" 2>/dev/null || true)" != "$version" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
  cat >"$work/apt.conf" <<EOF
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "root"; # its own user could not write here
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
EOF
  APT_CONFIG=$work/apt.conf apt-get update -qq </dev/null
  (
    cd "$work"
    APT_CONFIG=$work/apt.conf apt-get download -qq "libstd-rust-web-dev:arm64=$version" </dev/null
    dpkg-deb -x libstd-rust-web-dev_*_arm64.deb unpacked
  )
  rm -rf "$sysroot/lib/rustlib"
  mkdir -p "$sysroot/lib/rustlib"
  cp -a "$work/unpacked/usr/lib/rustlib/aarch64-unknown-linux-gnu" "$sysroot/lib/rustlib/"
  ln -sfn /usr/lib/rustlib/x86_64-unknown-linux-gnu "$sysroot/lib/rustlib/x86_64-unknown-linux-gnu"
  echo "$version" >"$sysroot/version" # last: an interrupted run is repeated
fi
echo "aarch64: $sysroot"
