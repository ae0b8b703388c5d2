"""A Postgres server of our own, shared by all processes that use one data directory."""
