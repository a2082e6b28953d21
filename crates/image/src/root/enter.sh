# First step into the sandbox. Runs in a new user namespace, and waits until the parent has written its uid and gid maps and
# sends a line.
# $1: script of the next step. Other arguments: passed to that script.
echo ready
read -r _ || exit 1
# Close inherited file descriptors, which untrusted code must not get.
for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
done
next=$1
shift
set -- setpriv --reuid 0 --regid 0 --clear-groups --pdeathsig KILL -- \
    unshare --mount --propagation private --pid --fork --kill-child --net --ipc --uts -- sh -c "$next" room "$@"
if keyctl session - true 2>/dev/null; then
    # Child processes inherit the keys of the login session. Give untrusted code an empty keyring.
    exec 3>&2
    exec keyctl session - sh -c 'exec 2>&3 3>&-; exec "$@"' sh "$@" 2>/dev/null
elif ! command -v keyctl >/dev/null; then
    echo "\`keyctl\` is missing: run \`apt-get install keyutils\`" >&2
elif keyctl id @s >/dev/null 2>&1; then
    echo "cannot create a keyring: raise \`sysctl kernel.keys.maxkeys\` as root" >&2
else
    # A container that forbids keyrings has none to protect.
    exec "$@"
fi
exit 1
