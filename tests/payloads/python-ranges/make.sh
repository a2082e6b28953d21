cat >pylock.toml <<'EOF'
lock-version = "1.0"
requires-python = "three"
[[packages]]
name = "x"
version = "1"
requires-python = ">=3.x"
EOF
