// Servers that do not reach each other, or their etcd, wholly, one way, slowly or by chance. With
// one copy of each shard what cannot be reached cannot be served: that must be said, nothing that
// was acknowledged may be missing, and all must be as before once the network is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../support.mjs';
import { longMs } from '../cluster_support.mjs';
import { ask, attempt } from './calls.mjs';
import { Clients, collection, dimension, point } from './clients.mjs';
import { allUp } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

/// A key whose shard `owner` has: written through the owner it must be there while others miss it.
async function keyOf(cluster, owner, asked, clients) {
  for (const key of clients.keys) {
    const { outcome, message } = await attempt(asked, 'memory_get', { collection, ids: [key] });
    if (outcome !== 'ok' && message.includes(owner.label)) return key;
  }
  throw new Error(`no key is at ${owner.label}`);
}

const seesDown = (server, other) =>
  until(async () => {
    const { nodes } = await ask(server, 'cluster_list_nodes');
    return nodes.some(({ name, up }) => name === other.label && !up);
  }, `${server.label} misses ${other.label}`, longMs);

/// What a server answers about points of another that it does not reach: a reason that names it.
async function assertHonest(server, other, key) {
  for (const [tool, args] of [
    ['vector_upsert', point(key, 1)],
    ['memory_get', { collection, ids: [key] }],
    ['vector_search', { collection, vector: Array(dimension).fill(0.1), limit: 5 }],
    ['vector_scroll', { collection, count_only: true }],
  ]) {
    const { outcome, code, message } = await attempt(server, tool, args);
    assert.equal(outcome, 'refused', `${tool}: ${message}`);
    assert.equal(code, 'unavailable', message);
    assert.ok(message.includes(other.label), message);
  }
}

test('cut off from another server, wholly and one way', { timeout }, async (t) => {
  const cluster = await pond(t);
  const { network, servers: [a, b, c] } = cluster;
  const clients = new Clients(cluster.servers, { seed });
  clients.start(6);
  await clients.more(200);
  for (const [what, cut] of [
    ['both ways', () => network.part(a.host, b.host)],
    ['what a sends', () => network.cut(a.host, b.host)],
    ['what a is sent', () => network.cut(b.host, a.host)],
  ]) {
    cut();
    await seesDown(a, b);
    await clients.more(100);
    const key = await keyOf(cluster, b, a, clients);
    await assertHonest(a, b, key);
    // Everybody else goes on, with both of them.
    await ask(c, 'vector_scroll', { collection, count_only: true });
    await ask(c, 'memory_get', { collection, ids: [key] });
    await ask(b, 'memory_get', { collection, ids: [key] });
    network.heal();
    await allUp(cluster.servers);
    await clients.more(50);
    t.diagnostic(`${what}: missed, told, and healed`);
  }
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

test('cut off from all servers, and from etcd alone', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t);
  const { network, stores: [store], servers: [a, b, c] } = cluster;
  const clients = new Clients(cluster.servers, { seed: seed + 1 });
  clients.start(6);
  await clients.more(200);

  network.part(a.host, store.host);
  await until(() => a.log().includes('lease_lost'), `${a.label} misses etcd`, longMs);
  await clients.more(200, { kind: 'write' });
  // It still has its shards, reads and writes: nobody but etcd is away.
  for (const key of clients.keys.slice(0, 12)) {
    for (const server of [a, b, c]) assert.equal((await clients.write(server, key)).outcome, 'ok');
  }
  const made = await attempt(a, 'collection_create', { name: 'late', dimension: 2 });
  assert.notEqual(made.outcome, 'ok');
  assert.match(made.message, /coordination store|etcd/);
  network.heal();
  await until(async () =>
    (await attempt(a, 'collection_create', { name: 'later', dimension: 2 })).outcome === 'ok',
  `${a.label} makes collections again`, longMs);

  for (const other of [b, c]) network.part(a.host, other.host);
  for (const other of [b, c]) await seesDown(a, other);
  await seesDown(b, a);
  await clients.more(100);
  const part = await ask(a, 'vector_search', {
    collection, vector: Array(dimension).fill(0.1), limit: 5, allow_partial: true,
  });
  const own = cluster.owners.filter((owner) => owner === a.label).length;
  assert.equal(part.missing_shards.length, cluster.owners.length - own);
  network.heal();
  await allUp(cluster.servers);
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});

test('a slow and lossy network', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t);
  const { network, servers: [a, b] } = cluster;
  const clients = new Clients(cluster.servers, { seed: seed + 2 });
  clients.start(6);
  await clients.more(100);
  network.rate(a.host, 2000);
  await clients.more(100);
  network.heal();
  if (network.can.has('loss')) {
    network.lose(b.host, 0.1);
    await clients.more(100);
    network.heal();
  } else {
    t.diagnostic('loss: not here, iptables is missing');
  }
  if (network.can.has('delay')) {
    network.delay(a.host, 50);
    await clients.more(100);
    network.heal();
  } else {
    t.diagnostic('delay: only with proxies (QUIVER_FAULT_NETWORK=proxies)');
  }
  if (network.can.has('link')) {
    network.link(b.host, false);
    await seesDown(a, b);
    network.heal();
  }
  await allUp(cluster.servers);
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
});
