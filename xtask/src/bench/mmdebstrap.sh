# The other side: the same packages by mmdebstrap with an emulator, as its manual page says it is done. In mounts of its
# own, which end with it. OUT SUITE ARCHITECTURE EMULATOR NAMES MIRROR-LINE…; what is left out comes by DPKG_OPTIONS.
set -eu
out=$1 suite=$2 architecture=$3 emulator=$4 names=$5
shift 5
list=/proc/sys/fs/binfmt_misc
if [ ! -e "$list/register" ]; then
    mount -t binfmt_misc binfmt_misc "$list"
fi
if [ ! -e "$list/$emulator" ]; then
    # Debian's emulators have named it both ways.
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
