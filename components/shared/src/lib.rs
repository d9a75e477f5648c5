//! What two components would otherwise copy.
