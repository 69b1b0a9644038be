def f(text: str) -> str:
    return (text
