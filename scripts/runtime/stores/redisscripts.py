"""What happens in Redis in one step, in its own language; the last argument of each is `again`.

`again` is `1` when the script may have been run before, by someone who did not get the answer.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple


class Script(NamedTuple):
    """A Lua script, and the name that a server which has seen it knows it by."""

    sha: str
    source: str


def script(source: str) -> Script:
    """`source` with its name."""
    return Script(hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(), source)


# KEYS: hash, stream. ARGV: key, entry without its number, op, seconds to live, token, again.
# Returns the number of the write, 0 for a deletion of nothing. What may have been done is looked
# for by its token. The ids of the stream are the numbers: a scope whose hash the server evicted
# goes on where its history stands. `#life` is another one for each hash that there is in time.
WRITE: Final = script("""
local memory, history = KEYS[1], KEYS[2]
local key, body, op, ttl, token = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if ARGV[6] == '1' then
  local from = '+'
  for _ = 1, 20 do
    local page = redis.call('XREVRANGE', history, from, '-', 'COUNT', 50)
    for _, found in ipairs(page) do
      if found[2][4] == token then return tonumber(string.match(found[1], '^%d+')) end
    end
    if #page < 50 then break end
    from = '(' .. page[50][1]
  end
end
if op == 'delete' and redis.call('HEXISTS', memory, key) == 0 then return 0 end
local seq = redis.pcall('HINCRBY', memory, '#seq', 1)
if type(seq) == 'table' then
  if string.find(seq.err, 'not an integer') then return redis.error_reply('DAMAGED #seq') end
  return seq
end
if seq == 1 then
  redis.call('HSET', memory, '#life', token)
  local last = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
  if last then
    seq = tonumber(string.match(last[1], '^%d+')) + 1
    redis.call('HSET', memory, '#seq', string.format('%.0f', seq))
  end
end
local number = string.format('%.0f', seq)
local entry = '{"seq":' .. number .. body
if op == 'delete' then
  redis.call('HDEL', memory, key)
else
  redis.call('HSET', memory, key, entry)
end
redis.call('XADD', history, 'MAXLEN', '=', '1000', number .. '-0', 'entry', entry, 'token', token)
if ttl > 0 then
  redis.call('EXPIRE', memory, ttl)
  redis.call('EXPIRE', history, ttl)
else
  redis.call('PERSIST', memory)
  redis.call('PERSIST', history)
end
return seq
""")

# KEYS: hash, stream, both of a restore that is being built. ARGV: the last number, seconds to
# live, token, then key, number, entry for each write, and again. A key is empty where the hash
# does not get the write, a number where the stream does not.
BUILD: Final = script("""
local memory, history = KEYS[1], KEYS[2]
redis.call('HSET', memory, '#seq', ARGV[1], '#life', ARGV[3])
for place = 4, #ARGV - 1, 3 do
  local key, number, entry = ARGV[place], ARGV[place + 1], ARGV[place + 2]
  if key ~= '' then redis.call('HSET', memory, key, entry) end
  if number ~= '' then
    local done = redis.pcall('XADD', history, number .. '-0', 'entry', entry, 'token', '')
    if done.err and ARGV[#ARGV] == '0' then return done end
  end
end
redis.call('EXPIRE', memory, ARGV[2])
redis.call('EXPIRE', history, ARGV[2])
return 1
""")

# KEYS: hash and stream that were built, hash and stream that they replace. ARGV: seconds to live,
# how many writes there are, again.
SWAP: Final = script("""
local ttl = tonumber(ARGV[1])
for place = 1, 2 do
  local new, old = KEYS[place], KEYS[place + 2]
  if ARGV[2] == '0' then
    redis.call('DEL', old)
  elseif redis.call('EXISTS', new) == 1 then
    redis.call('RENAME', new, old)
    if ttl > 0 then redis.call('EXPIRE', old, ttl) else redis.call('PERSIST', old) end
  elseif ARGV[3] == '0' then
    return redis.error_reply('ERR what was to be put in place is gone')
  end
end
return 1
""")

# KEYS: two, as WRITE has them: a cluster takes a write of one and refuses those of two. ARGV:
# seconds to live, again.
PROBE: Final = script("""
for place = 1, 2 do
  redis.call('SET', KEYS[place], '1', 'EX', ARGV[1])
end
return 1
""")
