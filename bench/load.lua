-- One load of load.ts, sent by wrk. Arguments: method, path, range, host and headers, body, image file, bytes of the stamp,
-- where the stamp begins from the end. The last three only with an image.
local count = 0

local function filler(template, range)
  if not template:find("{[nr]}") then return function() return template end end
  return function()
    local text = template:gsub("{n}", tostring(count))
    return (text:gsub("{r}", function() return tostring(math.random(0, range - 1)) end))
  end
end

local function read(path, format)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read(format)
  file:close()
  return bytes
end

init = function(args)
  local method, path, range, headers, body, image = unpack(args)
  local seed = read("/dev/urandom", 4)
  math.randomseed(seed:byte(1) + 256 * seed:byte(2) + 65536 * seed:byte(3))
  local pathOf = filler(path, tonumber(range))
  local bodyOf = filler(body, tonumber(range))
  if image == nil then
    request = function()
      local text = bodyOf()
      local length = text == "" and "" or "Content-Length: " .. #text .. "\r\n"
      local whole = method .. " " .. pathOf() .. " HTTP/1.1\r\n" .. headers .. length .. "\r\n" .. text
      count = count + 1
      return whole
    end
    return
  end
  local bytes = read(image, "*a")
  local stamp, fromEnd = tonumber(args[7]), tonumber(args[8])
  local before, after = bytes:sub(1, -fromEnd - 1), bytes:sub(stamp - fromEnd)
  local run = string.format("%08x", math.random(0, 0x7fffffff))
  local rest = " HTTP/1.1\r\n" .. headers .. "Content-Length: " .. #bytes .. "\r\n\r\n" .. before .. run
  local counter = "%0" .. stamp - #run .. "x"
  request = function()
    local whole = method .. " " .. pathOf() .. rest .. counter:format(count) .. after
    count = count + 1
    return whole
  end
end

-- The figures as one line of JSON. wrk counts in microseconds, and as errors all but 2xx and 3xx.
done = function(summary, latency)
  local errors = {}
  for kind, number in pairs(summary.errors) do
    if number > 0 then errors[#errors + 1] = string.format('"%s":%d', kind, number) end
  end
  local seconds = summary.duration / 1e6
  local percentiles = {}
  for name, percent in pairs({p50 = 50, p75 = 75, p90 = 90, p99 = 99, p999 = 99.9}) do
    percentiles[#percentiles + 1] = string.format('"%s":%f', name, latency:percentile(percent) / 1e3)
  end
  io.write(string.format('\n{"requests":%d,"seconds":%f,"perSecond":%f,%s,"errors":{%s}}\n',
    summary.requests, seconds, summary.requests / seconds, table.concat(percentiles, ","), table.concat(errors, ",")))
end
