// Shards with three copies on three servers, and a primary that is cut off, stands still, or loses
// etcd. Whoever may not write or read then says so; the others go on; the history is judged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { ask } from './calls.mjs';
import { Clients, collection } from './clients.mjs';
import { allUp, idsOf, placement, recordsOf, wholeAgain } from './fault_cluster.mjs';
import { leader } from '../shard_records.mjs';
import { RecordWatch } from './records.mjs';
import { everything, pond, seed, takesWrites, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/// A cluster whose clients work: {cluster, clients, primary, others}; finish() judges it.
async function begin(t, number, options = {}) {
  const cluster = await pond(t, { copies: 3, ...options });
  const records = new RecordWatch(cluster.stores);
  t.after(() => records.stop());
  const clients = new Clients(cluster.servers, {
    seed: seed + number, pauseMs: 2, keys: options.keys ?? 60,
  });
  clients.start(6);
  await clients.more(200);
  const [name] = await placement(cluster.servers, collection);
  const primary = cluster.servers.find(({ label }) => label === name);
  const others = cluster.servers.filter((one) => one !== primary);
  const finish = async () => {
    await allUp(cluster.servers);
    await wholeAgain(cluster);
    clients.servers = [...cluster.servers];
    await clients.more(100);
    await clients.stop();
    for (const [text, n] of clients.problems) t.diagnostic(`${n} times ${text}`);
    assert.deepEqual(await records.stop(), []);
    await allIsRight(t, cluster, clients, `seed ${seed + number}`);
  };
  return { cluster, clients, primary, others, finish };
}

/// Writes of all keys through `servers`, and how long it took until they were taken.
async function resumes(t, what, clients, servers) {
  const since = performance.now();
  await takesWrites(clients, servers);
  t.diagnostic(`${what}: all keys take writes after ${(performance.now() - since).toFixed()} ms`);
}

/// Writes of all keys, each through any of `servers`, and how long it took until they were taken.
async function resumesSomewhere(t, what, clients, servers) {
  const since = performance.now();
  // Who was of use last comes first: others may be asked in vain for seconds.
  const order = [...servers];
  for (const key of clients.keys) {
    await until(async () => {
      for (const server of [...order]) {
        if ((await clients.write(server, key)).outcome !== 'ok') continue;
        order.splice(order.indexOf(server), 1);
        order.unshift(server);
        return true;
      }
      return false;
    }, `${key} is written through any server`, longMs);
  }
  t.diagnostic(`${what}: all keys take writes after ${(performance.now() - since).toFixed()} ms`);
}

test('a primary is cut off from its copies', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, others, finish } = await begin(t, 0, { keys: 20 });
  const { network } = cluster;
  // Both sides reach etcd: whoever is first there goes on, shard by shard, alone or with the other
  // one; those on the other side then cannot be served.
  for (const other of others) network.part(primary.host, other.host);
  await resumesSomewhere(t, 'on one of the sides', clients, cluster.servers);
  await clients.more(50);
  network.heal();
  await finish();
});

test('a primary is cut off from etcd alone', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, finish } = await begin(t, 1);
  const { network, stores } = cluster;
  for (const store of stores) network.part(primary.host, store.host);
  await until(() => primary.log().includes('lease_lost'), `${primary.label} misses etcd`, longMs);
  // Its copies hear it, so that it goes on, or whoever is promoted does.
  await resumes(t, 'without etcd', clients, cluster.servers);
  await clients.more(100, { kind: 'write' });
  network.heal();
  await finish();
});

test('a primary is cut off from copies and etcd', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, others, finish } = await begin(t, 2);
  const { network, stores } = cluster;
  for (const { host } of [...others, ...stores]) network.part(primary.host, host);
  // Some go on to ask the one that is cut off: what it answers must still be true.
  await resumes(t, 'through the others', clients, others);
  await clients.more(100);
  const own = (await idsOf(others[0])).get(primary.label);
  for (const record of await recordsOf(cluster)) assert.notEqual(leader(record), own);
  network.heal();
  await finish();
});

test('what a primary sends is lost; what it is sent', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, others, finish } = await begin(t, 3, { keys: 20 });
  const { network } = cluster;
  const [first] = others;
  for (const [what, cut] of [
    ['sends one copy', () => network.cut(primary.host, first.host)],
    ['is sent by one copy', () => network.cut(first.host, primary.host)],
    ['sends all', () => others.forEach(({ host }) => network.cut(primary.host, host))],
    ['is sent by all', () => others.forEach(({ host }) => network.cut(host, primary.host))],
  ]) {
    cut();
    await resumesSomewhere(t, `what it ${what} is lost`, clients, cluster.servers);
    network.heal();
    await allUp(cluster.servers);
    await wholeAgain(cluster);
    clients.servers = [...cluster.servers];
    await clients.more(50);
  }
  await finish();
});

test('a primary stands still for 20 s', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, others, finish } = await begin(t, 4);
  primary.program.pause();
  const began = Date.now();
  await resumes(t, 'through the others', clients, others);
  await clients.more(100);
  await pause(Math.max(0, 20_000 - (Date.now() - began)));
  // Asked in the moment in which it goes on: it must not answer with what it had.
  const asked = clients.keys.map((key) => clients.read(primary, key));
  primary.program.goOn();
  await Promise.all(asked);
  await allUp(cluster.servers);
  await finish();
});

test('the leader of etcd dies beside a primary', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, others, finish } = await begin(t, 5, { stores: 3 });
  const { stores } = cluster;
  const head = await until(async () => {
    for (const store of stores) if (await store.isLeader()) return store;
    return undefined;
  }, 'etcd has a leader', longMs);
  clients.servers = others;
  await Promise.all([head.program.destroy(), primary.program.destroy()]);
  await resumes(t, 'without both', clients, others);
  head.start();
  primary.start();
  await until(() => primary.isReady(), `${primary.label} is ready`, longMs);
  await finish();
});

test('no etcd for a minute', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, finish } = await begin(t, 6);
  const { stores: [store], servers } = cluster;
  const since = performance.now();
  await store.program.destroy();
  const began = Date.now();
  await resumes(t, 'without etcd', clients, servers);
  while (Date.now() - began < 60_000) await clients.more(50, { kind: 'write' });
  const { refused, unknown } = clients.counts(since);
  // While every copy answers nobody needs etcd.
  assert.equal(refused + unknown, 0, [...clients.problems].join('\n'));
  for (const { program, label } of servers) assert.ok(program.running, label);
  store.start();
  await until(async () => (await store.status())?.leader !== undefined, 'etcd is back', longMs);
  await ask(servers[0], 'collection_list');
  await finish();
});

test('a slow and lossy network between copies', { timeout, skip: everything }, async (t) => {
  const { cluster, clients, primary, finish } = await begin(t, 7);
  const { network } = cluster;
  network.rate(primary.host, 1000);
  await clients.more(100, { kind: 'write' });
  network.heal();
  if (network.can.has('loss')) {
    network.lose(primary.host, 0.15);
    await clients.more(50, { kind: 'write' });
    network.heal();
  } else {
    t.diagnostic('loss: not here, iptables is missing');
  }
  await finish();
});
