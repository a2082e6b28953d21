python3 - <<'EOF'
from wheel import *
lock(wheel("x"), head='environments = ["sys_platform == \'darwin\'"]\n')
EOF
