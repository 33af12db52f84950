// Walks through the API with npm's heroku-client. Usage: node heroku-client.js begin|end URL TOKEN APP
'use strict'
const assert = require('node:assert/strict')
const Heroku = require('heroku-client')

const [phase, host, token, app] = process.argv.slice(2)
const heroku = new Heroku({host, token})

async function begin() {
  const account = await heroku.get('/account')
  assert.match(account.email, /@/)
  const before = await heroku.get('/apps')
  assert(!before.some(one => one.name === app))
  const made = await heroku.post('/apps', {body: {name: app}})
  assert.equal(made.name, app)
  assert((await heroku.get('/apps')).some(one => one.id === made.id))
  assert.equal((await heroku.get(`/apps/${made.id}`)).name, app, 'found by id')
  const config = await heroku.patch(`/apps/${app}/config-vars`, {body: {GREETING: 'hello', GONE: '1'}})
  assert.equal(config.GREETING, 'hello')
  await heroku.patch(`/apps/${app}/config-vars`, {body: {GONE: null}})
  assert.deepEqual(await heroku.get(`/apps/${app}/config-vars`), {GREETING: 'hello'})
  const domain = await heroku.post(`/apps/${app}/domains`, {body: {hostname: `www.${app}.example`}})
  assert.equal(domain.kind, 'custom')
  await assert.rejects(heroku.get('/apps/no-such-app'), error => {
    assert.equal(error.statusCode, 404)
    assert.equal(error.body.id, 'not_found')
    return true
  })
}

async function end() {
  const [web] = await heroku.patch(`/apps/${app}/formation`, {body: {updates: [{type: 'web', quantity: 2}]}})
  assert.equal(web.quantity, 2)
  const releases = await heroku.get(`/apps/${app}/releases`)
  assert(releases.length >= 3 && releases.at(-1).current)
  assert.equal((await heroku.get(`/apps/${app}/releases/1`)).version, 1)
  const hostnames = (await heroku.get(`/apps/${app}/domains`)).map(domain => domain.hostname)
  assert(hostnames.includes(`www.${app}.example`))
  const dynos = await heroku.get(`/apps/${app}/dynos`)
  assert(dynos.some(dyno => dyno.name === 'web.1'))
  await heroku.delete(`/apps/${app}/domains/www.${app}.example`)
  await heroku.delete(`/apps/${app}`)
  await assert.rejects(heroku.get(`/apps/${app}`), error => error.statusCode === 404)
}

const walk = {begin, end}[phase]
walk().then(() => console.log('walked'), error => {
  console.error(error)
  process.exit(1)
})
