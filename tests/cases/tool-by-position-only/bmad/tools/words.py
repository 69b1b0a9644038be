def count(text: str, /, *, longest: int = 3) -> int:
    return len(text)
