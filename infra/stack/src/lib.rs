//! Starts what a developer or a test needs: Redis, PostgreSQL, a host.
