// Loaded into the `heroku` CLI by `ambo heroku`: whatever command or plugin runs, nothing is sent to Heroku's own hosts,
// the only ones besides the relay to which the CLI would attach the token.
'use strict'
const dns = require('node:dns')
const http = require('node:http')
const https = require('node:https')
const net = require('node:net')
const {syncBuiltinESMExports} = require('node:module')

const fenced = /(^|\.)(heroku\.com|herokai\.com|herokuspace\.com|herokudev\.com)\.?$/i

function check(host) {
  if (typeof host === 'string' && fenced.test(host)) {
    const error = new Error(`ambo heroku: this command wants to talk to ${host}, which is not part of Ambo; nothing was sent`)
    error.code = 'AMBO_FENCE'
    throw error
  }
}

function hostOf(target, options) {
  if (target instanceof URL) return target.hostname
  if (typeof target === 'string') {
    try {
      return new URL(target).hostname
    } catch {
      return undefined
    }
  }
  const given = target && typeof target === 'object' ? target : options
  if (!given) return undefined
  const host = given.hostname || given.host
  return typeof host === 'string' ? host.replace(/:\d+$/, '') : undefined
}

for (const module of [http, https]) {
  for (const name of ['request', 'get']) {
    const original = module[name]
    module[name] = function (target, options, ...rest) {
      check(hostOf(target, options))
      if (options && typeof options === 'object') check(hostOf(options))
      return original.call(this, target, options, ...rest)
    }
  }
}

const connect = net.Socket.prototype.connect
net.Socket.prototype.connect = function (...args) {
  const first = Array.isArray(args[0]) ? args[0][0] : args[0]
  if (first && typeof first === 'object') check(first.host)
  else check(args[1])
  return connect.apply(this, args)
}

for (const module of [dns, dns.promises]) {
  const lookup = module.lookup
  module.lookup = function (host, ...rest) {
    check(host)
    return lookup.call(this, host, ...rest)
  }
}

const fetching = globalThis.fetch
if (fetching) {
  globalThis.fetch = async function (target, ...rest) {
    check(hostOf(target instanceof Request ? new URL(target.url) : target))
    return fetching.call(this, target, ...rest)
  }
}

syncBuiltinESMExports()
