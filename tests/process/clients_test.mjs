// One scripted session with each client there is, over each transport it has: list, store, search,
// page, read a resource, take a prompt, complete, err, and call off.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aiSdk, inspectorCli, sdk } from './client_faces.mjs';
import {
  atRest,
  atWork,
  cpuSeconds,
  environment,
  longRead,
  quiver,
  startHttp,
  tempDir,
} from './support.mjs';

const memories = [
  { id: 'moon', text: 'The tides follow the pull of the moon.', metadata: { year: 1687 } },
  { id: 'bread', text: 'A sourdough loaf rises overnight before it is baked.' },
];

/// The structured content of a tool that must succeed; its text must say the same.
async function ok(client, name, args) {
  const result = await client.call(name, args);
  assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`);
  assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent, name);
  return result.structuredContent;
}

async function lists(client) {
  const tools = await client.tools();
  const names = tools.map((tool) => tool.name);
  for (const name of ['memory_store', 'memory_search', 'collection_list', 'vector_scroll']) {
    assert.ok(names.includes(name), `${name} is not among ${names}`);
  }
  assert.equal(new Set(names).size, names.length);
  const resources = (await client.resources()).map((resource) => resource.uri);
  assert.ok(resources.includes('quiver://collections'), resources.join(' '));
  const templates = (await client.templates()).map((template) => template.uriTemplate).sort();
  assert.deepEqual(templates.slice(0, 2), [
    'quiver://collections/{name}',
    'quiver://collections/{name}/points/{id}',
  ]);
  const prompts = (await client.prompts()).map((prompt) => prompt.name);
  for (const name of ['recall', 'summarize_collection']) {
    assert.ok(prompts.includes(name), `${name} is not among ${prompts}`);
  }
}

async function stores(client) {
  const { stored, ids } = await ok(client, 'memory_store', { items: memories });
  assert.equal(stored, 2);
  assert.deepEqual(ids, ['moon', 'bread']);
}

async function searches(client) {
  const query = 'Why does the sea rise and fall?';
  const { hits } = await ok(client, 'memory_search', { query, limit: 1 });
  assert.deepEqual(
    hits.map((hit) => [hit.id, hit.text]),
    [['moon', memories[0].text]],
  );
}

async function pages(client) {
  const points = Array.from({ length: 12 }, (_, i) => ({
    id: `p${String(i).padStart(2, '0')}`,
    vector: [1, i],
    metadata: { row: i },
  }));
  await ok(client, 'collection_create', { name: 'grid', dimension: 2, metric: 'euclidean' });
  assert.equal((await ok(client, 'vector_upsert', { collection: 'grid', points })).upserted, 12);
  const seen = [];
  let cursor;
  do {
    const args = { collection: 'grid', limit: 5, ...(cursor && { cursor }) };
    const page = await ok(client, 'vector_scroll', args);
    seen.push(page.items.map((item) => item.id));
    cursor = page.next_cursor;
  } while (cursor);
  assert.deepEqual(
    seen.map((page) => page.length),
    [5, 5, 2],
  );
  assert.deepEqual(
    seen.flat(),
    points.map((point) => point.id),
  );
}

async function reads_resources(client) {
  const read = async (uri) => {
    const [content, ...more] = await client.read(uri);
    assert.equal(more.length, 0);
    assert.equal(content.uri, uri);
    assert.equal(content.mimeType, 'application/json');
    return content.text;
  };
  const all = await read('quiver://collections');
  for (const name of ['memory', 'grid']) assert.match(all, new RegExp(`"${name}"`));
  assert.match(await read('quiver://collections/grid'), /"euclidean"/);
  assert.match(await read('quiver://collections/memory/points/moon'), /pull of the moon/);
  await assert.rejects(client.read('quiver://collections/nowhere'), /nowhere/);
}

async function takes_prompts(client) {
  const text = (messages) => messages.map((message) => message.content.text ?? '').join('\n');
  assert.match(text(await client.prompt('recall', { topic: 'the tides' })), /the tides/);
  assert.match(text(await client.prompt('summarize_collection', { collection: 'grid' })), /grid/);
  await assert.rejects(client.prompt('recite', {}), /recite/);
}

async function completes(client) {
  const prompt = { type: 'ref/prompt', name: 'summarize_collection' };
  assert.deepEqual(await client.complete(prompt, { name: 'collection', value: 'gr' }), ['grid']);
  const one = { type: 'ref/resource', uri: 'quiver://collections/{name}' };
  assert.deepEqual(await client.complete(one, { name: 'name', value: 'mem' }), ['memory']);
  const point = { type: 'ref/resource', uri: 'quiver://collections/{name}/points/{id}' };
  const context = { arguments: { name: 'grid' } };
  assert.deepEqual(await client.complete(point, { name: 'id', value: 'p1' }, context), [
    'p10',
    'p11',
  ]);
}

async function errs(client) {
  const refused = async (name, args, pattern) => {
    const result = await client.call(name, args);
    assert.equal(result.isError, true, `${name} ${JSON.stringify(args)} was accepted`);
    assert.match(result.content[0].text, pattern);
    assert.equal(result.structuredContent, undefined);
  };
  await refused('memory_search', { query: 'x', collection: 'memroy' }, /memroy.*memory/s);
  await refused('memory_search', { query: 'x', colection: 'memory' }, /colection.*collection/s);
  await assert.rejects(client.call('memory_destroy', {}), /memory_destroy/);
}

/// A call that would take seconds is given up once the server works on it. Where the client tells
/// the server, nothing is stored; else the server ends what it was asked for.
async function calls_off(client, pid) {
  await ok(client, 'collection_create', { name: 'called-off' });
  const items = longRead('Volume', client.cancels ? 256 : 32);
  while (JSON.stringify(items).length > client.argumentBytesMax) items.pop();
  await atRest(pid);
  const abort = new AbortController();
  const before = cpuSeconds(pid);
  const call = client.call('memory_store', { collection: 'called-off', items }, abort.signal);
  const ended = assert.rejects(call);
  await atWork(pid, before);
  abort.abort();
  await ended;
  await atRest(pid);
  const args = { collection: 'called-off', count_only: true };
  assert.equal((await ok(client, 'vector_scroll', args)).count, client.cancels ? 0 : items.length);
}

async function play(t, client, pid) {
  const script = [lists, stores, searches, pages, reads_resources, takes_prompts, completes, errs];
  for (const step of client.completes ? script : script.filter((one) => one !== completes)) {
    await t.test(step.name.replaceAll('_', ' '), () => step(client));
  }
  // A client that starts its server for each request has none to watch.
  if (pid) await t.test('calls off', () => calls_off(client, pid));
}

const overHttp = {
  'SDK v1': (where) => sdk('v1', where),
  'SDK v2 auto': (where) => sdk('v2-auto', where),
  'SDK v2 pinned': (where) => sdk('v2-modern', where),
  'AI SDK': (where) => aiSdk(where),
  inspector: (where) => inspectorCli(where, 'modern'),
};
for (const [name, open] of Object.entries(overHttp)) {
  test(`${name} over HTTP`, async (t) => {
    const server = await startHttp(t, environment(tempDir()));
    const client = await open({ url: server.url });
    t.after(() => client.close());
    await play(t, client, server.pid);
  });
}

test('SDK v1 over HTTP+SSE', async (t) => {
  const server = await startHttp(t, environment(tempDir(), { QV_SERVER_LEGACY_SSE: 'true' }));
  const client = await sdk('v1', { sse: server.url.replace(/mcp$/, 'sse') });
  t.after(() => client.close());
  await play(t, client, server.pid);
});

const overStdio = {
  'SDK v1': (where) => sdk('v1', where),
  'SDK v2 auto': (where) => sdk('v2-auto', where),
  'SDK v2 pinned': (where) => sdk('v2-modern', where),
  'AI SDK': (where) => aiSdk(where),
  inspector: (where) => inspectorCli(where, 'legacy'),
};
for (const [name, open] of Object.entries(overStdio)) {
  test(`${name} over stdio`, async (t) => {
    const env = environment(tempDir());
    const client = await open({ command: quiver, args: ['mcp'], env, settings: ownSettings(env) });
    t.after(() => client.close());
    await play(t, client, client.pid);
  });
}

/// What an inspector passes on to the server that it starts.
function ownSettings(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => /^(QV_|HOME$)/.test(name)));
}

test('inspector --strict finds no fault with the tools', async (t) => {
  const server = await startHttp(t, environment(tempDir()));
  const { run } = inspectorCli({ url: server.url }, 'auto');
  const { code, err } = await run(['--method', 'tools/list', '--strict']);
  assert.equal(code, 0, err);
});

test('the clients speak the eras they are meant to', async (t) => {
  const server = await startHttp(t, environment(tempDir()));
  const client = await aiSdk({ url: server.url });
  t.after(() => client.close());
  assert.equal(client.protocolVersion, '2026-07-28');
  for (const [era, revision] of [
    ['legacy', '2025-11-25'],
    ['auto', '2026-07-28'],
  ]) {
    const { protocolVersion } = await inspectorCli({ url: server.url }, era).ask('initialize');
    assert.equal(protocolVersion, revision, era);
  }
});
