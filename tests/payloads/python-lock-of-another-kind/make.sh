cat >pylock.toml <<'EOF'
version = 1
[[package]]
name = "x"
EOF
