"""Memory and documents: where what was learned and written is kept."""
