"""All parts, one after another: `python -m bench [--quick] [--rounds N]`."""

from __future__ import annotations

import sys

from . import flow, generate, http, recall, redis_store, sample, service, store, stream


def main() -> None:
    """The same options go to every part; a JSON file is asked of a part by itself."""
    if any(argument.startswith("--json") for argument in sys.argv[1:]):
        sys.exit("bench: --json belongs to one part: python -m bench.flow --json FILE")
    for part in (generate, flow, sample, http, stream, service, store, redis_store, recall):
        part.main(sys.argv[1:])


if __name__ == "__main__":
    main()
