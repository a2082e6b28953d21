cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "webrtcvad"
version = "2.0.10"
sdist = { url = "https://example.org/webrtcvad-2.0.10.tar.gz", hashes = { sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } }
EOF
