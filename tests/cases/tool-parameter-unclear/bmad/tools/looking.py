from pathlib import Path


def look(where: Path, how, many: int = 3) -> str:
    """Look somewhere."""
    return f"{where} {how} {many}"
