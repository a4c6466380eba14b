// Mistakes that MCP servers are known for, one test each.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { countTokens, parseYaml } from '../conformance/packages.mjs';
import { exchange, legacySession, modern, open } from './raw_http.mjs';
import {
  atRest,
  atWork,
  cpuSeconds,
  environment,
  longRead,
  run,
  startHttp,
  startServer,
  tempDir,
} from './support.mjs';

const handshake = (protocolVersion) => ({
  protocolVersion,
  capabilities: {},
  clientInfo: { name: 'quiver-test', version: '1' },
});

function assertMessages(stdout) {
  const lines = stdout.toString().split('\n');
  assert.equal(lines.pop(), '', 'the last line is not ended');
  for (const line of lines) assert.equal(JSON.parse(line).jsonrpc, '2.0', line);
}

/// Calls a tool over HTTP in the modern form; the structured content of its success.
async function ok(url, name, args) {
  const { message } = await exchange(url, modern('tools/call', { name, arguments: args }));
  assert.ok(message.result && !message.result.isError, JSON.stringify(message));
  return message.result.structuredContent;
}

async function count(url, collection) {
  return (await ok(url, 'vector_scroll', { collection, count_only: true })).count;
}

test('trap 1: stdout carries JSON-RPC and nothing else', async (t) => {
  const server = startServer(t, environment(tempDir(), { QV_LOG_LEVEL: 'trace' }));
  await server.ok('memory_store', { items: [{ id: 'a', text: 'Quiet, please.' }] });
  assert.ok((await server.tool('memory_search', { quary: 'x' })).isError);
  server.sendLine('this is not JSON');
  await server.assertAlive();
  await server.close();
  assertMessages(server.stdout);
  assert.ok(server.stderr.length > 0, 'trace level logged nothing');

  const dir = tempDir();
  const config = join(dir, 'config.yml');
  writeFileSync(config, 'server: {prot: 7600}\n');
  const bad = await run(['mcp', '--config', config], environment(dir));
  assert.deepEqual([bad.code, bad.stdout], [2, '']);
});

test('trap 2: discover, then initialize, on the same pipe', async (t) => {
  const server = startServer(t, environment(tempDir()));
  const { result } = await server.modern('server/discover');
  assert.ok(result.supportedVersions.includes('2026-07-28'));
  const started = await server.request('initialize', handshake('2025-11-25'));
  assert.equal(started.result.protocolVersion, '2025-11-25');
  server.sendLine('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  assert.ok((await server.request('tools/list')).result.tools.length > 0);
  assert.ok((await server.modern('tools/list')).result.tools.length > 0);
});

test('trap 3: initialize is of the legacy era alone', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  const refused = await exchange(url, modern('initialize', handshake('2026-07-28')));
  assert.equal(refused.status, 404);
  assert.equal(refused.message.error.code, -32601);
  const params = handshake('2025-11-25');
  const body = { jsonrpc: '2.0', id: 1, method: 'initialize', params };
  const taken = await exchange(url, { body });
  assert.equal(taken.status, 200);
  assert.equal(taken.message.result.protocolVersion, '2025-11-25');
  // Asked for the modern revision by handshake, the newest that has one is offered.
  body.params.protocolVersion = '2026-07-28';
  assert.equal((await exchange(url, { body })).message.result.protocolVersion, '2025-11-25');
});

test('trap 4: each era sees its own members of a result and no others', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  const legacy = await legacySession(url, '2025-11-25');
  const calls = {
    'tools/list': {},
    'prompts/list': {},
    'resources/list': {},
    'resources/templates/list': {},
    'resources/read': { uri: 'quiver://collections' },
    'tools/call': { name: 'collection_list', arguments: {} },
  };
  for (const [method, params] of Object.entries(calls)) {
    const { result } = (await exchange(url, modern(method, params))).message;
    assert.equal(result.resultType, 'complete', method);
    if (method !== 'tools/call') {
      assert.ok(Number.isInteger(result.ttlMs) && result.ttlMs >= 0, method);
      assert.ok(['public', 'private'].includes(result.cacheScope), method);
    }
    const older = (await exchange(url, legacy.call(method, params))).message.result;
    for (const name of ['resultType', 'ttlMs', 'cacheScope']) {
      assert.ok(!(name in older), `${method} tells a legacy client of ${name}`);
    }
  }
  for (const name of ['resultType', 'ttlMs', 'cacheScope']) assert.ok(!(name in legacy.started));
});

