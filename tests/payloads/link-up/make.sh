mkdir app; echo text >app/text
ln -s ../../../../etc/shadow app/link
