# Installs packages into a part of a system, as root of a user namespace: takes that part as a tar, answers with what was
# there before, what was there afterwards, and a tar of all that was touched, each after its length.
# $1: an empty folder; $2: seconds since 1970; the others: packages.
set -eu
work=$1 epoch=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$work"
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

# Triggers of other packages are left to the machine: their scripts know nothing of another system's root.
# dpkg wants the administrator's programs, which are not on everybody's path.
env -i PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$epoch" TMPDIR="$work/tmp" \
    dpkg --root="$work/root" --log="$work/log" --force-script-chrootless --force-architecture --force-depends \
    --force-unsafe-io --force-confdef --force-confold --no-triggers --install "$@" >&2

list >"$work/after"
LC_ALL=C comm -z -13 "$work/before" "$work/after" | cut -z -d ' ' -f 5- >"$work/touched"
tar --create --directory="$work/root" --null --no-recursion --verbatim-files-from --files-from="$work/touched" \
    --format=posix --numeric-owner --xattrs --xattrs-include='*' --file="$work/changes"
for answer in before after changes; do
    wc -c <"$work/$answer"
    cat "$work/$answer"
done
