# Benchmarks mmdebstrap with the same packages and an emulator, as its man page recommends. Its mounts end with this process.
# Arguments: OUT SUITE ARCHITECTURE EMULATOR NAMES MIRROR-LINE… The variable DPKG_OPTIONS lists path exclusions, one per
# line.
set -eu
out=$1 suite=$2 architecture=$3 emulator=$4 names=$5
shift 5
list=/proc/sys/fs/binfmt_misc
if [ ! -e "$list/register" ]; then
    mount -t binfmt_misc binfmt_misc "$list"
fi
if [ ! -e "$list/$emulator" ]; then
    # The file has one of two names, depending on the version of Debian's emulator.
    for file in "/usr/lib/binfmt.d/$emulator.conf" "/usr/lib/binfmt.d/$emulator-static.conf"; do
        if [ -e "$file" ]; then
            cat "$file" > "$list/register"
            break
        fi
    done
fi
set -f
options=
IFS='
'
for pattern in $DPKG_OPTIONS; do
    options="$options
--dpkgopt=$pattern"
done
exec mmdebstrap --quiet --mode=root --variant=apt --architectures="$architecture" --include="$names" $options \
    --aptopt='APT::Install-Recommends "false"' --skip=check/qemu --format=tar "$suite" "$out" "$@"
