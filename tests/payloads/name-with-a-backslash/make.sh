mkdir app; echo text >app/text
touch 'app/a\b'
