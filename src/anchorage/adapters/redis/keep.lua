-- Keeps an answer and forgets those of its family's other scopes, at once. All keys share a hash tag, so that one slot of a cluster has them.
-- KEYS: the answer, its scope's vectors, its scope's answers, its family's scopes, all answers; where a conversation is kept, its answers, and
-- whether it was deleted
-- ARGV: payload, milliseconds to keep it, now (ms), scope, prefix of the family's scopes, vector or "", vectors to keep, answers to keep
local answer, vectors, answers, scopes, all, mine, deleted = unpack(KEYS)
local payload, ttl, now, scope, prefix, vector, compared, most = unpack(ARGV)
if deleted and redis.call('EXISTS', deleted) == 1 then
  return
end
for _, other in ipairs(redis.call('SMEMBERS', scopes)) do
  if other ~= scope then
    for _, left in ipairs(redis.call('ZRANGE', prefix .. other .. ':answers', 0, -1)) do
      redis.call('UNLINK', left)
      redis.call('ZREM', all, left)
    end
    redis.call('UNLINK', prefix .. other .. ':answers', prefix .. other .. ':vectors')
    redis.call('SREM', scopes, other)
  end
end
redis.call('SET', answer, payload, 'PX', ttl)
if mine then
  redis.call('SADD', mine, answer)
  redis.call('PEXPIRE', mine, ttl)
end
redis.call('SADD', scopes, scope)
redis.call('PEXPIRE', scopes, ttl)
redis.call('ZREMRANGEBYSCORE', answers, '-inf', now)
redis.call('ZADD', answers, now + ttl, answer)
redis.call('PEXPIRE', answers, ttl)
if vector ~= '' then
  redis.call('LPUSH', vectors, vector)
  redis.call('LTRIM', vectors, 0, compared - 1)
  redis.call('PEXPIRE', vectors, ttl)
end
redis.call('ZREMRANGEBYSCORE', all, '-inf', now)
redis.call('ZADD', all, now + ttl, answer)
redis.call('PEXPIRE', all, ttl)
local over = redis.call('ZCARD', all) - most
if over > 0 then
  for _, left in ipairs(redis.call('ZRANGE', all, 0, over - 1)) do
    redis.call('UNLINK', left)
  end
  redis.call('ZREMRANGEBYRANK', all, 0, over - 1)
end
