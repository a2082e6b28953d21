#!/bin/sh
# Inside the sandbox, runs untrusted code such as maintainer scripts. It runs in a nested user namespace, where all mounts
# are locked, in its own PID namespace, and without capabilities that no script needs.
# $1: a root directory that gets a /proc too, or empty. Other arguments: the command.
set -eu
case "$1" in
--first)
    # The first process of the PID namespace: when it ends, all others end. It still has the sandbox's capabilities.
    root=$2 pipes=$3
    shift 3
    mount -t proc -o nosuid,nodev,noexec proc /proc
    # Some programs read /proc/sys. Mount it read-only.
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
    # A new session has no controlling terminal, so the program cannot inject terminal input.
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
