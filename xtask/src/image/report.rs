//! What a build took and what is in the image: times, sizes, the biggest packages.
