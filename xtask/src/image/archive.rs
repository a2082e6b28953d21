//! A distribution's archive: its signed index, its packages, and the files that a lock names.
