python3 - <<'EOF'
from wheel import *
lock(wheel("x", files=[("a", "1")]), wheel("y", files=[("a/b", "2")]))
EOF
