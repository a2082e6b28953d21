mkdir app agent; echo text >app/agent; printf "[package]\nname = \"agent\"\n[workspace]\n" >agent/Cargo.toml; touch agent/Cargo.lock
