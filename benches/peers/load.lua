-- For wrk: the paths that it is given, in turn; at the end one line of JSON.
local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(paths)
    asked, all, statuses = 0, paths, {}
end

function request()
    asked = asked + 1
    return wrk.format("GET", all[asked % #all + 1])
end

function response(status)
    statuses[status] = (statuses[status] or 0) + 1
end

function done(summary, latency)
    local counts = {}
    for _, thread in ipairs(threads) do
        for status, count in pairs(thread:get("statuses")) do
            counts[status] = (counts[status] or 0) + count
        end
    end
    local words = {}
    for status, count in pairs(counts) do
        table.insert(words, string.format('"%d": %d', status, count))
    end
    local errors = summary.errors
    io.write(string.format('{"median": %d, "p99": %d, "requests": %d, "duration": %d, "broken": %d, "statuses": {%s}}\n',
        latency:percentile(50), latency:percentile(99), summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.timeout, table.concat(words, ", ")))
end
