// Collections with several copies of each shard, on clusters of real processes whose servers are
// killed, lose their disks, and come back, while clients write.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { freePorts, longMs, ok, refused, serve, tool } from './cluster_support.mjs';
import { Clients, collection } from './faults/clients.mjs';
import { allUp, operationEnded } from './faults/fault_cluster.mjs';
import { takesWrites } from './faults/scenario.mjs';
import { allIsRight } from './faults/verdict.mjs';
import { Stones, firstLeader, replicated } from './replicas_support.mjs';
import { holders, inSync, leader, shardRecords } from './shard_records.mjs';
import { environment, tempDir, until } from './support.mjs';

const timeout = 900_000;
const seed = Number(process.env.QUIVER_FAULT_SEED ?? 31);
const small = { seed, keys: 24, pauseMs: 2 };

const distribution = (node) =>
  ok(node, 'cluster_get_shard_distribution', { collection });

/// What every server tells of the shards is what the store says: each has `replicas` copies.
async function assertShown(cluster) {
  const records = await cluster.whole();
  const names = new Map(cluster.nodes.map(({ id, label }) => [id, label]));
  for (const node of cluster.nodes) {
    await until(async () => (await distribution(node)).copies_missing === 0,
      `${node.label} misses no copy`, longMs);
    for (const { copies } of (await distribution(node)).shards) {
      assert.equal(copies.length, cluster.replicas);
      assert.equal(copies.filter(({ state }) => state === 'primary').length, 1);
      assert.equal(new Set(copies.map(({ node: name }) => name)).size, cluster.replicas);
      for (const { node: name } of copies) assert.ok([...names.values()].includes(name), name);
    }
  }
  return records;
}

test('each copy has all that was acknowledged', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 3 });
  const { nodes } = cluster;
  await assertShown(cluster);
  const info = await ok(nodes[1], 'collection_info', { collection });
  assert.equal(info.replicas, 3);
  const stones = await Stones.make(cluster);
  const clients = new Clients(nodes, small);
  clients.start(3);
  await clients.more(150);
  // Whoever is alone answers from its own copies. The second one was away meanwhile: what it has of
  // that time it was given when it came back.
  for (const survivor of [nodes[2], nodes[0]]) {
    const others = nodes.filter((node) => node !== survivor);
    clients.servers = [survivor];
    await Promise.all(others.map((node) => node.kill()));
    await takesWrites(clients, [survivor]);
    await clients.readAll([survivor]);
    await until(() => stones.found(survivor), `${survivor.label} answers searches`, longMs);
    for (let i = 0; i < 10; ++i) assert.ok(await stones.found(survivor, i));
    for (const node of others) node.start();
    for (const node of others) await node.joined();
    await cluster.whole();
    clients.servers = nodes;
  }
  await clients.stop();
  await assertShown(cluster);
  await allIsRight(t, { servers: nodes }, clients, `seed ${seed}`);
});

test('the server of a primary dies under writes and returns', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 2, shards: 4 });
  const { nodes } = cluster;
  const stones = await Stones.make(cluster);
  const clients = new Clients(nodes, { ...small, deletes: 0.25 });
  clients.start(3);
  await clients.more(150);
  const victim = await firstLeader(cluster);
  const survivors = nodes.filter((node) => node !== victim);
  clients.servers = survivors;
  const searches = stones.watch(survivors);
  const killed = performance.now();
  await victim.kill();
  // Nobody has been promoted yet; copies answer searches all the same.
  for (const node of survivors) {
    await until(() => stones.found(node), `${node.label} answers a search`, longMs);
  }
  const since = () => `${(performance.now() - killed).toFixed()} ms after the kill`;
  t.diagnostic(`both answered a search ${since()}`);
  await takesWrites(clients, survivors);
  t.diagnostic(`all keys written ${since()}`);
  const records = await shardRecords(cluster.etcd.url);
  for (const record of records) assert.notEqual(leader(record), victim.id);
  const { answered, refused: late } = await searches.stop();
  t.diagnostic(`searches beside it: ${answered} right, ${late} refused`);
  await clients.readAll(survivors);

  victim.start();
  await victim.joined();
  await cluster.whole();
  clients.servers = nodes;
  await allUp(nodes);
  await clients.more(30);
  await clients.stop();
  await assertShown(cluster);
  for (const node of nodes) assert.ok(await stones.found(node, 1), node.label);
  await allIsRight(t, { servers: nodes }, clients, `seed ${seed}`);
});

