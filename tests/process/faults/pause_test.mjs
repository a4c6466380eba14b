// Servers that are stopped, killed and started again while clients work.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { Clients } from './clients.mjs';
import { allUp } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { ask, attempt } from './calls.mjs';
import { allIsRight } from './verdict.mjs';

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

test('kill -9 of each server in turn under writes', { timeout }, async (t) => {
  const cluster = await pond(t);
  const clients = new Clients(cluster.servers, { seed });
  clients.start(6);
  for (const server of cluster.servers) {
    await clients.more(100, { kind: 'write' });
    await server.program.destroy();
    await clients.more(30);
    server.start();
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
  }
  await allUp(cluster.servers);
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

test('a server stands still for 20 s', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t);
  const { servers: [a, b] } = cluster;
  const clients = new Clients(cluster.servers, { seed: seed + 1 });
  clients.start(6);
  await clients.more(200);
  // Calls that it has taken, and that come meanwhile, are answered late or never: what then shows
  // must be explained by their time under way.
  b.program.pause();
  const began = Date.now();
  await until(async () => {
    const { nodes } = await ask(a, 'cluster_list_nodes');
    return nodes.some(({ name, up }) => name === b.label && !up);
  }, `${a.label} misses ${b.label}`, longMs);
  await clients.more(100);
  await pause(Math.max(0, 20_000 - (Date.now() - began)));
  b.program.goOn();
  await allUp(cluster.servers);
  await clients.more(100);
  await clients.stop();
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});

test('a rolling restart', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t);
  const clients = new Clients(cluster.servers, { seed: seed + 2 });
  clients.start(4);
  for (const server of cluster.servers) {
    await clients.more(100);
    clients.servers = cluster.servers.filter((one) => one !== server);
    server.program.kill('SIGTERM');
    assert.equal((await server.program.exit()).code, 0, server.log().slice(-2000));
    server.start();
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
    await allUp(cluster.servers);
    clients.servers = [...cluster.servers];
  }
  await clients.stop();
  // With one copy the shards of a server that is restarted are away: told as such, and nothing
  // else. Calls that it was asked for itself as it ended may be cut off.
  const told = /^unavailable|^deadline_exceeded|^network/;
  const strange = [...clients.problems.keys()].filter((text) => !told.test(text));
  assert.deepEqual(strange, []);
  await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
});

test('the server is asked that stood still', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t);
  const { servers: [a, b] } = cluster;
  const clients = new Clients([b], { seed: seed + 3, keys: 20 });
  for (const key of clients.keys) assert.equal((await clients.write(b, key)).outcome, 'ok');
  a.program.pause();
  const asked = clients.keys.map((key) => clients.write(a, key));
  for (const key of clients.keys) await clients.delete(b, key);
  a.program.goOn();
  await Promise.all(asked);
  await allUp(cluster.servers);
  clients.servers = cluster.servers;
  assert.equal((await attempt(a, 'collection_list')).outcome, 'ok');
  await allIsRight(t, cluster, clients, `seed ${seed + 3}`);
});
