// What the scenarios have in common.
import { ask } from './calls.mjs';
import { collection, dimension } from './clients.mjs';
import { faultCluster, placement } from './fault_cluster.mjs';

export const timeout = 900_000;
export const seed = Number(process.env.QUIVER_FAULT_SEED ?? 20262);
/// Of tests that `make test` has no time for: why they are left out, false with `make faults`.
export const everything =
  process.env.QUIVER_FAULTS === 'all' ? false : 'takes too long here: make faults runs it';

/// A cluster with an empty collection of six shards; `owners` has the server of each.
export async function pond(t, options = {}) {
  const cluster = await faultCluster(t, options);
  const [first] = cluster.servers;
  cluster.shards = options.shards ?? 6;
  await ask(first, 'collection_create', {
    name: collection, dimension, metric: 'euclidean', shards: cluster.shards,
  });
  cluster.owners = await placement(cluster.servers, collection);
  return cluster;
}
