# Another side: the same packages by mkosi, which Debian 12 has only in a version that is too old, so it runs in a root of
# its own, with mounts that end with it. ROOT is that root, and is not written to; WORK has the configuration, and gets
# the caches and the tar; the others are mkosi's words.
set -eu
root=$1 work=$2
shift 2
view=$work/view
mkdir -p "$view"
mount -t tmpfs tmpfs "$view"
mkdir "$view/upper" "$view/work" "$view/root"
mount -t overlay -o "lowerdir=$root,upperdir=$view/upper,workdir=$view/work" overlay "$view/root"
cd "$view/root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
for folder in run tmp; do mount -t tmpfs tmpfs "$folder"; done
mount --bind "$work" mnt
list=proc/sys/fs/binfmt_misc
if [ ! -e "$list/register" ]; then
    mount -t binfmt_misc binfmt_misc "$list"
fi
if [ ! -e "$list/qemu-aarch64" ]; then
    cat usr/lib/binfmt.d/qemu-aarch64.conf >"$list/register"
fi
cat /etc/resolv.conf >etc/resolv.conf
exec chroot . env -C /mnt PATH=/usr/sbin:/usr/bin mkosi "$@"
