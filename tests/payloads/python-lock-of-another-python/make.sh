python3 - <<'EOF'
from wheel import *
lock(wheel("x"), head='requires-python = ">=3.12"\n')
EOF
