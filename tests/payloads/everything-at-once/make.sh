mkdir app; echo text >app/text
mkfifo app/pipe; ln -s /etc app/link; printf tool >tool
