# Prepares a stage in a mount namespace of its own, holds it, and takes everything away when its standard
# input ends: when the test is done with it, and just as well when the test was killed. Nothing of it is ever
# visible on the host but the cgroup. Arguments: the root below, the name of the cgroup, and folders beside the root to
# lay over it.
set -eu
root=$1
cgroup=/sys/fs/cgroup/$2
shift 2

# systemd inside wants cgroup v2; a host may still have v1 or both.
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir "$cgroup"
for controller in $(cat "$cgroup/cgroup.controllers"); do
    echo "+$controller" >"$cgroup/cgroup.subtree_control"
done

# Over /run, because it exists everywhere, and because systemd-nspawn keeps its own state there. The lower
# folders are named relative to it for the sake of paths with colons or commas, and of those below /run.
cd "$root"
lower=.
for layer; do lower=../$layer:$lower; done
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay -o "lowerdir=$lower,upperdir=/run/upper,workdir=/run/work" overlay /run/root
cd /

# A terminal's Ctrl-C reaches this process too, and must not keep it from its work.
trap '' HUP INT QUIT TERM
echo ready
cat >/dev/null

# First the system inside alone, so that systemd-nspawn sees it die and takes its exit status; otherwise that
# is left to the host's init, and not every container has one that does it.
for payload in "$cgroup"/*/payload/cgroup.kill; do
    if [ -e "$payload" ]; then
        echo 1 >"$payload"
    fi
done
tries=100
while grep -q 'populated 1' "$cgroup/cgroup.events" && [ $((tries -= 1)) -gt 0 ]; do
    sleep 0.01
done
echo 1 >"$cgroup/cgroup.kill"
until find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null; do
    sleep 0.01
done
