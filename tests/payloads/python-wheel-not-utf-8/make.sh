python3 - <<'EOF'
from wheel import *
archive("x-1.0-py3-none-any.whl", [("x-1.0.dist-info/WHEEL", ""), ("x/abc", "text")])
content = open("x-1.0-py3-none-any.whl", "rb").read()
open("x-1.0-py3-none-any.whl", "wb").write(content.replace(b"x/abc", b"x/a\xff\xfe"))
lock(locked("x-1.0-py3-none-any.whl", "x", "1.0"))
EOF
