// Processes that share a directory, and how each of them ends.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../clients/connect.mjs';
import { environment, Program, quiver, run, startHttp, startServer, tempDir } from './support.mjs';

test('serve, mcp and import work on one directory at a time', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir);
  mkdirSync(join(dir, 'notes'));
  writeFileSync(join(dir, 'notes', 'tea.md'), '# Tea\n\nGreen tea wants water of 70 degrees.\n');
  const serve = await startHttp(t, env);
  const web = await connect('v1', { url: serve.url });
  t.after(() => web.close());
  await web.get('memory_store', { items: [{ id: 'w', text: 'Told over HTTP.' }] });
  const pipe = startServer(t, env);
  await pipe.ok('memory_store', { items: [{ id: 'p', text: 'Told over a pipe.' }] });
  const imported = await run(
    ['import', join(dir, 'notes'), '--collection', 'notes', '--create'],
    env,
  );
  assert.equal(imported.code, 0, imported.stderr);

  for (const ask of [(...call) => web.get(...call), (...call) => pipe.ok(...call)]) {
    const { missing } = await ask('memory_get', { ids: ['w', 'p'] });
    assert.deepEqual(missing ?? [], []);
    const { hits } = await ask('memory_search', {
      collection: 'notes',
      query: 'How hot should the water be for green tea?',
    });
    assert.match(hits[0].text, /70 degrees/);
  }

  serve.kill('SIGTERM');
  assert.deepEqual(await serve.exit(), { code: 0, signal: null });
  assert.equal((await pipe.ok('memory_get', { ids: ['w', 'p'] })).items.length, 2);
  assert.deepEqual(await pipe.close(), { code: 0, signal: null });
});

test("the socket and the directory are the owner's alone", async (t) => {
  const env = environment(tempDir(t));
  const server = startServer(t, env);
  await server.ok('memory_store', { items: [{ text: 'A secret.' }] });
  const modes = readdirSync(env.QV_DATA_DIR)
    .map((name) => statSync(join(env.QV_DATA_DIR, name)))
    .filter((entry) => entry.isSocket())
    .map((entry) => entry.mode & 0o777);
  assert.deepEqual(modes, [0o600]);
  assert.equal(statSync(env.QV_DATA_DIR).mode & 0o777, 0o700);
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} ends idle servers with 0`, async (t) => {
    const env = environment(tempDir(t));
    const owner = startServer(t, env);
    await owner.ok('memory_store', { items: [{ id: 'kept', text: 'Kept.' }] });
    const guest = startServer(t, env);
    await guest.ok('memory_get', { ids: ['kept'] });
    for (const server of [guest, owner]) {
      server.kill(signal);
      assert.deepEqual(await server.exit(), { code: 0, signal: null });
    }
    const serve = await startHttp(t, env);
    serve.kill(signal);
    assert.deepEqual(await serve.exit(), { code: 0, signal: null });
  });
}

test('a second serve on a taken port says so', async (t) => {
  const dir = tempDir(t);
  const first = await startHttp(t, environment(join(dir, 'one')));
  const { port } = new URL(first.url);
  const second = await run(['serve'], environment(join(dir, 'two'), { QV_SERVER_PORT: port }));
  assert.notEqual(second.code, 0);
  assert.match(second.stderr, new RegExp(port));
});

test('what expires is forgotten, also across a restart', async (t) => {
  const env = environment(tempDir(t));
  let server = startServer(t, env);
  await server.ok('memory_store', {
    items: [{ id: 'short', text: 'Short-lived.' }],
    ttl_seconds: 1,
  });
  await server.ok('memory_store', {
    items: [{ id: 'long', text: 'Long-lived.' }],
    ttl_seconds: 3600,
  });
  await server.close();
  server = startServer(t, env);
  const end = Date.now() + 30_000;
  let found;
  do {
    found = (await server.ok('memory_get', { ids: ['short', 'long'] })).items.map(
      (item) => item.id,
    );
  } while (found.length > 1 && Date.now() < end);
  assert.deepEqual(found, ['long']);
  const { hits } = await server.ok('memory_search', { query: 'Short-lived.' });
  assert.deepEqual(
    hits.map((hit) => hit.id),
    ['long'],
  );
});

test('help is there on every level, and mistakes end with 2', async (t) => {
  const env = environment(tempDir(t));
  const top = await run(['--help'], env);
  assert.equal(top.code, 0);
  for (const command of ['serve', 'mcp', 'import', 'export', 'doctor', 'version']) {
    assert.match(top.stdout, new RegExp(`\\b${command}\\b`));
    const help = await run([command, '--help'], env);
    assert.equal(help.code, 0, command);
    assert.ok(help.stdout.length > 50, command);
    const wrong = await run([command, '--no-such-flag'], env);
    assert.equal(wrong.code, 2, command);
    assert.match(wrong.stderr, /no-such-flag/);
    assert.equal(wrong.stdout, '', command);
  }
  assert.equal((await run(['no-such-command'], env)).code, 2);
  assert.match((await run(['version'], env)).stdout, /^\S*\s?\d+\.\d+\.\d+/);
});

test('a model that is missing is an error that names the remedy', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir, { QV_EMBEDDING_MODEL_DIR: join(dir, 'nowhere') });
  const server = startServer(t, env);
  const result = await server.tool('memory_store', { items: [{ text: 'x' }] });
  assert.ok(result.isError);
  assert.match(result.content[0].text, /nowhere/);
  assert.match(result.content[0].text, /make |npm /);
  await server.ok('collection_create', { name: 'v', dimension: 2 });
  await server.ok('vector_upsert', { collection: 'v', points: [{ id: 'a', vector: [1, 2] }] });
});

test('doctor tells a healthy directory', async (t) => {
  const env = environment(tempDir(t));
  const server = startServer(t, env);
  await server.ok('memory_store', { items: [{ text: 'x' }] });
  await server.close();
  const healthy = await run(['doctor'], env);
  assert.equal(healthy.code, 0, healthy.stdout + healthy.stderr);
});

test('an owner that is stopped but not dead does not lose its place', async (t) => {
  const env = environment(tempDir(t));
  const owner = startServer(t, env);
  await owner.ok('collection_create', { name: 'v', dimension: 2 });
  const guest = startServer(t, env);
  assert.equal(await guest.count('v'), 0);
  owner.kill('SIGSTOP');
  const waiting = guest.ok('vector_upsert', {
    collection: 'v',
    points: [{ id: 'a', vector: [1, 2] }],
  });
  await guest.assertAlive();
  owner.kill('SIGCONT');
  assert.equal((await waiting).upserted, 1);
  assert.equal(await owner.count('v'), 1);
});
