mkdir app; echo text >app/text
cp /bin/true app/root; chmod 4755 app/root
