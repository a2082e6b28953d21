python3 - <<'EOF'
from wheel import *
import struct
archive("x-1.0-py3-none-any.whl", [("x-1.0.dist-info/WHEEL", ""), ("x/zeros", "\0" * 1000000)])
content = open("x-1.0-py3-none-any.whl", "rb").read()
open("x-1.0-py3-none-any.whl", "wb").write(content.replace(struct.pack("<I", 1000000), struct.pack("<I", 10)))
lock(locked("x-1.0-py3-none-any.whl", "x", "1.0"))
EOF
