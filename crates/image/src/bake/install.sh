# Installs packages into a partial root file system. Runs as root of a sandbox, with the root file system in /image and the
# packages in /packages. Prints three results, each preceded by its length: the list of files before, the list of files
# after, and a tar of all changed files.
# $1: seconds since 1970. $2: `outside` to use this machine's dpkg, `inside` to use the image's own. $3: the binfmt_misc line
# of an emulator, or empty. Other arguments: package files. The word `configure` comes before a package that needs all
# previous ones to be configured.
set -eu
root=/image work=/work epoch=$1 kind=$2 emulator=$3
shift 3

# Lists every path with its type, inode number and change time. A file that is replaced gets a new inode number.
list() { (cd $root && find . -printf '%y %i %A@ %C@ %p\0') | LC_ALL=C sort -z; }
touch $work/mark
list >$work/before
# File system timestamps have a resolution of about 10 ms. Wait for the next tick, so that changes get a later time.
until [ -n "$(find $work/tick -newer $work/mark 2>/dev/null)" ]; do touch $work/tick; done

# Runs a command without the caller's environment. $1: a root directory that gets a /proc, or empty.
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
# Triggers of other packages run later on the machine, with the next package operation.
run() { "$kind" --force-unsafe-io --force-confdef --force-confold --no-triggers "$@"; }

# Prepares the root file system for a chroot: programs find the usual devices, and cannot start services.
enter() {
    if [ -n "$emulator" ]; then
        # Since Linux 6.7, every user namespace has its own binfmt_misc; before that, the host's applies.
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
    # Lazily, to unmount everything below as well.
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
