mkdir app; echo text >app/text
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('app/socket')"
