# Downloads the packages that `apt-get full-upgrade` needs for a root file system, with the settings of the host's apt. Arguments: the
# folder with `sources.list`, the root, and the keyring of the archive.
set -eu
cd "$1"
mkdir -p lists/partial archives/partial
apt() {
    apt-get -q -y -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::trusted="$keyring" \
        -o Dir::State::lists="$PWD/lists" -o Dir::State::status="$root/var/lib/dpkg/status" \
        -o Dir::State::extended_states="$root/var/lib/apt/extended_states" -o Dir::Cache::archives="$PWD/archives" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}
root=$2 keyring=$3
apt update
apt --download-only full-upgrade
