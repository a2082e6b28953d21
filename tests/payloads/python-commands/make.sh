python3 - <<'EOF'
from wheel import *
lock(wheel("x", commands="../x = x:main\n.x = x:main\n-x = x:main"), wheel("y", commands="a b = y:main"))
EOF
