cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]
EOF
