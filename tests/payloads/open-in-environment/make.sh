mkdir app; echo text >app/text
