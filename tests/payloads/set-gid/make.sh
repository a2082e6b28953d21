mkdir app; echo text >app/text
cp /bin/true app/group; chmod 2755 app/group
