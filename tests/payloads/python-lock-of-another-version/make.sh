cat >pylock.toml <<'EOF'
lock-version = "2.0"
EOF
