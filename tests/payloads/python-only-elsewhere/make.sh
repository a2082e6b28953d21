cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "a"
version = "1"
vcs = { type = "git", url = "https://example.org/a", commit-id = "1" }
[[packages]]
name = "b"
version = "1"
directory = { path = "b" }
[[packages]]
name = "c"
version = "1"
archive = { path = "c.zip", hashes = {} }
EOF
