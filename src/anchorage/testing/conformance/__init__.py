"""One suite for each port. A test module of an adapter subclasses a suite and gives it a fixture that makes the adapter."""
