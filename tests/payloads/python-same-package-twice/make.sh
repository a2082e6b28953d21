python3 - <<'EOF'
from wheel import *
lock(wheel("x"), wheel("x", "2.0"))
EOF
