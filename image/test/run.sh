# Runs the probes of the boot test in their order, and reports each as a line of JSON to the host.
set -u
here=/run/boot-test

# A string of JSON: what JSON has no place for is left out.
text() {
    tr -d '\000-\010\013-\037\177' | sed -e 's/[\\"]/\\&/g' -e 's/	/\\t/g' -e ':all' -e 'N' -e '$!b all' -e 's/\n/\\n/g'
}

report=$(cat $here/device)
udevadm wait --timeout=300 "$report"
exec 3>"$report"
if [ -t 3 ]; then
    stty -F "$report" raw -echo
fi

# The host says on the kernel's command line which questions it has this time.
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
    # One more line, so that sed has two to join.
    said=$( (cat $here/output; echo; echo) | text)
    printf '{"probe":"%s","exit":%d,"output":"%s"}\n' "${name%.sh}" $exit "$said" >&3
done
# Nothing that was written may depend on how the machine ends.
sync
printf '{"end":true}\n' >&3
