// Servers that die for good, come with an empty disk or at another address.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { freePorts, longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { ask, attempt } from './calls.mjs';
import { Clients, collection, dimension } from './clients.mjs';
import { allUp, operationEnded, placement } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

test('the first server of all dies for good and is removed', { timeout, skip: everything },
  async (t) => {
    const cluster = await pond(t);
    const [first, b, c] = cluster.servers;
    const clients = new Clients([b, c], { seed });
    clients.start(3);
    await clients.more(100);
    await clients.stop();
    await first.program.destroy();
    await until(async () => {
      const { nodes } = await ask(b, 'cluster_list_nodes');
      return nodes.some(({ name, up }) => name === first.label && !up);
    }, 'it is missed', longMs);

    // It had the only copy of shards: they are not given up in silence.
    const removal = { node_id: first.label, dry_run: false };
    const refused = await attempt(b, 'cluster_remove_node', removal);
    assert.equal(refused.code, 'unavailable', refused.message);
    assert.ok(refused.message.includes(collection), refused.message);
    await ask(b, 'collection_delete', { collection, confirm: collection });
    const { operation_id: id } = await ask(b, 'cluster_remove_node', removal);
    assert.equal((await operationEnded(c, id)).state, 'done');
    const { nodes } = await ask(c, 'cluster_list_nodes');
    assert.deepEqual(nodes.map(({ name }) => name).sort(), [b.label, c.label]);
    first.start();
    assert.equal((await first.program.exit()).code, 1);
    assert.match(first.log(), /was removed/);

    await ask(c, 'collection_create', {
      name: collection, dimension, shards: 4, metric: 'euclidean',
    });
    const owners = new Set(await placement([b, c], collection));
    assert.deepEqual([...owners].sort(), [b.label, c.label]);
    const later = new Clients([b, c], { seed: seed + 1, keys: 20 });
    later.start(3);
    await later.more(100);
    await later.stop();
    await allIsRight(t, { ...cluster, servers: [b, c] }, later, `seed ${seed}`);
  });

test('an empty disk at the address of another server', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { servers: 2 });
  const [a, b] = cluster.servers;
  await b.program.destroy();
  rmSync(b.home, { recursive: true });
  b.start();
  assert.notEqual((await b.program.exit()).code, 0);
  assert.match(b.log(), /whose data is not in this directory/);

  await ask(a, 'collection_delete', { collection, confirm: collection });
  const { operation_id: id } = await ask(a, 'cluster_remove_node', {
    node_id: b.label, dry_run: false,
  });
  assert.equal((await operationEnded(a, id)).state, 'done');
  b.start();
  await until(() => b.isReady(), `${b.label} is ready`, longMs);
  await allUp(cluster.servers);
});

test('a server comes back at another address', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { spare: 1 });
  const [a, b, c] = cluster.servers;
  const clients = new Clients([a, c], { seed: seed + 2 });
  clients.start(4);
  await clients.more(100);
  b.program.kill('SIGTERM');
  await b.program.exit();

  // The same disk in another machine.
  const moved = await cluster.makeServer('server-4', { disk: b.disk });
  moved.home = b.home;
  moved.settings['cluster.label'] = b.label;
  moved.settings.data_dir = `${b.home}/data`;
  moved.label = b.label;
  moved.start();
  await until(() => moved.isReady(), `${b.label} is ready at its new address`, longMs);
  cluster.servers = [a, moved, c];
  await allUp(cluster.servers);
  await clients.more(100);
  await clients.stop();
  clients.servers = cluster.servers;
  const { nodes } = await ask(a, 'cluster_list_nodes');
  assert.equal(nodes.length, 3);
  assert.equal(nodes.find(({ name }) => name === b.label).rpc_address, moved.address);
  await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
});

test('another port is another address', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t);
  const [a, b] = cluster.servers;
  const [port] = await freePorts(1);
  await cluster.network.expose(b.host, port);
  await b.program.destroy();
  b.settings['cluster.port'] = port;
  b.start();
  await until(() => b.isReady(), `${b.label} is ready at its new port`, longMs);
  await allUp(cluster.servers);
  await until(async () => {
    const call = await attempt(a, 'vector_scroll', { collection, count_only: true });
    return call.outcome === 'ok' && call.value.count === 0;
  }, 'all shards answer', longMs);
});
