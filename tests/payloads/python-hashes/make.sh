cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "x"
version = "1"
wheels = [
    { url = "https://example.org/x-1-py3-none-any.whl" },
    { url = "https://example.org/x-1-py3-none-any.whl", hashes = {} },
    { url = "https://example.org/x-1-py3-none-any.whl", hashes = { md5 = "d41d8cd98f00b204e9800998ecf8427e" } },
    { url = "https://example.org/x-1-py3-none-any.whl", hashes = { sha256 = "abc" } },
    { url = "https://example.org/x-1-py3-none-any.whl", hashes = { sha256 = "gggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggggg" } },
]
EOF
