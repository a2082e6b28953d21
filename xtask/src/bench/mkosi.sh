# Benchmarks mkosi with the same packages. Debian 12 has only a version that is too old, so mkosi runs in a separate root
# file system, with mounts that end with this process. Arguments: ROOT, the root file system, which stays unchanged; WORK,
# a folder with the configuration, which gets the caches and the tar; then the arguments of mkosi.
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
