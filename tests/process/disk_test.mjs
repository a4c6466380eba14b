// Disks that are full, read-only or written by a newer version: each is told, nothing is lost, the
// server lives on. The disks are real: a small tmpfs and a read-only mount in a mount namespace of
// their own. Where mounting is not allowed, a limit on file size and another user take their place.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { environment, Program, quiver, startServer, tempDir, until } from './support.mjs';

const isRoot = process.getuid() === 0;
const namespace = isRoot ? ['-m'] : ['-rm'];
const canMount =
  spawnSync('unshare', [...namespace, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/// A mount namespace that lives as long as the test; `script` prepares it, with `dir` as $1.
async function mountNamespace(t, script, dir) {
  const holder = new Program(
    'unshare',
    [...namespace, 'sh', '-ec', `${script}; echo ready; exec cat`, 'sh', dir],
    {},
  );
  t.after(async () => {
    holder.child.stdin.end();
    await holder.exited;
  });
  await until(() => holder.stdout.includes('ready'), `mount: ${holder.stderr}`);
  const enter = ['-t', `${holder.pid}`, '-m', ...(isRoot ? [] : ['-U', '--preserve-credentials'])];
  return {
    start: (env) => startServer(t, env, { command: 'nsenter', args: [...enter, quiver, 'mcp'] }),
    run: (...command) => assert.equal(spawnSync('nsenter', [...enter, ...command]).status, 0),
  };
}

async function smallDisk(t, dir) {
  if (!canMount) {
    t.diagnostic('no mounting here: a limit on file size stands in for the full disk');
    const limited = ['-c', 'trap "" XFSZ; ulimit -f 8192; exec "$0" mcp', quiver];
    let free = false;
    return {
      start: (env) =>
        free ? startServer(t, env) : startServer(t, env, { command: 'bash', args: limited }),
      freeSpace: () => {
        free = true;
      },
    };
  }
  const space = await mountNamespace(
    t,
    'mount -t tmpfs -o size=96m none "$1"; head -c 64M /dev/zero > "$1/ballast"',
    dir,
  );
  return { start: space.start, freeSpace: () => space.run('rm', join(dir, 'ballast')) };
}

const batch = (number) =>
  Array.from({ length: 20 }, (_, i) => ({
    id: `b${number}-${i}`,
    vector: [number, i, 1],
    metadata: { batch: number, noise: noise(number * 20 + i) },
  }));
/// 20 kB that no compression takes away; a result of the server has room for it.
function noise(seed) {
  let state = BigInt(seed + 1);
  const words = [];
  for (let i = 0; i < 1250; ++i) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    words.push(state.toString(16).padStart(16, '0'));
  }
  return words.join('');
}

test('a full disk', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir);
  const disk = await smallDisk(t, dir);
  let server = disk.start(env);
  await server.ok('collection_create', { name: 'v', dimension: 3 });
  let accepted = 0;
  let refusal;
  while (!refusal && accepted < 400) {
    const result = await server.tool('vector_upsert', { collection: 'v', points: batch(accepted) });
    if (result.isError) refusal = result.content[0].text;
    else ++accepted;
  }
  assert.ok(refusal, 'the disk never became full');
  assert.ok(accepted > 0, refusal);
  assert.match(refusal, /space|disk|full|file (is )?too large/i);
  // The disk may have become full between what keeps a write and what shows it.
  const kept = /was stored/.test(refusal) ? 1 : 0;
  t.diagnostic(kept ? 'the last write was stored, not shown' : 'the last write was not stored');

  // Reads go on, and what failed is not there by halves.
  assert.equal(await server.count('v'), accepted * 20);
  const seen = await server.ok('memory_get', { collection: 'v', ids: ['b0-0', `b${accepted}-0`] });
  assert.deepEqual(
    seen.items.map((item) => item.id),
    ['b0-0'],
  );
  assert.ok(
    (await server.tool('vector_upsert', { collection: 'v', points: batch(accepted) })).isError,
  );
  await server.close();

  disk.freeSpace();
  server = disk.start(env);
  assert.equal(await server.count('v'), (accepted + kept) * 20);
  await server.ok('vector_upsert', { collection: 'v', points: batch(accepted) });
  assert.equal(await server.count('v'), (accepted + 1) * 20);
  for (let number = 0; number <= accepted; ++number) {
    const { items } = await server.ok('memory_get', { collection: 'v', ids: [`b${number}-19`] });
    assert.deepEqual(items[0].metadata, batch(number)[19].metadata);
  }
  await server.close();
});

