python3 - <<'EOF'
from wheel import *
lock(wheel("x", commands="run = x:main"), wheel("y", commands="run = y:main"))
EOF
