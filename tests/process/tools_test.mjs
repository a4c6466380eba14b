// What clients are offered, what it costs a model to read, and how much one result may hold: seen
// through the real program.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { countTokens } from '../conformance/packages.mjs';
import { environment, run, startServer, tempDir } from './support.mjs';

/// Tokens of o200k_base that all tools may cost a model.
const allTokensMax = 2200;
/// Above this clients cut a result off or refuse it.
const resultTokensMax = 25_000;

const tools = async (server) => (await server.modern('tools/list')).result.tools;
const names = async (server) => (await tools(server)).map(({ name }) => name);

test('the schemas of all tools stay within what a model should pay', async (t) => {
  const args = ['mcp', '--toolsets', 'memory,collection,vector,cluster'];
  const server = startServer(t, environment(tempDir()), { args });
  let total = 0;
  for (const { name, description, inputSchema } of await tools(server)) {
    for (const combinator of ['anyOf', 'oneOf', 'allOf']) {
      assert.ok(!(combinator in inputSchema), `${name} has ${combinator} at the top`);
    }
    const tokens = countTokens(JSON.stringify({ name, description, input_schema: inputSchema }));
    t.diagnostic(`${tokens} ${name}`);
    total += tokens;
  }
  t.diagnostic(`${total} in all`);
  assert.ok(total <= allTokensMax, `${total} tokens`);
});

test('only the chosen tools are offered, and a hidden one names its setting', async (t) => {
  const env = environment(tempDir());
  const server = startServer(t, env, { args: ['mcp', '--toolsets', 'memory'] });
  assert.deepEqual(await names(server), [
    'memory_delete',
    'memory_get',
    'memory_search',
    'memory_store',
  ]);
  const { error } = await server.modern('tools/call', { name: 'vector_search', arguments: {} });
  assert.equal(error.code, -32602);
  assert.match(error.message, /vector_search.*mcp\.toolsets/s);
});

test('read-only holds for its own process, also where calls are forwarded', async (t) => {
  const env = environment(tempDir());
  const owner = startServer(t, env);
  await owner.ok('collection_create', { name: 'v', dimension: 2 });
  const reader = startServer(t, env, { args: ['mcp', '--read-only'] });
  assert.deepEqual(await names(reader), [
    'collection_info',
    'collection_list',
    'memory_get',
    'memory_search',
    'vector_scroll',
    'vector_search',
  ]);
  const points = [{ id: 1, vector: [1, 0] }];
  const refused = await reader.modern('tools/call', {
    name: 'vector_upsert',
    arguments: { collection: 'v', points },
  });
  assert.match(refused.error.message, /vector_upsert.*mcp\.read_only/s);
  assert.equal(await reader.count('v'), 0);
  await owner.ok('vector_upsert', { collection: 'v', points });
  assert.equal(await reader.count('v'), 1);
});

test('config.yml hides, shows and describes single tools, and mistakes are named', async (t) => {
  const dir = tempDir();
  const config = join(dir, 'config.yml');
  const choose = (lines) => writeFileSync(config, `mcp:\n${lines}\n`);
  choose(`  toolsets: [memory]
  tools:
    memory_delete: {enabled: false}
    collection_list: {enabled: true}
    memory_get: {description: Reads.}`);
  const env = { ...environment(dir), QV_CONFIG: config };
  const server = startServer(t, env);
  const offered = await tools(server);
  assert.deepEqual(
    offered.map(({ name }) => name),
    ['collection_list', 'memory_get', 'memory_search', 'memory_store'],
  );
  assert.equal(offered[1].description, 'Reads.');
  await server.close();

  choose('  tools: {memory_serch: {enabled: false}}');
  const ended = await run(['mcp'], env);
  assert.equal(ended.code, 2);
  assert.match(ended.stderr, /memory_serch.*did you mean mcp\.tools\.memory_search\.enabled/s);
  assert.equal(ended.stdout, '');
});

test('a result stays bounded, and says how to read on', async (t) => {
  const server = startServer(t, environment(tempDir()));
  await server.ok('collection_create', { name: 'v', dimension: 2 });
  const text = Array.from({ length: 9000 }, (_, i) => `word${i % 100}`)
    .join(' ')
    .slice(0, 60_000);
  const points = Array.from({ length: 60 }, (_, id) => ({ id, vector: [1, id], text }));
  for (let i = 0; i < points.length; i += 20) {
    await server.ok('vector_upsert', { collection: 'v', points: points.slice(i, i + 20) });
  }
  const bounded = async (name, args) => {
    const result = await server.tool(name, args);
    assert.ok(!result.isError, result.content[0].text);
    assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
    assert.doesNotMatch(result.content[0].text, /": |, "|\n/);
    assert.ok(countTokens(result.content[0].text) < resultTokensMax);
    assert.ok(result.content[0].text.length <= 32 * 1024);
    assert.doesNotMatch(result.content[0].text, /null|""|\{\}|\[\]/);
    return result.structuredContent;
  };
  const found = await bounded('vector_search', { collection: 'v', vector: [1, 1], limit: 200 });
  assert.equal(found.truncated, true);
  assert.match(found.advice, /^showing \d+ of 60 hits .*cursor/);
  const listed = await bounded('vector_scroll', { collection: 'v', limit: 200 });
  assert.match(listed.advice, /^showing \d+ of 60: .*cursor/);
  const hit = found.hits[0];
  assert.equal(hit.text_truncated, true);
  assert.ok(hit.text.length <= 1200);

  // The rest of the hit's text, piece by piece.
  let whole = hit.text;
  for (let offset = hit.next_offset; offset !== undefined; ) {
    const { items } = await bounded('memory_get', {
      collection: 'v',
      ids: [hit.id],
      text_offset: offset,
    });
    whole += items[0].text;
    offset = items[0].next_offset;
  }
  assert.equal(whole, text);

  const some = await bounded('memory_get', { collection: 'v', ids: [0, 1, 2] });
  assert.equal(some.items.length, 1);
  assert.deepEqual(some.not_returned, [1, 2]);
});
