//! Static checks of a finished image.
