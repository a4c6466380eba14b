// A cluster whose etcd is away while one of its servers is killed and started again: what the server
// does by the map of the cluster on its disk, and how all get together when etcd is back.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  fill,
  freePorts,
  ids,
  isAlive,
  longMs,
  makePond,
  nearest,
  ok,
  points,
  processesOf,
  refused,
  search,
  serve,
  token,
  tool,
} from './cluster_support.mjs';
import { Program, environment, tempDir, until } from './support.mjs';

/// An etcd that is nobody's child but the test's: {url, start(), kill()}.
async function externalEtcd(t) {
  const [client, peer] = await freePorts(2);
  const directory = join(tempDir(), 'etcd');
  const url = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const args = [
    ...['--name', 'etcd', '--data-dir', directory, '--unsafe-no-fsync'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `etcd=${peerUrl}`],
  ];
  let program;
  const etcd = {
    url,
    async start() {
      program = new Program('etcd', args, { env: process.env });
      await until(async () => {
        assert.equal(program.child.exitCode, null, program.stderr);
        try {
          return (await (await fetch(`${url}/health`)).json()).health === 'true';
        } catch {
          return false;
        }
      }, 'etcd serves', longMs);
    },
    async kill() {
      program.kill('SIGKILL');
      await program.exited;
    },
  };
  t.after(etcd.kill);
  await etcd.start();
  return etcd;
}

/// Three servers, each of which runs an etcd unless there is one at `endpoint`:
/// [{mcp_url, url, label, data, program, start()}]
async function servers(t, endpoint) {
  const ports = await freePorts(6);
  // The ports behind it are those of the etcd of a server: of an address of its own they are free.
  const host = (i) => (endpoint ? '127.0.0.1' : `127.0.77.${i + 1}`);
  const store = endpoint
    ? { 'cluster.coordination': 'etcd', 'cluster.endpoints': endpoint }
    : {
        'cluster.coordination': 'managed',
        'cluster.nodes': `[${[0, 1, 2].map((i) => `"${host(i)}:${ports[2 * i + 1]}"`)}]`,
      };
  return [0, 1, 2].map((i) => {
    const [http, rpc] = ports.slice(2 * i);
    const settings = {
      'server.port': http,
      ...store,
      'cluster.host': host(i),
      'cluster.port': rpc,
      'cluster.label': `server-${i}`,
      'cluster.heartbeat_ms': 200,
      'cluster.down_after_ms': 2000,
      'cluster.lease_s': 3,
    };
    const args = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const home = tempDir();
    const env = environment(home, { QV_CLUSTER_TOKEN: token });
    const url = `http://127.0.0.1:${http}`;
    const start = () => serve(t, env, args);
    return {
      url,
      start,
      mcp_url: `${url}/mcp`,
      label: `server-${i}`,
      data: join(home, 'data'),
      program: start(),
    };
  });
}

/// Its /readyz; the status as `code`, 0 while nothing listens.
async function ready({ url }) {
  try {
    const reply = await fetch(`${url}/readyz`);
    return { ...(await reply.json()), code: reply.status };
  } catch {
    return { code: 0 };
  }
}