/// A server on a directory that it cannot write to.
async function onReadOnly(t, dir, env) {
  if (canMount) {
    const space = await mountNamespace(
      t,
      'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"',
      dir,
    );
    return space.start(env);
  }
  t.diagnostic('no mounting here: permissions stand in for the read-only disk');
  for (const name of [...readdirSync(dir, { recursive: true }), '.']) {
    const path = join(dir, name);
    chmodSync(path, statSync(path).isDirectory() ? 0o555 : 0o444);
  }
  t.after(() => spawnSync('chmod', ['-R', 'u+w', dir]));
  return isRoot
    ? startServer(t, env, {
        command: 'setpriv',
        args: ['--reuid=65534', '--regid=65534', '--clear-groups', quiver, 'mcp'],
      })
    : startServer(t, env);
}

test('a read-only directory', async (t) => {
  for (const [name, fill] of Object.entries({ 'with data': true, 'that is empty': false })) {
    await t.test(name, async (t) => {
      const dir = tempDir(t);
      const env = environment(dir);
      if (fill) {
        const writer = startServer(t, env);
        await writer.ok('collection_create', { name: 'v', dimension: 2 });
        await writer.ok('vector_upsert', {
          collection: 'v',
          points: [{ id: 'a', vector: [1, 2] }],
        });
        await writer.close();
      }
      const server = await onReadOnly(t, dir, env);
      assert.ok((await server.modern('server/discover')).result);
      const result = await server.tool('vector_upsert', {
        collection: 'v',
        points: [{ id: 'b', vector: [2, 1] }],
      });
      assert.ok(result.isError);
      assert.match(result.content[0].text, /read-only|permission|denied|writ/i);
      assert.match(result.content[0].text, new RegExp(dir));
      await server.assertAlive();
      await server.close();
    });
  }
});

test('a data directory of a newer format', async (t) => {
  const dir = tempDir(t);
  const env = environment(dir);
  let server = startServer(t, env);
  await server.ok('collection_create', { name: 'v', dimension: 2 });
  await server.ok('vector_upsert', { collection: 'v', points: [{ id: 'a', vector: [1, 2] }] });
  await server.close();

  const manifests = readdirSync(env.QV_DATA_DIR, { recursive: true })
    .map((name) => join(env.QV_DATA_DIR, name))
    .filter((path) => basename(path) === 'MANIFEST');
  assert.equal(manifests.length, 1);
  const written = readFileSync(manifests[0], 'utf8');
  const { format } = JSON.parse(written);
  writeFileSync(manifests[0], JSON.stringify({ ...JSON.parse(written), format: 999 }));

  server = startServer(t, env);
  for (const [tool, args] of [
    ['vector_upsert', { points: [{ id: 'b', vector: [2, 1] }] }],
    ['vector_scroll', {}],
    ['collection_info', {}],
  ]) {
    const result = await server.tool(tool, { collection: 'v', ...args });
    assert.ok(result.isError, tool);
    assert.match(result.content[0].text, new RegExp(`format 999.*format ${format}`));
  }
  // What is not touched by it goes on.
  await server.ok('collection_create', { name: 'w', dimension: 2 });
  await server.ok('vector_upsert', { collection: 'w', points: [{ id: 'c', vector: [1, 1] }] });
  const { collections } = await server.ok('collection_list');
  assert.match(collections.find((one) => one.name === 'v').problem, /format 999/);
  await server.close();

  writeFileSync(manifests[0], written);
  server = startServer(t, env);
  const { items } = await server.ok('vector_scroll', { collection: 'v' });
  assert.deepEqual(
    items.map((item) => item.id),
    ['a'],
  );
  await server.close();
});
