"""Each dialect turns its files' YAML into the one model."""
