# Creates a stage in a new mount namespace, keeps it, and removes it when standard input ends: when the test is done, and
# also when the test was killed. Only the cgroup is visible on the host. Arguments: the root file system, and the name of
# the cgroup.
set -eu
root=$1
cgroup=/sys/fs/cgroup/$2

# systemd in the stage needs cgroup v2; a host may still have v1 or both.
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi
mkdir "$cgroup"
for controller in $(cat "$cgroup/cgroup.controllers"); do
    echo "+$controller" >"$cgroup/cgroup.subtree_control"
done

# Mount over /run, because it exists everywhere and systemd-nspawn keeps its own state there. The lower folder is given
# as a relative path, so that paths with colons or commas, and paths below /run, work.
cd "$root"
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/upper /run/work /run/root
mount -t overlay -o "lowerdir=.,upperdir=/run/upper,workdir=/run/work" overlay /run/root
cd /

# Ctrl-C in a terminal also reaches this process, which must still clean up.
trap '' HUP INT QUIT TERM
echo ready
cat >/dev/null

# Kill the system in the stage first, so that systemd-nspawn reaps it. Otherwise the host's init must, and not every
# container has an init that does.
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
