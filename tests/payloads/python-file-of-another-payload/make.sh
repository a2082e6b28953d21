mkdir files; echo text >files/pyvenv.cfg
python3 - <<'EOF'
from wheel import *
lock(wheel("x"))
EOF
