# Turns a tree that mmdebstrap has made ($1) into that of a machine which has been booted before.
set -eu
cd "$1"

# Settings and logins that were for making the root: a package that a test installs shall bring its man pages,
# and the host's proxy is nobody's business inside.
rm -rf etc/apt/apt.conf.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/apt/auth.conf etc/apt/auth.conf.d/*
rm -f etc/resolv.conf

# With an id and these two stamps systemd does not take the boot for the first one, which would apply presets
# to every unit, nor for the first one after an update of /usr.
echo 00112233445566778899aabbccddeeff >etc/machine-id
touch -r usr etc/.updated var/.updated

echo robot >etc/hostname
echo '127.0.0.1 localhost robot' >etc/hosts
echo LANG=C.UTF-8 >etc/default/locale

# A journal on disk can be read after a machine has died, and one user's part of it by that user, as on a
# robot.
mkdir -p var/log/journal

# No getty can have the console, which is a pipe; and nothing may take dpkg's lock behind a test's back.
for unit in console-getty.service getty@tty1.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer; do
    ln -sfn /dev/null "etc/systemd/system/$unit"
done