test('trap 5: an unknown session is 404, a missing one 400', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  const session = await legacySession(url, '2025-11-25');
  assert.match(session.id, /^[\x21-\x7e]+$/);
  const list = session.call('tools/list');
  assert.equal((await exchange(url, list)).status, 200);
  const other = session.id.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  for (const id of [other, 'nobody', 'x'.repeat(2000)]) {
    const headers = { ...list.headers, 'mcp-session-id': id };
    assert.equal((await exchange(url, { ...list, headers })).status, 404, id.slice(0, 80));
  }
  const { 'mcp-session-id': unused, ...without } = list.headers;
  assert.equal((await exchange(url, { ...list, headers: without })).status, 400);
  const end = { method: 'DELETE', headers: session.headers };
  const ended = await exchange(url, end);
  assert.ok(ended.status >= 200 && ended.status < 300, `DELETE is answered with ${ended.status}`);
  assert.equal((await exchange(url, list)).status, 404);
  assert.equal((await exchange(url, end)).status, 404);
});

test('trap 6: a client that is killed cancels a modern call, not a legacy one', async (t) => {
  const server = await startHttp(t, environment(tempDir()));
  const { url, pid } = server;
  const session = await legacySession(url, '2025-06-18');
  for (const [era, items, request, stored] of [
    ['modern', longRead('Volume', 256), modern, 0],
    ['legacy', longRead('Volume', 96), (...args) => session.call(...args), 96],
  ]) {
    await ok(url, 'collection_create', { name: era });
    await atRest(pid);
    const before = cpuSeconds(pid);
    const params = { name: 'memory_store', arguments: { collection: era, items } };
    const call = open(url, request('tools/call', params));
    const hungUp = assert.rejects(call.answer);
    await atWork(pid, before);
    call.hangUp();
    await hungUp;
    await atRest(pid);
    assert.equal(await count(url, era), stored, era);
  }
});

test('trap 7: a batch is taken from 2025-03-26 alone', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  const batch = [
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 99 } },
    { jsonrpc: '2.0', id: 'two', method: 'tools/list' },
  ];
  const old = await legacySession(url, '2025-03-26');
  const taken = await exchange(url, old.post(batch));
  assert.equal(taken.status, 200);
  const replies = taken.messages?.flat() ?? taken.message;
  assert.deepEqual(replies.map((reply) => reply.id).sort(), [1, 'two']);
  assert.ok(replies.every((reply) => reply.result));
  for (const version of ['2024-11-05', '2025-06-18', '2025-11-25']) {
    const session = await legacySession(url, version);
    const refused = await exchange(url, session.post(batch));
    assert.equal(refused.status, 400, version);
    assert.equal(refused.message.error.code, -32600, version);
  }
  const { headers } = modern('tools/list');
  const refused = await exchange(url, { headers, body: [modern('tools/list').body] });
  assert.equal(refused.status, 400);
});

test('trap 8: a priming event is sent from 2025-11-25 on', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  for (const [version, primed] of [
    ['2025-06-18', false],
    ['2025-11-25', true],
  ]) {
    const session = await legacySession(url, version);
    const call = session.call('tools/call', {
      name: 'memory_store',
      arguments: { items: longRead(version, 8) },
      _meta: { progressToken: 'p' },
    });
    const { events, message } = await exchange(url, call);
    assert.ok(events, `${version}: a call with a progress token is answered with a stream`);
    assert.equal(message.result.structuredContent.stored, 8);
    const empty = events.map((event) => (event.data ?? '') === '' && event.id !== undefined);
    assert.deepEqual([empty[0], empty.slice(1).includes(true)], [primed, false], version);
    if (primed) assert.match(events.find((event) => event.retry)?.retry ?? '', /^\d+$/);
  }
});

