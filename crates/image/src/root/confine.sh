#!/bin/sh
# In a room, runs what nobody vouches for, such as packages' scripts: in a user namespace below the room's, where every
# mount is locked as it is, with processes of its own and without rights that no script needs.
# $1: a root that gets a /proc too, or nothing; the others: what is to be run.
set -eu
case "$1" in
--first)
    # The first process there, which ends all others with itself. It still has the room's rights.
    root=$2 pipes=$3
    shift 3
    mount -t proc -o nosuid,nodev,noexec proc /proc
    # What the kernel is told is only read: some programs want to know of it.
    mount --bind /proc/sys /proc/sys
    mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys
    if [ -n "$root" ] && [ -d "$root/proc" ] && [ ! -L "$root/proc" ]; then mount --rbind /proc "$root/proc"; fi
    exec 3<>"$pipes/go" 4>&1
    unshare --user -- "$0" --locked "$@" </dev/null >"$pipes/ready" &
    child=$!
    read -r _ <"$pipes/ready"
    rm -r "$pipes"
    umount --lazy /work
    for map in uid_map gid_map; do echo 0 0 65536 >"/proc/$child/$map"; done
    echo go >&3
    wait "$child"
    ;;
--locked)
    shift
    echo ready
    read -r _ <&3
    exec >&4 3<&- 4>&-
    # A session of its own has no terminal that it could type into.
    exec setsid unshare --mount --propagation unchanged -- setpriv --no-new-privs --inh-caps=-all \
        --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setfcap,+sys_chroot -- "$@"
    ;;
*)
    root=$1
    shift
    pipes=$(mktemp -d /work/pipes.XXXXXX)
    mkfifo "$pipes/ready" "$pipes/go"
    exec unshare --mount --propagation private --pid --fork --kill-child -- "$0" --first "$root" "$pipes" "$@"
    ;;
esac
