python3 - <<'EOF'
from wheel import *
line = wheel("x")
lock(line)
open("x-1.0-py3-none-any.whl", "ab").write(b"more")
EOF
