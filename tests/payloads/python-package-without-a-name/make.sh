cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
version = "1"
EOF
