mkdir agent; echo "[package" >agent/Cargo.toml
