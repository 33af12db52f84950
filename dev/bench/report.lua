-- One line for the script: requests, requests/s, p50 and p99 in ms, failed requests.
done = function(summary, latency)
    local e = summary.errors
    print(string.format("RESULT %d %.1f %.3f %.3f %d", summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end
