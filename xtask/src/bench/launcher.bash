# A typical launcher script without run_stack. It does not source setup scripts, which would take the same time on both
# sides. Arguments: a folder for the lock, `exec` or `stay`, the command. With `stay`, the script cleans up after the
# launch; with `exec`, it is faster.
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