test('trap 9: a requestState that was tampered with is refused', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  await ok(url, 'collection_create', { name: 'precious', dimension: 2 });
  await ok(url, 'collection_create', { name: 'cheap', dimension: 2 });
  const meta = { 'io.modelcontextprotocol/clientCapabilities': { elicitation: {} } };
  const call = (collection, more = {}) =>
    exchange(
      url,
      modern('tools/call', { name: 'collection_delete', arguments: { collection }, ...more }, { meta }),
    );
  const asked = (await call('cheap')).message.result;
  assert.equal(asked.resultType, 'input_required', JSON.stringify(asked));
  const { requestState, inputRequests } = asked;
  const [[key, question]] = Object.entries(inputRequests);
  assert.equal(question.method, 'elicitation/create');
  const properties = Object.entries(question.params.requestedSchema.properties);
  const content = Object.fromEntries(
    properties.map(([name, { type }]) => [name, type === 'boolean' ? true : 'cheap']),
  );
  const inputResponses = { [key]: { action: 'accept', content } };
  const middle = Math.floor(requestState.length / 2);
  const flipped = requestState[middle] === 'A' ? 'B' : 'A';
  const forged = [
    `${requestState}x`,
    requestState.slice(0, -1),
    requestState.slice(0, middle) + flipped + requestState.slice(middle + 1),
    'AAAA',
    '',
  ];
  for (const state of forged) {
    const { status, message } = await call('cheap', { inputResponses, requestState: state });
    assert.equal(status, 400, state);
    assert.equal(message.error.code, -32602, state);
  }
  // A state that is true, but was given for another call.
  const { message } = await call('precious', { inputResponses, requestState });
  assert.equal(message.error?.code, -32602, JSON.stringify(message));
  assert.equal((await ok(url, 'collection_list', {})).collections.length, 2);
  const done = (await call('cheap', { inputResponses, requestState })).message.result;
  assert.equal(done.resultType, 'complete');
  assert.ok(!done.isError, JSON.stringify(done.content));
  const left = (await ok(url, 'collection_list', {})).collections.map((one) => one.name);
  assert.deepEqual(left, ['precious']);
});

async function allTools(t) {
  const server = startServer(t, environment(tempDir()));
  return (await server.modern('tools/list')).result.tools;
}

test('trap 10: no tool has a combinator at the top of its schema', async (t) => {
  for (const { name, inputSchema } of await allTools(t)) {
    assert.equal(inputSchema.type, 'object', name);
    for (const word of ['anyOf', 'oneOf', 'allOf', 'not', 'if', '$ref']) {
      assert.ok(!(word in inputSchema), `${name} has ${word}`);
    }
  }
});

test('trap 11: all tools together cost a model at most 2,200 tokens', async (t) => {
  const tools = await allTools(t);
  const asSent = tools.map(({ name, description, inputSchema }) =>
    JSON.stringify({ name, description, input_schema: inputSchema }),
  );
  const tokens = asSent.map((text) => countTokens(text)).reduce((sum, one) => sum + one, 0);
  t.diagnostic(`${tools.length} tools, ${tokens} tokens`);
  assert.ok(tokens <= 2200, `${tokens} tokens`);
});

test('trap 12: replies on a kept connection do not wait for an acknowledgement', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const times = [];
  for (let i = 0; i < 201; ++i) {
    const start = process.hrtime.bigint();
    const { status } = await exchange(url, { ...modern('server/discover'), agent });
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
    assert.equal(status, 200);
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`median ${times[100].toFixed(3)} ms`);
  // Nagle's algorithm against delayed acknowledgement is 40 ms each time; no load is that even.
  assert.ok(times[20] < 20, `nine of ten took ${times[20]} ms or more`);
});

