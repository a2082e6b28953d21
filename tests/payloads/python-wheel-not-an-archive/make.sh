python3 - <<'EOF'
from wheel import *
open("x-1.0-py3-none-any.whl", "w").write("<html>")
lock(locked("x-1.0-py3-none-any.whl", "x", "1.0"))
EOF
