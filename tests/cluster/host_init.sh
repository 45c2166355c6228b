#!/usr/bin/env bash
# PID 1 of a host (see hosts.py), in namespaces of its own: mounts what is its own, then serves SSH until it is killed.
# Arguments: name, address, the host's folder, the folder common to all, root's home, then the folders that are seen
# read-only at their own path.
set -euo pipefail
name=$1 address=$2 own=$3 common=$4 home=$5
shift 5
mount --make-rprivate /
hostname "$name"

# Before anything is hidden: the places that later mounts are made from.
keep=$(mktemp -d "$own/mounts.XXXXXX")
mkdir -p "$keep"/{own,common,mnt}
mount --bind "$own" "$keep/own"
mount --bind "$common" "$keep/common"
for folder in "$@"; do
    case $folder in # those that the mounts below would hide are bound into what hides them
        "$home"/*) there=$keep/own/home/${folder#"$home"/} ;;
        /tmp/*) there=$keep/own/tmp/${folder#/tmp/} ;;
        /mnt/*) there=$keep/mnt/${folder#/mnt/} ;;
        *) there=$folder ;;
    esac
    mkdir -p "$there"
    mount --bind "$folder" "$there"
    mount -o remount,bind,ro "$there"
done

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/host
mount --rbind "$keep" /run/host
mount --bind /run/host/own/hosts /etc/hosts
if [ -e /etc/resolv.conf ]; then mount --bind /run/host/own/resolv.conf /etc/resolv.conf; fi
mkdir -p /run/host/mnt/shared
mount --rbind /run/host/mnt /mnt
mount --bind /run/host/common /mnt/shared
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts /dev/pts
mount --bind /dev/pts/ptmx /dev/ptmx
mount -t tmpfs -o mode=1777,size=2g tmpfs /dev/shm
mount --rbind /run/host/own/home "$home"
mount --rbind /run/host/own/tmp /tmp
mount -t proc proc /proc

ip link set lo up
for _ in $(seq 200); do
    if ip link show eth0 > /dev/null 2>&1; then break; fi
    sleep 0.05
done
ip address add "$address/24" dev eth0
ip link set eth0 up
ip route add default dev eth0 # leads nowhere, but programs ask which address it would leave by
cd /
/usr/sbin/sshd -D -e -f /run/host/own/sshd_config &
while :; do # the shell reaps what lost its parent
    wait -n || true
    sleep 1
done
