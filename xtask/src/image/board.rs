//! Boards: takes `image/boards/*.toml`, makes validated boards.
