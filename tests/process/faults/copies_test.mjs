// Shards with several copies: primaries that die, copies that were away, points that were deleted
// meanwhile, restarts of all in turn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { ask, attempt } from './calls.mjs';
import { Clients, collection, dimension, metadataOf, vectorOf } from './clients.mjs';
import { allUp, placement, wholeAgain } from './fault_cluster.mjs';
import { RecordWatch } from './records.mjs';
import { everything, pond, seed, takesWrites, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

/// Records of the store that are looked at until the end.
function watched(t, cluster) {
  const records = new RecordWatch(cluster.stores);
  t.after(() => records.stop());
  return async () => assert.deepEqual(await records.stop(), []);
}

async function restart(server) {
  server.start();
  await until(() => server.isReady(), `${server.label} is ready`, longMs);
}

/// What one server alone says, the others being dead: the value of each key.
async function alone(cluster, survivor, clients) {
  const others = cluster.servers.filter((one) => one !== survivor);
  clients.servers = [survivor];
  for (const { program } of others) await program.destroy();
  await clients.readAll([survivor]);
  const values = new Map(clients.history.slice(-clients.keys.length)
    .filter(({ kind, outcome }) => kind === 'read' && outcome === 'ok')
    .map(({ key, value }) => [key, value]));
  for (const server of others) await restart(server);
  await allUp(cluster.servers);
  await wholeAgain(cluster);
  clients.servers = [...cluster.servers];
  return values;
}

test('kill -9 of each primary in turn under writes', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 3 });
  const recordsAreRight = watched(t, cluster);
  const clients = new Clients(cluster.servers, { seed, pauseMs: 2 });
  clients.start(6);
  for (const server of cluster.servers) {
    await clients.more(100, { kind: 'write' });
    const leaders = await placement(cluster.servers, collection);
    const led = leaders.filter((one) => one === server.label);
    const others = cluster.servers.filter((one) => one !== server);
    clients.servers = others;
    const killed = performance.now();
    await server.program.destroy();
    await takesWrites(clients, others);
    const ms = (performance.now() - killed).toFixed();
    t.diagnostic(`${server.label} led ${led.length} shards: all keys take writes after ${ms} ms`);
    await clients.more(50, { kind: 'write' });
    await restart(server);
    await allUp(cluster.servers);
    await wholeAgain(cluster);
    clients.servers = [...cluster.servers];
  }
  await clients.stop();
  for (const [text, n] of clients.problems) t.diagnostic(`${n} times ${text}`);
  await recordsAreRight();
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

/// Points that a copy lacks when it comes back: so many that giving them to it lasts.
async function writeMany(server, from, count) {
  for (let start = from; start < from + count; start += 200) {
    const points = Array.from({ length: 200 }, (_, i) => {
      const value = 1e6 + start + i;
      const padding = 'x'.repeat(400);
      return { id: `many-${value}`, vector: vectorOf(value), metadata: { value, padding } };
    });
    await ask(server, 'vector_upsert', { collection: 'many', points }, 60_000);
  }
}

test('a copy that was away is given what it lacks', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 3 });
  const { servers: [a, b, c], network } = cluster;
  await ask(a, 'collection_create', {
    name: 'many', dimension, metric: 'euclidean', shards: 2, replicas: 3,
  });
  await writeMany(a, 0, 1000);
  const clients = new Clients([a, b], { seed: seed + 1, pauseMs: 5 });
  clients.start(3);
  await clients.more(50);
  await c.program.destroy();
  await takesWrites(clients, [a, b]);
  await writeMany(b, 1000, 4000);
  // Slowly, so that it is killed again before it has all of it.
  network.rate(c.host, 4000);
  await restart(c);
  await clients.more(50);
  await c.program.destroy();
  await clients.more(50);
  network.heal();
  await restart(c);
  await allUp(cluster.servers);
  await wholeAgain(cluster);
  clients.servers = [c];
  // It alone has everything.
  for (const { program } of [a, b]) await program.destroy();
  const counted = { collection: 'many', count_only: true };
  await until(async () => (await attempt(c, 'vector_scroll', counted)).value?.count === 5000,
    `${c.label} counts 5000`, longMs);
  for (const server of [a, b]) await restart(server);
  await allUp(cluster.servers);
  await wholeAgain(cluster);
  await clients.stop();
  clients.servers = cluster.servers;
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});

