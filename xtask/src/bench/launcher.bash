# What everybody writes who has no run_stack, without the sourcing, which costs both sides the same. Arguments: a folder
# for the lock, `exec` or `stay`, the command. One that stays can clean up after the launch; one that does not is
# quicker.
exec 9>>"$1/lock"
flock --nonblock 9 || exit 75
cd "$1" || exit 78
if [ "$2" = exec ]; then
    exec "${@:3}"
fi
trap 'rm -f current_launch' EXIT
trap : INT
echo launch >current_launch
"${@:3}" 9>&-
