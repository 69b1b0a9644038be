def split_into_chunks(text: str, size: int = 1000) -> list[str]:
    """Split a text into chunks of at most `size` characters."""
    return [text[start : start + size] for start in range(0, len(text), size)]
