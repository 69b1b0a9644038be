"""What `bench.store` measures, a module a store."""
