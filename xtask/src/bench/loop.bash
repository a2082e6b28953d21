# A typical readiness loop: loop.bash PORT COMMAND. It checks ten times a second whether the port is open.
port=$1
shift
"$@" &
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.1; done
systemd-notify --ready
wait
