// What the scenarios have in common.
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { ask } from './calls.mjs';
import { collection, dimension } from './clients.mjs';
import { allUp, faultCluster, placement, wholeAgain } from './fault_cluster.mjs';

export const timeout = 900_000;
export const seed = Number(process.env.QUIVER_FAULT_SEED ?? 20262);
/// Of tests that `make test` has no time for: why they are left out, false with `make faults`.
export const everything =
  process.env.QUIVER_FAULTS === 'all' ? false : 'takes too long here: make faults runs it';

/// A cluster with an empty collection of six shards, of `copies` (1) copies each; `owners` has the
/// server of each primary.
export async function pond(t, options = {}) {
  const cluster = await faultCluster(t, options);
  const [first] = cluster.servers;
  cluster.shards = options.shards ?? 6;
  cluster.copies = options.copies ?? 1;
  await ask(first, 'collection_create', {
    name: collection,
    dimension,
    metric: 'euclidean',
    shards: cluster.shards,
    replicas: cluster.copies,
  });
  cluster.owners = await placement(cluster.servers, collection);
  return cluster;
}

/// Every key takes a write again, by each of `servers` in turn.
export async function takesWrites(clients, servers) {
  for (const [i, key] of clients.keys.entries()) {
    const server = servers[i % servers.length];
    await until(async () => (await clients.write(server, key)).outcome === 'ok',
      `${key} is written through ${server.label}`, longMs);
  }
}

/// Proves that one server has all that was acknowledged: the others are killed meanwhile. It takes
/// writes only if each shard can do with its copy, so all copies must be in sync before.
export async function hasAllAlone(clients, cluster, server) {
  const others = cluster.servers.filter((other) => other !== server);
  for (const { program } of others) await program.destroy();
  await takesWrites(clients, [server]);
  await clients.readAll([server]);
  for (const other of others) other.start();
  for (const other of others) {
    await until(() => other.isReady(), `${other.label} is ready`, longMs);
  }
  await allUp(cluster.servers);
  await wholeAgain(cluster);
}
