# Second step: sets up the sandbox, a root file system in memory that contains this machine's programs, read-only, and
# nothing else of the machine. Unpacks a tar from standard input into it, then runs the command.
# $1: text of the script `confine`. $2: path of an emulator, or empty. Other arguments: the command.
set -eu
umask 022
confine=$1 emulator=$2
shift 2
# This folder exists on every machine.
new=/tmp
# The new mount hides whatever is already mounted below that folder.
hidden=" $(cut -d ' ' -f 1 /proc/self/mountinfo | tr '\n' ' ') "
memory() { mount -t tmpfs -o "nosuid,nodev,$1" tmpfs "$2"; }
if ! memory mode=755,size=256M $new; then
    echo "cannot mount a tmpfs in a user namespace: on Ubuntu run \`sysctl -w" \
        "kernel.apparmor_restrict_unprivileged_userns=0\` as root, in a container allow \`mount\`" >&2
    exit 1
fi
cd $new
mkdir dev etc image old packages proc root run sys tmp usr var work
ln -s ../tmp var/tmp
mount --rbind /usr usr
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then
        ln -s "$(readlink "/$name")" "$name"
    elif [ -d "/$name" ]; then
        mkdir "$name"
        mount --rbind "/$name" "$name"
    fi
done
while read -r number _ _ _ point options _; do
    case "$hidden" in *" $number "*) continue ;; esac
    # The existing mount options are locked in this namespace, so the remount must repeat them.
    case "$point,$options" in $new/*,rw*) mount -o "remount,bind,ro${options#rw}" "$point" ;; esac
done </proc/self/mountinfo
for file in alternatives ld.so.cache; do if [ -e "/etc/$file" ]; then cp -RP "/etc/$file" etc/; fi; done
# Use the user and group names of the image.
for file in passwd group; do ln -s "../image/etc/$file" "etc/$file"; done
printf '%s' "$confine" >confine
chmod 755 confine
if [ -n "$emulator" ]; then cp "$emulator" emulator; fi
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
if ! mount -t proc -o nosuid,nodev,noexec proc proc; then
    echo "cannot mount \`/proc\` in a user namespace: this container masks parts of /proc: unmask them" \
        "(\`--security-opt systempaths=unconfined\`), or run this outside the container" >&2
    exit 1
fi
for folder in image work packages; do memory mode=755,size=6G $folder; done
memory mode=755,size=1G run
memory mode=1777,size=1G tmp
pivot_root . old
cd /
umount --lazy /old
mount -o remount,bind,ro,nosuid,nodev /
tar --extract --directory=/ --numeric-owner --file=-
mount -o remount,bind,ro,nosuid,nodev /packages
exec "$@"
