printf '\377' >pylock.toml
