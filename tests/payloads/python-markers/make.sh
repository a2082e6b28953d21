cat >pylock.toml <<'EOF'
lock-version = "1.0"
[[packages]]
name = "x"
version = "1"
marker = "python_version <"
[[packages]]
name = "x"
version = "1"
marker = "python < '3'"
[[packages]]
name = "x"
version = "1"
marker = "'x' in extras"
[[packages]]
name = "x"
version = "1"
marker = "((((((((((((((((((((((((((((((((((((((((((((((((((os_name == 'x'))))))))))))))))))))))))))))))))))))))))))))))))))"
[[packages]]
name = "x"
version = "1"
marker = "os_name == 'x' or"
EOF
