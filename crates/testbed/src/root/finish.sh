# Turns a root file system that mmdebstrap created ($1) into that of a machine that was booted before.
set -eu
cd "$1"

# Removes settings and credentials that only the build needed. Packages that a test installs must install their man pages,
# and the machine must not see the host's proxy.
rm -rf etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/apt/auth.conf etc/apt/auth.conf.d/*
rm -f etc/resolv.conf

# Without a machine id, systemd would treat the next boot as the first one and apply presets to all units. Without the
# two stamps, it would treat it as the first boot after an update of /usr.
echo 00112233445566778899aabbccddeeff >etc/machine-id
touch -r usr etc/.updated var/.updated

echo robot >etc/hostname
echo '127.0.0.1 localhost robot' >etc/hosts
echo LANG=C.UTF-8 >etc/default/locale

# A journal on disk can be read after the machine has died. As on a robot, users can read their own entries.
mkdir -p var/log/journal

# The console is a pipe, so no getty can use it. Nothing may take dpkg's lock during a test.
for unit in console-getty.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer; do
    ln -sfn /dev/null "etc/systemd/system/$unit"
done
