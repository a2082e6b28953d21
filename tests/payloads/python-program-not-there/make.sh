python3 - <<'EOF'
from wheel import *
lock(wheel("x", commands="run = x:main"))
EOF
