mkdir app; echo text >app/text
ln -s one app/two; ln -s two app/one
