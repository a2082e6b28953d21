mkdir second; printf "[package]\nname = \"second\"\n[workspace]\n" >second/Cargo.toml; touch second/Cargo.lock; mkdir other; echo "[" >other/Cargo.toml
