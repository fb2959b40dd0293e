-- Arguments, where there are any: a path with {r} in it, and what its random number is below.
init = function(args)
  if #args == 0 then return end
  local before, after = args[1]:match("^(.*){r}(.*)$")
  local range = tonumber(args[2])
  math.randomseed(os.time())
  request = function() return wrk.format("GET", before .. math.random(0, range - 1) .. after) end
end

-- The figures of a wrk run as one line of JSON. wrk counts in microseconds, and as errors all but 2xx and 3xx.
done = function(summary, latency)
  local errors = {}
  for kind, count in pairs(summary.errors) do
    if count > 0 then errors[#errors + 1] = string.format('"%s":%d', kind, count) end
  end
  local seconds = summary.duration / 1e6
  io.write(string.format('\n{"requests":%d,"seconds":%f,"perSecond":%f,"p50":%f,"p99":%f,"errors":{%s}}\n',
    summary.requests, seconds, summary.requests / seconds, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    table.concat(errors, ",")))
end
