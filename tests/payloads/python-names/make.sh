cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "../x"
version = "1"
[[packages]]
name = ""
version = "1"
[[packages]]
name = "-r"
version = "1"
[[packages]]
name = "a\nb"
version = "1"
[[packages]]
name = "a b"
version = "1"
[[packages]]
name = "\u202ea"
version = "1"
EOF
