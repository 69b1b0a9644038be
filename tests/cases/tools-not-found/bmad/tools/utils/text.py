def split(text: str) -> list[str]:
    """Split."""
    return text.split()
