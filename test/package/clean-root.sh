#!/usr/bin/env bash
# Runs a script as root of a machine of its own, on which there is no Node.js:
#
#   clean-root.sh ROOT PACKAGES SCRIPT [ARGUMENT...]
#
# ROOT is a root file system: `/`, or one made by debootstrap. It stays as it is, for all is written to a
# layer in memory; processes, network and mounts end with the script. PACKAGES is a folder with what is to
# be installed, seen there as /packages. Needs root and util-linux, iproute2 and overlayfs.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
	exec unshare --mount --net --pid --ipc --fork --kill-child "$0" --inside "$@"
fi
shift
root=$(realpath "$1") packages=$(realpath "$2") script=$(realpath "$3")
shift 3

ip link set lo up
layer=$(mktemp -d)
mount -t tmpfs -o size=1g clean-root "$layer"
mkdir "$layer"/{written,work,root}
mount -t overlay -o "lowerdir=$root,upperdir=$layer/written,workdir=$layer/work" clean-root "$layer/root"
cd "$layer/root"
mkdir -p packages proc dev tmp run
mount --bind -o ro "$packages" packages
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs run
rm -f usr/bin/{node,npm,npx,nodejs} usr/local/bin/{node,npm,npx,nodejs}
cp "$script" tmp/script

# Not exec: it is the first process here, and has to outlive what the script leaves behind.
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
	chroot . /bin/bash /tmp/script "$@"
