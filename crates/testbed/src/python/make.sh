# Creates a virtual environment for the test machine's Python, using the host's pip. Arguments: the folder to create, the
# machine's root, the path of the environment on the machine, the requirements file.
set -eu
folder=$1 root=$2 place=$3 requirements=$4
version=$(readlink "$root/usr/bin/python3")
home=$folder$place
packages=$home/lib/$version/site-packages

pip() {
    PIP_ROOT_USER_ACTION=ignore python3 -m pip --quiet --disable-pip-version-check --no-input "$@"
}

# Source distributions are pure Python, and the host builds them. Binary wheels must match the machine's Python.
mkdir -p "$home/bin"
pip wheel --wheel-dir "$folder/wheels" --no-deps --requirement "$requirements"
pip install --no-deps --no-compile --target "$packages" --python-version "${version#python}" --implementation cp \
    --only-binary=:all: --find-links "$folder/wheels" --requirement "$requirements"
rm -r "$folder/wheels"

ln -s /usr/bin/python3 "$home/bin/python3"
echo 'home = /usr/bin' >"$home/pyvenv.cfg"
for script in "$packages"/bin/*; do
    sed "1s,.*,#!$place/bin/python3," "$script" >"$home/bin/${script##*/}"
    chmod 755 "$home/bin/${script##*/}"
done
rm -r "$packages/bin"

# Compile once here, instead of at every start on the machine.
exec unshare --mount --propagation private sh -c '
    mount --bind "$1$3" "$2/mnt"
    exec chroot "$2" python3 -m compileall -q -s /mnt -p "$3" /mnt/lib
' sh "$folder" "$root" "$place"
