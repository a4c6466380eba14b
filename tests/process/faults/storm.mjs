// A cluster under troubles of all kinds while clients work, and what is left of it afterwards.
import assert from 'node:assert/strict';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { ask } from './calls.mjs';
import { Clients, collection, dimension } from './clients.mjs';
import { mounts, smallDisk } from './disks.mjs';
import { allUp, faultCluster, wholeAgain } from './fault_cluster.mjs';
import { Nemesis } from './nemesis.mjs';
import { RecordWatch } from './records.mjs';
import { assertRight, recall, sameEverywhere } from './verdict.mjs';

/// Lines of a report; fails at the first thing that is not as it must be.
export async function storm(t, options) {
  const { seed, seconds, servers, stores, writers, readers, keys = 60, say } = options;
  const { troubleMs = 4000, pauseMs = 0, copies = 1 } = options;
  const shards = 2 * servers;
  const disks = mounts.tmpfs ? {} : { 'server-1': await smallDisk(t, 192) };
  const settings = { 'storage.exact_search_points': 20 };
  const cluster = await faultCluster(t, { servers, stores, disks, settings });
  Object.assign(cluster, { shards, copies });
  const where = `seed ${seed}`;
  await ask(cluster.servers[0], 'collection_create', {
    name: collection, dimension, metric: 'euclidean', shards, replicas: copies,
  });
  const records = new RecordWatch(cluster.stores);
  t.after(() => records.stop());
  const clients = new Clients(cluster.servers, { seed, keys, pauseMs });
  clients.start(writers, 'writes');
  clients.start(readers, 'reads');
  await clients.more(100);
  const nemesis = new Nemesis(cluster, { seed, longestMs: troubleMs, say });
  await nemesis.run({ ms: seconds * 1000 });

  await healed(cluster);
  const moves = await nemesis.moves();
  await wholeAgain(cluster, { ms: 2 * longMs });
  await clients.more(100);
  await clients.stop();
  await clients.readAll();
  const values = await sameEverywhere(cluster.servers);
  const found = await recall(cluster.servers, values, { seed });
  const { operations } = assertRight(clients, where);
  assert.deepEqual(await records.stop(), [], where);
  assert.ok(records.seen >= shards, 'the records of the shards were seen');
  const made = { moves, operations, values, found, copies, records: records.seen };
  const report = describe({ where, cluster, clients, nemesis, ...made });
  assert.deepEqual(moves.stuck, [], `${where}: moves that do not end`);
  assert.ok(found >= 0.99, `${where}: I11: recall is ${found}`);
  return report;
}

/// All are there again and take writes.
async function healed({ servers, stores }) {
  for (const store of stores) {
    await until(async () => (await store.status())?.leader !== undefined,
      `${store.label} is back`, longMs);
  }
  for (const server of servers) {
    await until(() => server.isReady(), `${server.label} is ready`, longMs);
  }
  await allUp(servers);
}

function describe({ where, cluster, clients, nemesis, moves, operations, values, ...rest }) {
  const { ok, refused, unknown } = clients.counts();
  const troubles = Object.entries(nemesis.counts()).sort((a, b) => b[1] - a[1]);
  const problems = [...clients.problems].sort((a, b) => b[1] - a[1]).slice(0, 8);
  return [
    `${where}; ${cluster.network.note}`,
    mounts.tmpfs ? `no full disk: ${mounts.tmpfs}` : 'full disk: a tmpfs of server-1',
    `${operations} operations: ${ok} acknowledged, ${refused} refused, ${unknown} unknown`,
    `${nemesis.done.length} troubles: ${troubles.map(([name, n]) => `${n} ${name}`).join('; ')}`,
    `moves: ${moves.done} done, ${moves.failed} failed, ${moves.refused} refused, ` +
      `${moves.stuck.length} stuck`,
    `${values.size} points, the same through every server; recall@10 ${rest.found.toFixed(3)}`,
    `copies of each shard: ${rest.copies}; ${rest.records} states of their records seen`,
    ...problems.map(([text, n]) => `${n} times ${text}`),
    '0 violations',
  ];
}
