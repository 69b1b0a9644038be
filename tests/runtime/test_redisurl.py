"""What of a Redis URL may be shown."""

from __future__ import annotations

import pytest

from scripts.runtime.redisurl import address, check_redis_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:canary@h", "redis://h:6379"),
        ("rediss://me:canary@h:6380/3?ssl_cert_reqs=none", "rediss://h:6380/3"),
        ("redis://me:can%40ary@[::1]:1/3?password=canary", "redis://[::1]:1/3"),
        ("redis:///2", "redis://localhost:6379/2"),
        ("unix:///run/redis.sock?password=canary&db=1", "unix:///run/redis.sock"),
        ("unix://me:canary@/run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_neither_user_nor_password_nor_options_are_shown(url: str, shown: str) -> None:
    check_redis_url(url)
    assert address(url) == shown
