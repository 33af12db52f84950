-- One route of the API on random apps: wrk -s api.lua URL -- METHOD PATH [BODY] [HEADER VALUE]…
-- In PATH and BODY, {app} is an app's name and {n} a number that no request had before.
dofile("dev/bench/report.lua")

local apps = tonumber(os.getenv("BENCH_APPS"))
local method, path, body, headers, count = "GET", "/", "", {}, 0

init = function(arguments)
    method, path, body = arguments[1], arguments[2], arguments[3] or ""
    headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
    headers["Host"] = os.getenv("BENCH_HOST")
    if body ~= "" then headers["Content-Type"] = "application/json" end
    for i = 4, #arguments, 2 do headers[arguments[i]] = arguments[i + 1] end
    math.randomseed(os.time())
end

request = function()
    count = count + 1
    local values = { app = "app-" .. math.random(apps), n = tostring(math.random(1, 2 ^ 30)) .. "-" .. count }
    return wrk.format(method, (path:gsub("{(%w+)}", values)), headers, (body:gsub("{(%w+)}", values)))
end
