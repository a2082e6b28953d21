# Sources the scripts named by the arguments and leaves the resulting environment on standard output, NUL-separated.
# run_stack gives this to `bash -c`; one NUL goes ahead for each script that succeeded.
#
# Scripts may print: their output goes to standard error. They may look at their arguments, so they get none. They
# are ordinary ones, which do not survive `set -eu`.
__run_stack_setup=("$@")
set --
exec 9>&1 >&2
for __run_stack_script in "${__run_stack_setup[@]}"; do
  # shellcheck disable=SC1090 # which ones is the point
  source "$__run_stack_script" || exit
  printf '\0' >&9
done
unset __run_stack_setup __run_stack_script
exec /usr/bin/env -0 >&9 9>&-
