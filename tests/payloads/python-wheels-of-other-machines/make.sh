python3 - <<'EOF'
from wheel import *
lock(*(wheel("x%d" % i, tag=tag) for i, tag in enumerate([
    "cp311-cp311-manylinux_2_17_x86_64",
    "cp310-cp310-manylinux_2_17_x86_64",
    "cp313-cp313t-manylinux_2_17_x86_64",
    "py3-none-macosx_11_0_arm64",
    "py3-none-musllinux_1_2_x86_64",
    "py3-none-manylinux_2_99_x86_64",
    "py2-none-any",
])))
EOF
