mkdir agent; printf "[package]\nname = \"agent\"\n[workspace]\n" >agent/Cargo.toml
