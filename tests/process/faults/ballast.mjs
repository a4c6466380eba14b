// Points that nobody changes, so many that copying a shard lasts on a slow network.
import { ask } from './calls.mjs';
import { dimension, vectorOf } from './clients.mjs';
import { pond } from './scenario.mjs';

export const counted = { collection: 'stones', count_only: true };

/// So much that copying a shard takes seconds at `slowKbit`.
export const slowKbit = 400;

/// Points that nobody changes, of about a hundred kilobytes a shard.
async function ballast(server) {
  const ids = [];
  for (let start = 0; start < 600; start += 100) {
    const points = Array.from({ length: 100 }, (_, i) => {
      const id = `ballast-${start + i}`;
      const padding = Buffer.from(new Float32Array(vectorOf(start + i)).buffer).toString('base64');
      return { id, vector: vectorOf(1e6 + start + i), metadata: { padding: padding.repeat(20) } };
    });
    await ask(server, 'vector_upsert', { collection: 'stones', points }, 60_000);
    ids.push(...points.map(({ id }) => id));
  }
  return ids;
}

/// pond() beside a collection `stones` of three shards, whose ids are in `ballast`.
export async function stones(t, options = {}) {
  const cluster = await pond(t, options);
  const [a] = cluster.servers;
  const replicas = cluster.copies;
  await ask(a, 'collection_create', {
    name: 'stones', dimension, metric: 'euclidean', shards: 3, replicas,
  });
  cluster.ballast = await ballast(a);
  return cluster;
}
