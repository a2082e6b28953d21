#!/bin/sh
echo "init $$ $*"
echo "root $(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)"
cat /etc/fstab
echo "of memory" >/etc/mark && echo "written to the root: $(cat /etc/mark)"
if [ -e /media/root-ro/etc/mark ]; then
    echo "below: $(cat /media/root-ro/etc/mark)"
    touch /media/root-ro/etc/x 2>/dev/null || echo "below is read-only"
fi
if [ -e /run/first-boot/read-only ]; then echo marked; fi
