mkdir app; echo text >app/text
mkdir outside; echo secret >outside/secret; ln -s ../outside app/dir; mkdir app/sub; ln -s ../dir/secret app/sub/link
