# Sources the scripts given as arguments, then prints the resulting environment to standard output, NUL-separated.
# run_stack passes this script to `bash -c`. It prints one NUL for each script that succeeded, before the environment.
#
# Output of the scripts goes to standard error. The scripts get no arguments, because some of them evaluate arguments.
# No `set -eu`: setup scripts of ROS do not work with it.
__run_stack_setup=("$@")
set --
exec 9>&1 >&2
for __run_stack_script in "${__run_stack_setup[@]}"; do
  # shellcheck disable=SC1090 # the scripts are arguments
  source "$__run_stack_script" || exit
  printf '\0' >&9
done
unset __run_stack_setup __run_stack_script
exec /usr/bin/env -0 >&9 9>&-
