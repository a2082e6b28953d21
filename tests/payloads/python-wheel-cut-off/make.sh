python3 - <<'EOF'
from wheel import *
wheel("x")
path = "x-1.0-py3-none-any.whl"
content = open(path, "rb").read()
open(path, "wb").write(content[:200] + content[260:])
lock(locked(path, "x", "1.0"))
EOF
