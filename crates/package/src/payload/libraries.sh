#!/bin/sh
# Writes libraries.txt: which Debian packages have a shared library, by its name, in the releases that images are made
# of. A library is known by the shortest name that its package gives it: `libz.so.1`, not `libz.so.1.2.13`.
set -eu
cd "$(dirname "$0")"
for suite in bookworm trixie; do
    curl --fail --silent --show-error --location \
        "https://deb.debian.org/debian/dists/$suite/main/Contents-amd64.gz" | zcat
done | awk '
    match($1, /^(usr\/)?lib\/x86_64-linux-gnu\/lib[^\/]+\.so\.[0-9][0-9.]*$/) {
        name = $1
        sub(/.*\//, "", name)
        base = name
        sub(/\.so\..*/, "", base)
        count = split($2, packages, ",")
        for (i = 1; i <= count; i++) {
            package = packages[i]
            sub(/.*\//, "", package)
            key = package " " base
            if (!(key in short) || length(name) < length(short[key])) short[key] = name
        }
    }
    END {
        for (key in short) {
            split(key, parts, " ")
            print short[key], parts[1]
        }
    }' | LC_ALL=C sort -u | awk '
    $1 != last { if (NR > 1) printf "\n"; printf "%s", $1; last = $1 }
    { printf " %s", $2 }
    END { printf "\n" }' >libraries.txt
