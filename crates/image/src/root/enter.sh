# The first step into a room: in a user namespace of its own, without an identity there until the parent has given it some
# and says so.
# $1: the next step; the others: what that one takes.
echo ready
read -r _ || exit 1
# What this machine's programs have left open for their children is not for those in there.
for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
done
next=$1
shift
set -- setpriv --reuid 0 --regid 0 --clear-groups --pdeathsig KILL -- \
    unshare --mount --propagation private --pid --fork --kill-child --net --ipc --uts -- sh -c "$next" room "$@"
if keyctl session - true 2>/dev/null; then
    # The kernel keeps keys of a login for whatever it starts, whoever that is. These programs get an empty keyring.
    exec 3>&2
    exec keyctl session - sh -c 'exec 2>&3 3>&-; exec "$@"' sh "$@" 2>/dev/null
elif ! command -v keyctl >/dev/null; then
    echo "\`keyctl\` is missing: apt-get install keyutils" >&2
elif keyctl id @s >/dev/null 2>&1; then
    echo "no keyring can be made: as root raise \`sysctl kernel.keys.maxkeys\`" >&2
else
    # A container that allows no keyrings has none to reach either.
    exec "$@"
fi
exit 1
