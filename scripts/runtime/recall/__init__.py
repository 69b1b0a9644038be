"""Recall: what an agent remembers that fits what it is about to do."""
