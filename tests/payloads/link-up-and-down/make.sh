mkdir app; echo text >app/text
mkdir app/sub; ln -s ../../app/text app/sub/link
