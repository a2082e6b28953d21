# Written by first-boot from custom.toml on the boot partition: the role of this machine.
{exports}export {selector}={role}
if [ -r {loader} ]; then
    . {loader}
fi
