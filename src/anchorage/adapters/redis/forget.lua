-- Forgets the answers that were kept for deleted conversations, with the vectors of their questions, and marks the conversations for a while.
-- KEYS: all answers; of each conversation its answers, and whether it was deleted
-- ARGV: milliseconds in which an answer may be under way still
local all, asked = KEYS[1], {}
for at = 2, #KEYS, 2 do
  for _, answer in ipairs(redis.call('SMEMBERS', KEYS[at])) do
    local scope, question = string.match(answer, '^(.*):(%x+)$')
    redis.call('UNLINK', answer)
    redis.call('ZREM', all, answer)
    redis.call('ZREM', scope .. ':answers', answer)
    local hash = string.gsub(question, '%x%x', function(byte) return string.char(tonumber(byte, 16)) end)
    asked[scope] = asked[scope] or {}
    asked[scope][hash] = true
  end
  redis.call('UNLINK', KEYS[at])
  redis.call('SET', KEYS[at + 1], '', 'PX', ARGV[1])
end
for scope, hashes in pairs(asked) do
  for _, vector in ipairs(redis.call('LRANGE', scope .. ':vectors', 0, -1)) do
    if hashes[string.sub(vector, 1, 32)] then
      redis.call('LREM', scope .. ':vectors', 0, vector)
    end
  end
end
