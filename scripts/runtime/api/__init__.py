"""The service over HTTP: one router a noun, and what all of them share."""
