mkdir app; echo text >app/text
touch "$(printf 'app/a\342\200\256txt')"
