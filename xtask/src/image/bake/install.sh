# Installs packages into a part of a system, as root of a user namespace: takes that part as a tar, answers with what was
# there before, what was there afterwards, and a tar of all that was touched, each after its length.
# $1: an empty folder; $2: seconds since 1970; $3: `outside` for this machine's dpkg, `inside` for the system's own; $4: the
# kernel's line for an emulator, or nothing; the others: packages, `configure` before one that needs all others first.
set -eu
work=$1 epoch=$2 kind=$3 emulator=$4
shift 4
PATH=$PATH:/usr/sbin:/sbin
mount -t tmpfs -o mode=755,size=6G tmpfs "$work"
# Scripts of packages run with this machine's tools. They find no running system to talk to and nothing that they could
# write to; where a container forbids that, they are only asked not to.
mount -t tmpfs tmpfs /run 2>/dev/null || true
while read -r _ _ _ _ point options _; do
    case "$point" in "$work" | /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) continue ;; esac
    # The other options are locked in here, and must be said again.
    mount -o "remount,bind,ro,${options#rw,}" "$point" 2>/dev/null || true
done </proc/self/mountinfo
mkdir "$work/root" "$work/tmp"
tar --extract --directory="$work/root" --numeric-owner --file=-

# Every path with what changes when somebody touches it. A file keeps its number until it is replaced.
list() { (cd "$work/root" && find . -printf '%y %i %A@ %C@ %p\0') | LC_ALL=C sort -z; }
touch "$work/mark"
list >"$work/before"
# The clock of a file system ticks a hundred times a second, and two changes within a tick have the same time.
until [ -n "$(find "$work/tick" -newer "$work/mark" 2>/dev/null)" ]; do touch "$work/tick"; done

clean() { env -i LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$epoch" "$@" >&2; }
outside() {
    # dpkg wants the administrator's programs, which are not on everybody's path.
    clean PATH="$PATH" TMPDIR="$work/tmp" dpkg --root="$work/root" --log="$work/log" --force-script-chrootless \
        --force-architecture --force-depends "$@"
}
inside() {
    clean PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBCONF_NONINTERACTIVE_SEEN=true "$(command -v chroot)" "$work/root" dpkg "$@"
}
# Triggers of other packages are left to the machine, where they run with the next package.
run() { "$kind" --force-unsafe-io --force-confdef --force-confold --no-triggers "$@"; }

# Makes a system out of the part: programs find what they find everywhere, and start nothing.
enter() {
    if [ -n "$emulator" ]; then
        # Since Linux 6.7 every user namespace has its own list; before, there is the host's.
        mkdir "$work/binfmt"
        if mount -t binfmt_misc binfmt_misc "$work/binfmt" 2>/dev/null; then
            printf %s "$emulator" >"$work/binfmt/register"
        fi
    fi
    for folder in dev run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$work/root/$folder"; done
    chmod 755 "$work/root/dev" "$work/root/run"
    mount --rbind /proc "$work/root/proc"
    for device in null zero full random urandom tty; do
        touch "$work/root/dev/$device"
        mount --bind "/dev/$device" "$work/root/dev/$device"
    done
    policy=$work/root/usr/sbin/policy-rc.d
    own=$(stat -c %n "$policy" 2>/dev/null) || touch "$policy"
    printf '#!/bin/sh\nexit 101\n' >"$work/policy"
    chmod 755 "$work/policy"
    mount --bind "$work/policy" "$policy"
}
leave() {
    umount "$policy"
    [ -n "$own" ] || rm "$policy"
    # Each with all that is below it. One by one, what somebody has mounted below /proc would not go: it is locked in here.
    for folder in dev run tmp proc; do umount --lazy "$work/root/$folder"; done
}

if [ "$kind" = inside ]; then
    enter
    mkdir "$work/root/run/packages"
    for word; do
        if [ "$word" = configure ]; then
            run --configure --pending
        else
            cp "$word" "$work/root/run/packages/"
            run --unpack "/run/packages/${word##*/}"
        fi
    done
    run --configure --pending
    leave
else
    run --install "$@"
fi

list >"$work/after"
LC_ALL=C comm -z -13 "$work/before" "$work/after" | cut -z -d ' ' -f 5- >"$work/touched"
tar --create --directory="$work/root" --null --no-recursion --verbatim-files-from --files-from="$work/touched" \
    --format=posix --numeric-owner --xattrs --xattrs-include='*' --file="$work/changes"
for answer in before after changes; do
    wc -c <"$work/$answer"
    cat "$work/$answer"
done