async function figure({ url }, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

const isReady = async (node) => (await ready(node)).status === 'ready';
const point = ({ id, vector }) => ({ collection: 'pond', points: [{ id, vector }] });

/// All that was stored is there, as it was stored.
async function checkWhole(node, all) {
  for (const { vector } of all.slice(0, 25)) {
    assert.deepEqual(ids(await ok(node, 'vector_search', search(vector))), nearest(all, vector, 10));
  }
  const found = [];
  for (let cursor; ;) {
    const page = await ok(node, 'vector_scroll', { collection: 'pond', limit: 100, cursor });
    found.push(...page.items.map(({ id }) => id));
    cursor = page.next_cursor;
    if (cursor === undefined) break;
  }
  assert.deepEqual(found, all.map(({ id }) => id));
}

test('a server that is started without etcd reads, and writes again with it',
  { timeout: 600_000 }, async (t) => {
    const etcd = await externalEtcd(t);
    const nodes = await servers(t, etcd.url);
    const [a, b, c] = nodes;
    for (const node of nodes) {
      await until(() => isReady(node), `${node.label} is ready`, longMs);
    }
    // So that each gets its share of the shards.
    await until(async () => {
      const text = await (await fetch(`${a.url}/metrics`)).text();
      return text.match(/^quiver_node_up\{.*state="active".*\} 1$/gm)?.length === 3;
    }, `${a.label} sees all`);
    const all = points(300);
    await makePond(a);
    await fill(b, all);
    await until(async () => {
      const epoch = await figure(a, 'quiver_epoch');
      const onDisk = await figure(c, 'quiver_epoch_on_disk');
      return epoch > 0 && onDisk === epoch;
    }, 'the map is on the disk');

    await etcd.kill();
    c.program.kill('SIGKILL');
    await c.program.exited;
    c.program = c.start();
    const state = await until(async () => {
      assert.equal(c.program.child.exitCode, null, c.program.stderr);
      const now = await ready(c);
      return now.code === 200 && now;
    }, 'it serves again', longMs);
    assert.equal(state.status, 'reads_only');
    assert.match(state.reason, /coordination store/);
    assert.match(c.program.stderr, /cluster_map_from_disk/);
    assert.equal(await figure(c, 'quiver_takes_writes'), 0);
    for (const node of nodes) {
      await until(
        async () => !(await tool(node, 'vector_search', search(all[0].vector))).isError,
        `${node.label} reaches all shards`,
      );
      await checkWhole(node, all);
    }

    // It writes nothing, wherever the shard is; others write theirs.
    for (const one of all.slice(0, 12)) {
      const problem = await refused(c, 'vector_upsert', point(one));
      assert.match(problem, /unavailable/i);
      assert.match(problem, /coordination store/);
    }
    assert.match(await refused(c, 'collection_create', { name: 'late', dimension: 2 }),
      /coordination store/);
    let taken = 0;
    let left = 0;
    for (const one of all.slice(0, 40)) {
      const written = await tool(a, 'vector_upsert', point(one));
      if (!written.isError) {
        taken += 1;
        continue;
      }
      left += 1;
      const problem = written.content[0].text;
      assert.match(problem, /unavailable/i);
      assert.match(problem, /refuses writes until/);
      assert.ok(problem.includes(c.label), problem);
    }
    t.diagnostic(`${taken} writes taken by others, ${left} refused`);
    assert.ok(taken > 0 && left > 0, `${taken} taken, ${left} refused`);
    for (const node of [a, b]) assert.ok(await isReady(node), node.label);
    await checkWhole(b, all);

    await etcd.start();
    await until(() => isReady(c), 'it takes its place', longMs);
    await until(() => c.program.stderr.includes('cluster_joined'), 'it joins');
    const more = points(400);
    await until(
      async () => !(await tool(c, 'vector_upsert', point(more[300]))).isError,
      'it writes again',
    );
    await fill(c, more);
    await until(
      async () => !(await tool(b, 'collection_create', { name: 'late', dimension: 2 })).isError,
      'collections are made again',
      longMs,
    );
    for (const node of nodes) {
      assert.ok(isAlive(node.program.pid));
      await checkWhole(node, more);
      await until(
        async () =>
          (await figure(node, 'quiver_epoch')) === (await figure(b, 'quiver_epoch')) &&
          (await ok(node, 'collection_list')).collections.length === 2,
        `${node.label} sees the new collection`,
      );
    }
    for (const { program } of nodes) {
      program.kill('SIGTERM');
      assert.equal((await program.exit()).code, 0, program.stderr);
    }
  });

test('a server whose map is damaged waits for etcd', { timeout: 600_000 }, async (t) => {
  const etcd = await externalEtcd(t);
  const [a, b, c] = await servers(t, etcd.url);
  for (const node of [a, b, c]) {
    await until(() => isReady(node), `${node.label} is ready`, longMs);
  }
  for (const { program } of [a, b, c]) {
    program.kill('SIGTERM');
    await program.exit();
  }
  await etcd.kill();
  writeFileSync(join(c.data, 'VIEW'), 'quiver-view 1 5 0000000000000000\nwrong');
  c.program = c.start();
  await until(() => c.program.stderr.includes('cluster_map_not_used'), 'it says why', longMs);
  assert.match(c.program.stderr, /checksum/);
  const state = await ready(c);
  assert.equal(state.code, 503);
  await etcd.start();
  await until(() => isReady(c), 'it joins', longMs);
});

test('servers that run their own etcd are all started again', { timeout: 600_000 }, async (t) => {
  const nodes = await servers(t);
  for (const node of nodes) await until(() => isReady(node), `${node.label} is ready`, longMs);
  const [a, b, c] = nodes;
  const all = points(120);
  await makePond(a);
  await fill(b, all);
  for (const node of nodes) {
    await until(async () => {
      const epoch = await figure(a, 'quiver_epoch');
      return epoch > 0 && (await figure(node, 'quiver_epoch_on_disk')) === epoch;
    }, `the map is on the disk of ${node.label}`);
  }
  for (const { program } of nodes) program.kill('SIGKILL');
  for (const { program } of nodes) await program.exited;
  // An etcd ends a while after the server that ran it, and until then two of them decide.
  await until(() => nodes.every(({ data }) => processesOf(data).length === 0), 'etcd ends', longMs);

  // One of three etcds decides nothing, and one of three servers has some of the shards.
  a.program = a.start();
  await until(async () => (await ready(a)).status === 'reads_only', 'it reads', longMs);
  const part = await ok(a, 'vector_search', search(all[0].vector, { allow_partial: true }));
  assert.ok(part.hits.length > 0);
  assert.ok(part.missing_shards.length > 0);
  assert.match(await refused(a, 'vector_upsert', point(all[0])), /coordination store/);
  for (const node of [b, c]) node.program = node.start();
  for (const node of nodes) {
    await until(() => isReady(node), `${node.label} is ready again`, longMs);
    await until(
      async () => !(await tool(node, 'vector_search', search(all[0].vector))).isError,
      `${node.label} reaches all shards`,
    );
    await checkWhole(node, all);
    await fill(node, all.slice(0, 30));
  }
  for (const { program } of nodes) {
    program.kill('SIGTERM');
    assert.equal((await program.exit()).code, 0, program.stderr);
  }
});
