python3 - <<'EOF'
from wheel import *
lock(wheel("x", tag="cp310-cp310-linux_x86_64"), wheel("y", more='marker = "?"\n'), head='requires-python = "3"\n')
EOF
