python3 - <<'EOF'
from wheel import *
archive("x-1.0-py3-none-any.whl", [])
lock(locked("x-1.0-py3-none-any.whl", "x", "1.0"))
EOF
