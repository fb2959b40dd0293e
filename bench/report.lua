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
