cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "x"
version = "1"
wheels = [
    { url = "http://example.org/x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { url = "file:///etc/x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { url = "https://example.org/a b/x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { url = "https://example.org/\n/x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { path = "../x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { path = "/etc/x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { name = "x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
    { url = "https://example.org/x-1-py3-none-any.whl", path = "x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
]
EOF
