mkdir agent; echo "[workspace]" >agent/Cargo.toml
