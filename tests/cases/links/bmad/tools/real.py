def f() -> str:
    return ''
