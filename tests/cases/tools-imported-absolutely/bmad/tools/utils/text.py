import json
import words
from utils.more import count
from .more import count as same


def split(text: str) -> list[str]:
    return [text, json.dumps(words.x), str(count), str(same)]
