cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "x"
version = "one"
[[packages]]
name = "x"
version = "1/2"
[[packages]]
name = "x"
version = ""
EOF
