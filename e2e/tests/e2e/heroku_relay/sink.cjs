// Loaded into the `heroku` CLI by a test: whatever it would send to another machine ends here, and is written down with
// whether the token is in it. The file is named by AMBO_TEST_SINK, the token by AMBO_TEST_TOKEN.
'use strict'
const dns = require('node:dns')
const fs = require('node:fs')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const {syncBuiltinESMExports} = require('node:module')

const near = /^(localhost|127\.0\.0\.1|::1|\[::1\]|[a-z0-9.-]*\.localhost)$/i

function caught(kind, host, all) {
  if (typeof host !== 'string' || host === '' || near.test(host)) return
  const token = JSON.stringify(all ?? '').includes(process.env.AMBO_TEST_TOKEN)
  fs.appendFileSync(process.env.AMBO_TEST_SINK, `${kind} ${host} ${token ? 'token' : 'nothing'}\n`)
  const error = new Error(`the sink has caught a request to ${host}`)
  error.code = 'ESINK'
  throw error
}

function hostOf(target) {
  if (target instanceof URL) return target.hostname
  if (typeof target === 'string') return URL.canParse(target) ? new URL(target).hostname : undefined
  if (!target || typeof target !== 'object') return undefined
  const host = target.hostname || target.host
  return typeof host === 'string' ? host.replace(/:\d+$/, '') : undefined
}

for (const module of [http, https]) {
  for (const name of ['request', 'get']) {
    const original = module[name]
    module[name] = function (target, options, ...rest) {
      const headers = [target?.headers, options?.headers, String(target?.path ?? target)]
      caught('request', hostOf(target), headers)
      caught('request', hostOf(options), headers)
      return original.call(this, target, options, ...rest)
    }
  }
}

const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  caught('connect', first && typeof first === 'object' ? first.host : args[1])
  return connect.apply(this, args)
}

for (const module of [dns, dns.promises]) {
  const lookup = module.lookup
  module.lookup = function (host, ...rest) {
    caught('lookup', host)
    return lookup.call(this, host, ...rest)
  }
}

const fetching = globalThis.fetch
globalThis.fetch = async function (target, options) {
  caught('fetch', hostOf(target instanceof Request ? target.url : target), [...new Headers(options?.headers)])
  return fetching.call(this, target, options)
}

syncBuiltinESMExports()
