# Installs packages into a part of a system: root of a room, where that part is in /image and the packages are in
# /packages. Answers with what was there before, what was there afterwards, and a tar of all that was touched, each after
# its length.
# $1: seconds since 1970; $2: `outside` for this machine's dpkg, `inside` for the system's own; $3: the kernel's line for an
# emulator, or nothing; the others: names of packages, `configure` before one that needs all others first.
set -eu
root=/image work=/work epoch=$1 kind=$2 emulator=$3
shift 3

# Every path with what changes when somebody touches it. A file keeps its number until it is replaced.
list() { (cd $root && find . -printf '%y %i %A@ %C@ %p\0') | LC_ALL=C sort -z; }
touch $work/mark
list >$work/before
# The clock of a file system ticks a hundred times a second, and two changes within a tick have the same time.
until [ -n "$(find $work/tick -newer $work/mark 2>/dev/null)" ]; do touch $work/tick; done

# $1: a root that gets a /proc, or nothing. The programs and scripts of packages know nothing of who runs this.
clean() {
    proc=$1
    shift
    /confine "$proc" env -i LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive SOURCE_DATE_EPOCH="$epoch" "$@" >&2
}
outside() {
    clean '' PATH="$PATH" TMPDIR=/tmp dpkg --root=$root --log=/tmp/log --force-script-chrootless \
        --force-architecture --force-depends "$@"
}
inside() {
    clean $root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBCONF_NONINTERACTIVE_SEEN=true "$(command -v chroot)" $root dpkg "$@"
}
# Triggers of other packages are left to the machine, where they run with the next package.
run() { "$kind" --force-unsafe-io --force-confdef --force-confold --no-triggers "$@"; }

# Makes a system out of the part: programs find what they find everywhere, and start nothing.
enter() {
    if [ -n "$emulator" ]; then
        # Since Linux 6.7 every user namespace has its own list; before, there is the host's.
        mkdir $work/binfmt
        if mount -t binfmt_misc binfmt_misc $work/binfmt 2>/dev/null; then
            printf %s "$emulator" >$work/binfmt/register
        fi
    fi
    for folder in dev run tmp; do mount -t tmpfs -o mode=1777,size=1G tmpfs "$root/$folder"; done
    chmod 755 $root/dev $root/run
    for device in null zero full random urandom tty; do
        touch "$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir $root/run/packages
    mount --bind /packages $root/run/packages
    policy=$root/usr/sbin/policy-rc.d
    own=$(stat -c %n "$policy" 2>/dev/null) || touch "$policy"
    printf '#!/bin/sh\nexit 101\n' >$work/policy
    chmod 755 $work/policy
    mount --bind $work/policy "$policy"
}
leave() {
    umount "$policy"
    [ -n "$own" ] || rm "$policy"
    # Each with all that is below it.
    for folder in dev run tmp; do umount --lazy "$root/$folder"; done
}

if [ "$kind" = inside ]; then
    enter
    for word; do
        if [ "$word" = configure ]; then
            run --configure --pending
        else
            run --unpack "/run/packages/$word"
        fi
    done
    run --configure --pending
    leave
else
    for word; do
        set -- "$@" "/packages/$word"
        shift
    done
    run --install "$@"
fi

list >$work/after
LC_ALL=C comm -z -13 $work/before $work/after | cut -z -d ' ' -f 5- >$work/touched
tar --create --directory=$root --null --no-recursion --verbatim-files-from --files-from=$work/touched \
    --format=posix --numeric-owner --xattrs --xattrs-include='*' --file=$work/changes
for answer in before after changes; do
    wc -c <"$work/$answer"
    cat "$work/$answer"
done
