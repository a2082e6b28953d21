cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "x"
version = "1"
wheels = [
    { url = "https://example.org/x-1.tar.gz", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { path = "x-1-py3-none-any.zip", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { url = "https://example.org/y-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { path = "", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { name = "../x-1-py3-none-any.whl", url = "https://example.org/x", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
]
EOF
