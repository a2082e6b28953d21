python3 - <<'EOF'
from wheel import *
archive("x-1.0-py3-none-any.whl", [
    ("x-1.0.dist-info/WHEEL", ""),
    ("x-1.0.dist-info/METADATA", "License: MIT\n"),
    ("x/a\u202etxt", "text"),
])
lock(locked("x-1.0-py3-none-any.whl", "x", "1.0"))
EOF
