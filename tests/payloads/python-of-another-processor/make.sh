python3 - <<'EOF'
from wheel import *
import struct
header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 243, 1, 0, 0, 0, 0, 64, 0, 0, 64, 0, 0)
lock(wheel("x", files=[("x.so", header), ("y.so", header[:40])]))
EOF
