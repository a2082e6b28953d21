mkdir app; echo text >app/text
ln -s nothing app/link