test('trap 13: another host name is refused', async (t) => {
  const { url } = await startHttp(t, environment(tempDir()));
  const probe = modern('server/discover');
  const port = new URL(url).port;
  const asked = async (headers) =>
    (await exchange(url, { ...probe, headers: { ...probe.headers, ...headers } })).status;
  assert.equal(await asked({ host: 'evil.example.com' }), 403);
  assert.equal(await asked({ host: `evil.example.com:${port}` }), 403);
  assert.equal(await asked({ origin: 'http://evil.example.com' }), 403);
  assert.equal(await asked({ host: `localhost:${port}`, origin: `http://localhost:${port}` }), 200);
});

test('trap 14: no result is larger than 25,000 tokens', async (t) => {
  const server = startServer(t, environment(tempDir()));
  const { tools } = (await server.modern('tools/list')).result;
  const most = (tool) => {
    const { inputSchema } = tools.find((one) => one.name === tool);
    return inputSchema.properties.limit?.maximum ?? 1000;
  };
  // Words that no tokenizer folds together.
  const word = (i) => (i * 2654435761 % 2 ** 32).toString(36);
  const text = (i) => Array.from({ length: 600 }, (_, j) => word(i * 600 + j)).join(' ');
  const points = Array.from({ length: 250 }, (_, i) => ({
    id: `p${i}`,
    vector: Array.from({ length: 64 }, (_, j) => Math.sin(i + j)),
    text: text(i),
    metadata: { note: text(i + 1000) },
  }));
  await server.ok('collection_create', { name: 'large', dimension: 64 });
  for (let i = 0; i < points.length; i += 50) {
    const some = points.slice(i, i + 50);
    await server.ok('vector_upsert', { collection: 'large', points: some });
  }
  const collection = 'large';
  const { vector } = points[0];
  const limit = most('vector_search');
  const calls = [
    ['vector_scroll', { collection, limit: most('vector_scroll') }],
    ['vector_search', { collection, vector, limit }],
    ['vector_search', { collection, vector, limit, include_vector: true }],
    ['memory_get', { collection, ids: points.map((point) => point.id).slice(0, 100) }],
    ['collection_info', { collection }],
  ];
  for (const [name, args] of calls) {
    const result = await server.tool(name, args);
    const tokens = [
      countTokens(result.content.map((block) => block.text).join('\n')),
      countTokens(JSON.stringify(result.structuredContent ?? null)),
    ];
    t.diagnostic(`${name}: ${tokens.join(' and ')} tokens`);
    assert.ok(Math.max(...tokens) <= 25_000, `${name}: ${tokens} tokens`);
  }
});

test('trap 15: SIGTERM and the end of stdin end the server, with all data kept', async (t) => {
  for (const end of ['SIGTERM', 'stdin']) {
    const env = environment(tempDir());
    const server = startServer(t, env);
    await server.ok('memory_store', { items: [{ id: 'kept', text: `Ended by ${end}.` }] });
    const start = Date.now();
    if (end === 'SIGTERM') server.kill('SIGTERM');
    else server.child.stdin.end();
    assert.deepEqual(await server.exit(), { code: 0, signal: null }, end);
    t.diagnostic(`${end}: ${Date.now() - start} ms`);
    const next = startServer(t, env);
    const { items } = await next.ok('memory_get', { ids: ['kept'] });
    assert.equal(items[0].text, `Ended by ${end}.`);
    await next.close();
  }
});

test('trap 16: the conformance suite is pinned, and nothing is expected to fail', async () => {
  const read = (name) => readFileSync(new URL(`../conformance/${name}`, import.meta.url), 'utf8');
  const { dependencies } = JSON.parse(read('package.json'));
  assert.equal(dependencies['@modelcontextprotocol/conformance'], '0.2.0-alpha.12');
  assert.deepEqual(parseYaml(read('expected-failures.yml')), { server: [] });
  // That both sets pass whole is the test "conformance".
  const registered = readFileSync(new URL('../conformance/CMakeLists.txt', import.meta.url), 'utf8');
  assert.match(registered, /add_test\(NAME "?conformance/);
});
