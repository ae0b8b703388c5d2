-- Forgets the answers that were kept for deleted conversations, with the vectors of their questions, and marks the conversations for a while.
-- KEYS: all answers; of each conversation its answers, and whether it was deleted
-- ARGV: milliseconds in which an answer may be under way still
local all = KEYS[1]
for at = 2, #KEYS, 2 do
  for _, answer in ipairs(redis.call('SMEMBERS', KEYS[at])) do
    local scope, question = string.match(answer, '^(.*):(%x+)$')
    redis.call('UNLINK', answer)
    redis.call('ZREM', all, answer)
    redis.call('ZREM', scope .. ':answers', answer)
    for _, vector in ipairs(redis.call('LRANGE', scope .. ':vectors', 0, -1)) do
      local hash = string.gsub(string.sub(vector, 1, 32), '.', function(byte) return string.format('%02x', string.byte(byte)) end)
      if hash == question then
        redis.call('LREM', scope .. ':vectors', 0, vector)
      end
    end
  end
  redis.call('UNLINK', KEYS[at])
  redis.call('SET', KEYS[at + 1], '', 'PX', ARGV[1])
end
