# shellcheck shell=sh
# Part of rovi-services: gives a shell the environment that the services have. In ~/.bashrc:
#
#     export ROVI_ENV=robot
#     . /usr/share/rovi/rovi_env.sh
#
# ROVI_ENV is one of: robot, pc. To be sourced by a POSIX shell. The file is read by run_stack, not
# by the shell: systemd takes every value literally, a shell would expand it.
case "${ROVI_ENV-}" in
robot | pc)
    if ROVI_ENV_exports=$(/usr/libexec/rovi/run_stack --export "/etc/rovi/.env.$ROVI_ENV"); then
        eval "$ROVI_ENV_exports"
        unset ROVI_ENV_exports
    else
        unset ROVI_ENV_exports
        return 78
    fi
    ;;
*)
    printf '%s\n' "error: ROVI_ENV is \"${ROVI_ENV-}\": it names no role: set it to robot or pc" >&2
    return 78
    ;;
esac
