mkdir app; echo text >app/text
mknod app/null c 1 3
