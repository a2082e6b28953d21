python3 - <<'EOF'
from wheel import *
lock(wheel("x", files=[("a.py", "1"), ("b.py", "same")]), wheel("y", files=[("a.py", "2"), ("b.py", "same")]))
EOF
