// The stdio wire at its worst: stdout carries JSON-RPC and nothing else, whatever comes in.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  environment,
  memoryMiB,
  modernMeta,
  Program,
  quiver,
  sanitized,
  startServer,
  tempDir,
  withDeadline,
} from './support.mjs';

/// Every byte belongs to a line, and every line is a JSON-RPC 2.0 message.
function assertPure(stdout) {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(stdout);
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is not ended');
  for (const line of text.split('\n').slice(0, -1)) {
    const message = JSON.parse(line);
    assert.equal(message.jsonrpc, '2.0', line);
    const forms = ['method', 'result', 'error'].filter((member) => member in message);
    assert.equal(forms.length, 1, line);
  }
}

test('a full session at trace level leaves stdout pure', async (t) => {
  const server = startServer(t, environment(tempDir(t), { QV_LOG_LEVEL: 'trace' }));
  const started = await server.request('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 't', version: '1' },
  });
  assert.equal(started.result.protocolVersion, '2025-06-18');
  server.sendLine('{"jsonrpc":"2.0","method":"notifications/initialized"}');
  assert.ok((await server.modern('server/discover')).result.supportedVersions.length > 0);
  await server.ok('memory_store', {
    items: [{ id: 'a', text: 'Schöne Grüße, 東京, 🦀\n\u2028 and more' }],
  });
  await server.ok('memory_search', { query: 'greetings' });
  await server.ok('collection_create', { name: 'v', dimension: 2 });
  await server.ok('vector_upsert', { collection: 'v', points: [{ id: 'x', vector: [1, 0] }] });
  await server.ok('vector_search', { collection: 'v', vector: [1, 1] });
  assert.ok((await server.tool('memory_search', {})).isError);
  assert.equal((await server.modern('tools/call', { name: 'nothing' })).error.code, -32602);
  assert.equal((await server.modern('no/such/method')).error.code, -32601);
  await server.ok('memory_delete', { ids: ['a'] });
  assert.deepEqual(await server.close(), { code: 0, signal: null });
  assertPure(server.stdout);
  assert.ok(server.stderr.length > 0, 'trace level logged nothing');
});

test('a bad config file ends with 2 and a clean stdout', async (t) => {
  const dir = tempDir(t);
  const config = join(dir, 'config.yml');
  writeFileSync(config, 'server:\n  prot: 7600\n');
  const env = environment(dir);
  for (const args of [['mcp'], ['serve']]) {
    const program = new Program(quiver, args, { env: { ...env, QV_CONFIG: config } });
    program.child.stdin.end();
    assert.equal((await program.exit()).code, 2);
    assert.equal(program.stdout.length, 0);
    assert.match(program.stderr, /config\.yml:2: .*prot.*server\.port/);
  }
  assert.ok(!existsSync(env.QV_DATA_DIR), 'something was written');
});

test('stdin that is closed at once ends with 0 and silence', async (t) => {
  const server = startServer(t, environment(tempDir(t)));
  assert.deepEqual(await server.close(), { code: 0, signal: null });
  assert.equal(server.stdout.length, 0);
});

test('requests before the end of stdin are answered before the exit', async (t) => {
  const server = startServer(t, environment(tempDir(t)));
  const stored = server.ok('memory_store', { items: [{ id: 'last', text: 'Last words.' }] });
  const ended = server.close();
  assert.equal((await stored).stored, 1);
  assert.deepEqual(await ended, { code: 0, signal: null });
});

const badLines = {
  'not JSON': ['hello', -32700],
  'half a message': ['{"jsonrpc":"2.0","id":1,"method":"tools/list"', -32700],
  'a trailing comma': ['{"jsonrpc":"2.0","id":1,"method":"tools/list",}', -32700],
  'NaN, which is not JSON': ['{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":NaN}}', -32700],
  'invalid UTF-8': [
    Buffer.from([
      ...Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'),
      0xff,
      0xfe,
      ...Buffer.from('"}'),
    ]),
    -32700,
  ],
  'an overlong encoding': [Buffer.from([0x22, 0xc0, 0xaf, 0x22]), -32700],
  'half a surrogate': ['{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', -32700],
  'brackets 100,000 deep': ['['.repeat(100_000), -32700, -32600],
  'a deep object, closed': ['{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000), -32700, -32600],
  'a NUL byte': ['{"jsonrpc":"2.0",\0"id":1}', -32700],
  'a number': ['42', -32600],
  'no method': ['{"jsonrpc":"2.0","id":5}', -32600],
  'another version': ['{"jsonrpc":"1.0","id":5,"method":"ping"}', -32600],
  'an id that is an object': ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
};

test('garbage is answered line by line', async (t) => {
  const server = startServer(t, environment(tempDir(t)));
  for (const [name, [line, ...codes]] of Object.entries(badLines)) {
    await t.test(name, async () => {
      const before = server.messages.length;
      server.sendLine(line);
      const answer = await server.message(
        (message) => server.messages.indexOf(message) >= before && message.error,
        name,
      );
      assert.ok(codes.includes(answer.error.code), JSON.stringify(answer));
      assert.ok(answer.error.message.length > 10);
      await server.assertAlive();
    });
  }
  server.sendLine('');
  server.sendLine('   ');
  server.sendLine('{"jsonrpc":"2.0","method":"notifications/nobody-knows"}');
  server.sendLine('{"jsonrpc":"2.0","id":999999,"result":{}}');
  await server.assertAlive();
  assert.deepEqual(await server.close(), { code: 0, signal: null });
  assertPure(server.stdout);
});

test('a line of 200 MB is refused in bounded memory', async (t) => {
  const server = startServer(t, environment(tempDir(t)));
  await server.assertAlive();
  const { stdin } = server.child;
  const write = (bytes) => new Promise((done) => stdin.write(bytes, done));
  const head = {
    jsonrpc: '2.0',
    id: 77,
    method: 'tools/call',
    params: { _meta: modernMeta, name: 'memory_store', arguments: { items: [{ text: '@' }] } },
  };
  const [before, after] = JSON.stringify(head).split('@');
  const block = Buffer.alloc(1 << 20, 'a');
  const send = async () => {
    await write(before);
    for (let sent = 0; sent < 200; ++sent) await write(block);
    await write(`${after}\n`);
  };
  await withDeadline(send(), 'the server reads the line');
  const answer = await server.message((message) => message.error, 'an error for the line');
  assert.ok([-32600, -32700].includes(answer.error.code), JSON.stringify(answer));
  assert.match(answer.error.message, /64 ?Mi?B|67108864|bytes/);
  assert.ok(
    sanitized || memoryMiB(server.pid, 'VmHWM') < 300,
    `${memoryMiB(server.pid, 'VmHWM')} MiB`,
  );
  await server.assertAlive();
  assert.deepEqual((await server.ok('collection_list')).collections, []);
});

test(
  'the first answers need no more than 30 MiB',
  { skip: sanitized && 'sanitizers' },
  async (t) => {
    const server = startServer(t, environment(tempDir(t)));
    await server.modern('server/discover');
    await server.assertAlive();
    assert.ok(memoryMiB(server.pid, 'VmRSS') < 30, `${memoryMiB(server.pid, 'VmRSS')} MiB`);
  },
);
