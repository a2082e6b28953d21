mkdir app; echo text >app/text
python3 - <<"EOF"
import os
os.chdir("app")
for i in range(17):
    os.mkdir("d" * 240)
    os.chdir("d" * 240)
open("f", "w")
EOF