test('each server is told to end under writes and returns', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 3 });
  const { nodes } = cluster;
  const clients = new Clients(nodes, small);
  clients.start(3);
  await clients.more(100);
  for (const node of nodes) {
    const others = nodes.filter((one) => one !== node);
    clients.servers = others;
    await node.end();
    // It must not have left as the only one that has everything.
    await takesWrites(clients, others);
    node.start();
    await node.joined();
    await cluster.whole();
    clients.servers = nodes;
  }
  await allUp(nodes);
  await clients.stop();
  await allIsRight(t, { servers: nodes }, clients, `seed ${seed}`);
});

test('all servers and etcd are killed under writes', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 3 });
  const { nodes, etcd } = cluster;
  const stones = await Stones.make(cluster);
  const clients = new Clients(nodes, { ...small, deletes: 0.25 });
  clients.start(4);
  await clients.more(200);
  await Promise.all(nodes.map((node) => node.kill()));
  process.kill(etcd.pid, 'SIGKILL');
  await clients.stop();
  for (const node of nodes) node.start();
  for (const node of nodes) await node.joined();
  await cluster.whole();
  await allUp(nodes);
  await takesWrites(clients, nodes);
  for (const node of nodes) {
    await until(() => stones.found(node), `${node.label} answers searches`, longMs);
  }
  await assertShown(cluster);
  await allIsRight(t, { servers: nodes }, clients, `seed ${seed}`);
});

test('a server loses its disk; its copies are made anew', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 2 });
  const { nodes } = cluster;
  const lost = await firstLeader(cluster);
  const [a, b] = nodes.filter((node) => node !== lost);
  const stones = await Stones.make(cluster);
  const clients = new Clients([a, b], small);
  clients.start(3);
  await clients.more(100);
  await lost.kill();
  rmSync(lost.data_dir, { recursive: true });
  // An empty disk is another server, and no place for what the first one had.
  const stranger = lost.start();
  assert.notEqual((await stranger.exit()).code, 0);
  assert.match(stranger.stderr, /whose data is not in this directory/);
  await takesWrites(clients, [a, b]);
  const removal = { node_id: lost.label, dry_run: false };
  const { operation_id: id } = await ok(a, 'cluster_remove_node', removal);
  assert.equal((await operationEnded(b, id)).state, 'done');
  await cluster.whole([a, b]);

  lost.start();
  await lost.joined();
  await allUp(nodes);
  const { nodes: listed } = await ok(a, 'cluster_list_nodes');
  const former = lost.id;
  lost.id = listed.find(({ name }) => name === lost.label).id;
  assert.notEqual(lost.id, former);
  // What was made anew is whole: it answers without that which it was made from.
  clients.servers = [b];
  await a.kill();
  await takesWrites(clients, [b]);
  await clients.readAll([b]);
  await until(() => stones.found(b), `${b.label} answers searches`, longMs);
  a.start();
  await a.joined();
  await cluster.whole();
  await allUp(nodes);
  await clients.stop();
  clients.servers = nodes;
  await allIsRight(t, { servers: nodes }, clients, `seed ${seed}`);
});

