# SPDX-License-Identifier: GPL-2.0-or-later
# Shared settings and helpers; sourced by the other scripts, not run by itself.
# shellcheck shell=bash

IMG_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
IMG_OUT=${POLDER_IMAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/polder}
XEN_VERSION=4.17

die()  { echo "error: $*" >&2; exit 1; }
note() { echo "==> $*" >&2; }

# need_packages PKG... : installs the Debian packages that are missing.
need_packages() {
    local missing=() p
    for p in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null |
            grep -qx installed || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    note "installing: ${missing[*]}"
    $sudo apt-get update -qq || note "some of apt's sources could not be read; going on with the others"
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq \
        --no-install-recommends "${missing[@]}" >&2
}

# kernel_version : the version of the newest kernel that linux-image-amd64 names.
kernel_version() {
    dpkg-query -W -f='${Depends}' linux-image-amd64 |
        sed -n 's/.*linux-image-\([^ ,]*\).*/\1/p'
}

# copy_elf ROOT FILE... : copies programs with every shared library they need.
# The tree ROOT has merged /usr: libraries always go to ROOT/usr/lib...
copy_elf() {
    local root=$1 f lib; shift
    for f in "$@"; do
        install -D -m 755 "$f" "$root/$f"
        ldd "$f" 2>/dev/null | grep -o '/[^ )]*' | sort -u | while read -r lib; do
            local to=$lib
            case $lib in /lib/*|/lib64/*) to=/usr$lib ;; esac
            [ -e "$root$to" ] || install -D -m 755 "$lib" "$root$to"
        done
    done
}

# copy_modules ROOT KVER MODULE... : copies modules with what they depend on,
# and makes the dependency index for modprobe.
copy_modules() {
    local root=$1 kver=$2 m; shift 2
    for m in "$@"; do
        modprobe -S "$kver" --show-depends "$m" 2>/dev/null |
            awk '$1 == "insmod" {print $2}'
    done | sort -u | while read -r m; do
        install -D -m 644 "$m" "$root/usr/${m#/}"
    done
    cp "/lib/modules/$kver"/modules.{order,builtin,builtin.modinfo} \
        "$root/usr/lib/modules/$kver/"
    depmod -b "$root/usr" -o "$root/usr" "$kver" 2>/dev/null ||
        depmod -b "$root" "$kver"
}

# base_tree ROOT : an empty root with merged /usr and all of busybox.
base_tree() {
    local root=$1 a
    rm -rf "$root"
    mkdir -p "$root"/{usr/{bin,sbin,lib,lib64},proc,sys,dev,run,tmp,root,etc,mnt,data}
    mkdir -p "$root"/var/{lib,log}
    ln -s usr/bin "$root/bin";   ln -s usr/sbin "$root/sbin"
    ln -s usr/lib "$root/lib";   ln -s usr/lib64 "$root/lib64"
    ln -s /run "$root/var/run";  ln -s /run/lock "$root/var/lock"
    cp /bin/busybox "$root/usr/bin/busybox"
    for a in $(/bin/busybox --list); do
        [ "$a" = busybox ] || ln -sf busybox "$root/usr/bin/$a"
    done
    echo root:x:0:0:root:/root:/bin/sh > "$root/etc/passwd"
    echo root:x:0: > "$root/etc/group"
}

# pack_cpio ROOT FILE : an uncompressed newc archive (unpacking a compressed
# one takes longer under TCG than copying the bigger file).
pack_cpio() {
    (cd "$1" && find . -print0 | LC_ALL=C sort -z |
        cpio --null --quiet -o -H newc -R 0:0) > "$2"
}

# make_iso FILE TREE : a CD that GRUB boots on a BIOS.
make_iso() {
    local log; log=$(mktemp)
    grub-mkrescue -d /usr/lib/grub/i386-pc -o "$1" "$2" 2> "$log" ||
        { cat "$log" >&2; rm -f "$log"; die "grub-mkrescue could not make $1"; }
    rm -f "$log"
}
