//! Nothing that a catalog holds changes anything but its own field.
