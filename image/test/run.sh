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

for probe in "$here"/probe/*; do
    name=${probe##*/}
    if [ -e "$here/user/$name" ]; then
        runuser -u "$(cat "$here/user/$name")" -- sh "$probe" </dev/null >$here/output 2>&1 3>&-
    else
        sh "$probe" </dev/null >$here/output 2>&1 3>&-
    fi
    exit=$?
    # One more line, so that sed has two to join.
    printf '{"probe":"%s","exit":%d,"output":"%s"}\n' "${name#*-}" $exit "$( (cat $here/output; echo; echo) | text)" >&3
done
# Nothing that was written may depend on how the machine ends.
sync
printf '{"end":true}\n' >&3
