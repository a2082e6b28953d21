cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "x"
version = "1"
wheels = [
    { path = "x-1-py3-none-any.whl", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } },
]
EOF
