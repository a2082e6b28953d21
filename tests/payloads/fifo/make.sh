mkdir app; echo text >app/text
mkfifo app/pipe
