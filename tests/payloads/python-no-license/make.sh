python3 - <<'EOF'
from wheel import *
lock(wheel("x", license=""), wheel("y", license="UNKNOWN"), wheel("z"))
EOF
