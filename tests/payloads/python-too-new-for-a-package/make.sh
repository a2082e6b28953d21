python3 - <<'EOF'
from wheel import *
lock(wheel("x", more='requires-python = ">=3.12"\n'))
EOF
