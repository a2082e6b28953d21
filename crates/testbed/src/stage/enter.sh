# Runs a command in a new cgroup below the stage's cgroup. Arguments: the cgroup, the command.
set -eu
mkdir "$1"
echo $$ >"$1/cgroup.procs"
shift
exec "$@"
