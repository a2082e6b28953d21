# Written by first-boot from custom.toml on the boot partition: what this machine is.
{exports}export {selector}={role}
if [ -r {loader} ]; then
    . {loader}
fi
