mkdir app; echo text >app/text
touch "$(printf 'app/a\nb')"
