#!/bin/sh
# Makes a base image with Python from Debian's packages alone, for machines that reach no container registry. Needs root.
# usage: base_image.sh NAME [debootstrap's mirror]
set -eu
name=${1:?usage: base_image.sh NAME [MIRROR]}
command -v debootstrap >/dev/null || { echo "debootstrap was not found. Install it (Debian: debootstrap)." >&2; exit 1; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
# The variable is empty for debootstrap's own mirror.
# shellcheck disable=SC2086
debootstrap --variant=minbase --include=python3,ca-certificates bookworm "$root" ${2:-} >&2

# What Debian needs to install, to log in and to start a machine, and a container does not. Their scripts would want one another.
rm -f "$root"/var/lib/dpkg/info/*.prerm "$root"/var/lib/dpkg/info/*.postrm
chroot "$root" dpkg --purge --force-all \
  apt libapt-pkg6.0 gpgv debian-archive-keyring perl-base debconf libdebconfclient0 adduser login passwd openssl \
  libgnutls30 libunistring2 libhogweed6 libnettle8 libp11-kit0 libtasn1-6 libidn2-0 libgcrypt20 libgpg-error0 libxxhash0 \
  libsystemd0 libudev1 sysvinit-utils init-system-helpers util-linux util-linux-extra bsdutils mount libmount1 libblkid1 libsmartcols1 \
  e2fsprogs logsave libext2fs2 libss2 libdb5.3 libpam-modules libpam-modules-bin libpam-runtime libpam0g libaudit1 libaudit-common \
  libcap-ng0 libsemanage2 libsemanage-common libsepol2 libseccomp2 hostname ncurses-bin usr-is-merged gcc-12-base >&2
# Caches, translations, manuals, and character sets that Python brings itself. The list of packages stays, for the bill of materials.
rm -rf "$root"/var/cache/* "$root"/var/lib/apt "$root"/var/log/* "$root"/usr/share/locale/* "$root"/usr/share/doc/* "$root"/usr/share/man/* \
  "$root"/usr/share/info/* "$root"/usr/share/bash-completion "$root"/usr/share/lintian "$root"/usr/share/perl5 \
  "$root"/usr/lib/*-linux-gnu/gconv "$root"/usr/lib/*-linux-gnu/perl* "$root"/usr/lib/python3*/lib2to3 "$root"/usr/lib/python3*/pydoc_data
chroot "$root" python3 -c 'import bz2, ctypes, decimal, hashlib, lzma, sqlite3, ssl, uuid, venv, zlib'
tar -C "$root" --numeric-owner -c . | docker import - "$name"