test('what is deleted while a copy is away stays so', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 3 });
  const { servers } = cluster;
  const clients = new Clients(servers, { seed: seed + 2, keys: 30 });
  await takesWrites(clients, servers);
  for (const away of servers) {
    const others = servers.filter((one) => one !== away);
    await away.program.destroy();
    await takesWrites(clients, others);
    for (const [i, key] of clients.keys.entries()) {
      if (i % 2 === 0) continue;
      await until(async () => (await clients.delete(others[i % 2], key)).outcome === 'ok',
        `${key} is deleted`, longMs);
    }
    await restart(away);
    await allUp(servers);
    await wholeAgain(cluster);
    const values = await alone(cluster, away, clients);
    for (const [i, key] of clients.keys.entries()) {
      assert.equal(values.get(key) === null, i % 2 === 1, `I5: ${key} at ${away.label}`);
    }
  }
  // Nor behind a restart of all.
  for (const { program } of servers) await program.destroy();
  for (const server of servers) server.start();
  for (const server of servers) {
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
  }
  await allUp(servers);
  await wholeAgain(cluster);
  await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
});

test('eight clients, one point; then each copy alone', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 3, shards: 2 });
  const clients = new Clients(cluster.servers, { seed: seed + 3, keys: 1, deletes: 0.05 });
  clients.start(8);
  await clients.more(600);
  await clients.stop();
  const [key] = clients.keys;
  const values = [];
  for (const survivor of cluster.servers) {
    values.push((await alone(cluster, survivor, clients)).get(key));
  }
  assert.equal(new Set(values).size, 1, `I7: ${values}`);
  await allIsRight(t, cluster, clients, `seed ${seed + 3}`);
});

test('deletions by filter are the same on every copy', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 3, shards: 2 });
  const { servers } = cluster;
  const clients = new Clients(servers, { seed: seed + 4, keys: 80, deletes: 0 });
  clients.start(4);
  await clients.more(400);
  // Beside writes: each copy must have deleted what its primary found then.
  const bounds = { $gte: 100, $lt: 200 };
  for (const server of servers) {
    const args = { collection, filter: { value: bounds }, dry_run: false };
    await ask(server, 'memory_delete', args);
    await clients.more(50);
  }
  await clients.stop();
  const listed = [];
  for (const survivor of servers) {
    // Deletions by filter are none of the operations that the checker knows.
    const reader = new Clients(servers, { seed, keys: 80 });
    listed.push([...await alone(cluster, survivor, reader)].sort());
  }
  for (const values of listed) {
    assert.deepEqual(values, listed[0], 'I7');
    assert.ok(values.every(([, value]) => value === null || value < 100 || value >= 200), 'I5');
  }
});

test('a rolling restart, nothing is missed', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 3 });
  const clients = new Clients(cluster.servers, { seed: seed + 5, pauseMs: 2 });
  const reads = { answered: 0, again: 0 };
  let goes = true;
  // A reader that asks another server when one is gone, as any client does, and must be answered.
  const stones = Array.from({ length: 40 }, (_, i) => ({
    id: `stone-${i}`, vector: vectorOf(5e6 + i), metadata: metadataOf(`stone-${i}`, 5e6 + i),
  }));
  await ask(cluster.servers[0], 'collection_create', {
    name: 'stones', dimension, metric: 'euclidean', shards: 3, replicas: 3,
  });
  await ask(cluster.servers[0], 'vector_upsert', { collection: 'stones', points: stones });
  const reader = (async () => {
    for (let i = 0; goes; ++i) {
      const { id, vector } = stones[i % stones.length];
      const asked = { collection: 'stones', vector, limit: 1, exact: true };
      const there = clients.servers;
      const order = there.map((_, k) => there[(i + k) % there.length]);
      let found;
      for (const server of order) {
        const call = await attempt(server, 'vector_search', asked);
        if (call.outcome === 'ok') {
          found = call.value.hits[0]?.id;
          break;
        }
        reads.again += 1;
        t.diagnostic(`${server.label}: ${call.code}: ${call.message}`.slice(0, 200));
      }
      assert.equal(found, id, 'a search is answered by one of the servers, and finds');
      reads.answered += 1;
    }
  })();
  reader.catch(() => {});
  clients.start(4);
  for (const server of cluster.servers) {
    await clients.more(100);
    clients.servers = cluster.servers.filter((one) => one !== server);
    server.program.kill('SIGTERM');
    assert.equal((await server.program.exit()).code, 0, server.log().slice(-2000));
    await clients.more(50, { kind: 'write' });
    await restart(server);
    await allUp(cluster.servers);
    await wholeAgain(cluster);
    clients.servers = [...cluster.servers];
  }
  goes = false;
  await reader;
  await clients.stop();
  t.diagnostic(`${reads.answered} searches answered, ${reads.again} of them by the second asked`);
  for (const [text, n] of clients.problems) t.diagnostic(`${n} times ${text}`);
  await allIsRight(t, cluster, clients, `seed ${seed + 5}`);
});
