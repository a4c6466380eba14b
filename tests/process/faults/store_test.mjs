// What etcd's troubles do to a cluster that has three of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { attempt } from './calls.mjs';
import { Clients } from './clients.mjs';
import { allUp } from './fault_cluster.mjs';
import { everything, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

async function leaderOf(stores) {
  return await until(async () => {
    for (const store of stores) if (store.program.running && (await store.isLeader())) return store;
    return undefined;
  }, 'etcd has a leader', longMs);
}

const makes = (server, name) =>
  until(async () => (await attempt(server, 'collection_create', { name, dimension: 2 })).outcome ===
    'ok', `${server.label} makes ${name}`, longMs);

test('the leader of etcd is killed, stands still, is cut off', { timeout, skip: everything },
  async (t) => {
    const cluster = await pond(t, { stores: 3 });
    const { network, servers: [a, b, c], stores } = cluster;
    const clients = new Clients(cluster.servers, { seed });
    clients.start(4);
    await clients.more(100);
    const since = performance.now();

    const killed = await leaderOf(stores);
    await killed.program.destroy();
    // A server dies at the same moment: who is a member must be found out without that leader.
    await b.program.destroy();
    await makes(a, 'one');
    b.start();
    await until(() => b.isReady(), `${b.label} is ready`, longMs);
    killed.start();

    const stopped = await leaderOf(stores);
    stopped.program.pause();
    await makes(b, 'two');
    await clients.more(50);
    stopped.program.goOn();

    const cut = await leaderOf(stores);
    for (const { host } of [...stores, a, b, c]) network.part(host, cut.host);
    await makes(c, 'three');
    await clients.more(50);
    network.heal();

    await allUp(cluster.servers);
    await clients.stop();
    for (const [text] of clients.problems) {
      assert.doesNotMatch(text, /coordination store/, 'reads and writes need no etcd');
    }
    t.diagnostic(`${clients.counts(since).ok} operations acknowledged meanwhile`);
    await allIsRight(t, cluster, clients, `seed ${seed}`);
  });

test('all etcds are killed, and a server that is started meanwhile', { timeout, skip: everything },
  async (t) => {
    const cluster = await pond(t, { stores: 3 });
    const { servers: [a, b, c], stores } = cluster;
    const clients = new Clients([a, b], { seed: seed + 1 });
    clients.start(4);
    await clients.more(100);
    for (const { program } of stores) await program.destroy();
    for (const server of [a, b, c]) {
      await until(() => server.log().includes('lease_lost'), `${server.label} misses etcd`, longMs);
    }
    await clients.more(100, { kind: 'write' });
    // It has what was acknowledged before it was killed, to read; writes wait for etcd.
    await c.program.destroy();
    c.start();
    await until(async () => {
      assert.ok(c.program.running, c.log().slice(-2000));
      return (await attempt(c, 'collection_list')).outcome === 'ok';
    }, `${c.label} serves reads`, longMs);
    await clients.more(100);
    for (const server of [a, b, c]) assert.ok(server.program.running, server.label);
    for (const store of stores) store.start();
    await until(() => c.isReady(), `${c.label} is ready`, longMs);
    await makes(c, 'late');
    await allUp(cluster.servers);
    await clients.stop();
    clients.servers = cluster.servers;
    await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
  });
