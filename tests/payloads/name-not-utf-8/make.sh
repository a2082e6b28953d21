mkdir app; echo text >app/text
touch "$(printf 'app/\377')"
