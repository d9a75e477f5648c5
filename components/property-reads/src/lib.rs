//! Stub until the component lands.
