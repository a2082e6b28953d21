mkdir app; echo text >app/text
truncate --size 5G app/image
