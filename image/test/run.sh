# Runs the probes of the boot test in order, and reports each result to the host as a line of JSON.
set -u
here=/run/boot-test

# Converts stdin to a JSON string; drops characters that are invalid in JSON.
text() {
    tr -d '\000-\010\013-\037\177' | sed -e 's/[\\"]/\\&/g' -e 's/	/\\t/g' -e ':all' -e 'N' -e '$!b all' -e 's/\n/\\n/g'
}

report=$(cat $here/device)
udevadm wait --timeout=300 "$report"
exec 3>"$report"
if [ -t 3 ]; then
    stty -F "$report" raw -echo
fi

# The kernel command line names the phase, which selects the probes to run.
phase=$(sed -n 's/.*boot-test=\([a-z]*\).*/\1/p' /proc/cmdline)
for probe in "$here/$phase"/*.sh; do
    user=$(cat "${probe%.sh}.user" 2>/dev/null)
    if [ -n "$user" ]; then
        runuser -u "$user" -- sh "$probe" </dev/null >$here/output 2>&1 3>&-
    else
        sh "$probe" </dev/null >$here/output 2>&1 3>&-
    fi
    exit=$?
    name=${probe##*/???-}
    # Add a line, so that sed always has two to join.
    said=$( (cat $here/output; echo; echo) | text)
    printf '{"probe":"%s","exit":%d,"output":"%s"}\n' "${name%.sh}" $exit "$said" >&3
done
# Save everything, however the machine is shut down.
sync
printf '{"end":true}\n' >&3
