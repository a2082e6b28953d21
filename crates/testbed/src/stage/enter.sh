# Runs a command in a new cgroup below a stage's own. Arguments: the cgroup, the command.
set -eu
mkdir "$1"
echo $$ >"$1/cgroup.procs"
shift
exec "$@"