test('copies move, a server is drained and removed, under load', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 2 });
  const { nodes } = cluster;
  const of = (id) => nodes.find((node) => node.id === id);
  const stones = await Stones.make(cluster);
  const clients = new Clients(nodes, small);
  clients.start(3);
  await clients.more(50);
  const at = async (shard) => (await shardRecords(cluster.etcd.url))
    .find((record) => record.key.endsWith(`/${shard}`) && record.key.includes(cluster.collection));
  cluster.collection = (await ok(nodes[0], 'collection_info', { collection })).id ?? '';
  const searches = stones.watch(nodes);
  for (const who of ['copy', 'primary']) {
    const before = await at(0);
    const primary = leader(before);
    const copy = holders(before).find((id) => id !== primary);
    const free = nodes.find(({ id }) => !holders(before).includes(id));
    const from = who === 'copy' ? copy : primary;
    const move = { collection, shard: 0, from: of(from).label, to: free.label };
    const there = { ...move, to: of(from === copy ? primary : copy).label };
    assert.match(await refused(nodes[0], 'cluster_move_shard', there), /already/);
    const nowhere = { ...move, from: free.label, to: of(copy).label };
    assert.ok((await tool(nodes[0], 'cluster_move_shard', nowhere)).isError);
    const { operation_id: id } = await ok(free, 'cluster_move_shard', move);
    assert.equal((await operationEnded(free, id)).state, 'done');
    const after = await at(0);
    const stays = from === copy ? primary : copy;
    assert.deepEqual(holders(after), [stays, free.id].sort(), `the ${who} has moved`);
    assert.deepEqual(inSync(after), holders(after));
    t.diagnostic(`the ${who} of shard 0 went from ${of(from).label} to ${free.label}`);
  }

  const [leaving, ...staying] = nodes;
  clients.servers = staying;
  const removal = { node_id: leaving.label, dry_run: false };
  const { operation_id: id } = await ok(staying[0], 'cluster_remove_node', removal);
  assert.equal((await operationEnded(staying[1], id)).state, 'done');
  const { answered, refused: late } = await searches.stop();
  await cluster.whole(staying);
  const listed = (await ok(staying[0], 'cluster_list_nodes')).nodes.map(({ name }) => name).sort();
  assert.deepEqual(listed, staying.map(({ label }) => label).sort());
  await clients.more(30);
  await clients.stop();
  for (const [text, n] of clients.problems) t.diagnostic(`${n} times ${text}`);
  t.diagnostic(`searches beside it: ${answered} right, ${late} refused`);
  await allIsRight(t, { servers: staying }, clients, `seed ${seed}`);
});

test('more copies than servers are refused', { timeout }, async (t) => {
  const cluster = await replicated(t, { replicas: 2 });
  const { nodes } = cluster;
  const wanted = { name: 'many', dimension: 2, replicas: 4 };
  const why = await refused(nodes[0], 'collection_create', wanted);
  assert.match(why, /failed_precondition/);
  assert.match(why, /4 copies of each shard/);
  assert.match(why, /there are 3/);
  for (const replicas of [0, -1, 10, 1.5, '2', null]) {
    const answer = await refused(nodes[1], 'collection_create', { ...wanted, replicas });
    assert.match(answer, /invalid_argument/);
    assert.match(answer, /replicas/);
  }
  // What is made can be written at once.
  const fresh = { name: 'fresh', dimension: 2, metric: 'euclidean', shards: 2, replicas: 3 };
  await ok(nodes[1], 'collection_create', fresh);
  const points = [{ id: 1, vector: [1, 2] }, { id: 2, vector: [2, 1] }];
  await ok(nodes[0], 'vector_upsert', { collection: 'fresh', points });
  await ok(nodes[2], 'collection_delete', { collection: 'fresh', confirm: 'fresh' });
  // How many there are is decided once.
  const other = await refused(nodes[2], 'collection_create', {
    name: collection, dimension: 8, metric: 'euclidean', shards: 3, replicas: 3,
  });
  assert.match(other, /already_exists/);
  assert.match(other, /replicas is 2, asked for 3/);
  const { collections } = await ok(nodes[0], 'collection_list');
  assert.deepEqual(collections.map(({ name }) => name), [collection]);

  const [port] = await freePorts(1);
  const alone = serve(t, environment(tempDir()), ['--port', String(port)]);
  await until(() => alone.stderr.includes('/mcp'), 'it serves');
  const node = { mcp_url: `http://127.0.0.1:${port}/mcp` };
  const lonely = await refused(node, 'collection_create', { ...wanted, replicas: 2 });
  assert.match(lonely, /failed_precondition/);
  assert.match(lonely, /replicas|copies/);
  assert.deepEqual((await ok(node, 'collection_list')).collections, []);
  await ok(node, 'collection_create', { ...wanted, replicas: 1 });
});
