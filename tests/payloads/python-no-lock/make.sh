python3 - <<'EOF'
from wheel import *
lock(wheel("x"))
EOF
