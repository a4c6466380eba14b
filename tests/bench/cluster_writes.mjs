// What a second copy of each shard costs writers, on three servers of one machine, in one run:
//   - points a second of one client that upserts batches of 100, each durable when it is answered
//   - writes a second of 16 clients that upsert single points
// Usage: cluster_writes.mjs QUIVER DIRECTORY. Both collections take turns, in changing order; no
// graph is built while the other is measured.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  call, devCluster, indexed, median, prepared, spread, tool, vectorSource, wholeShards,
} from './cluster_calls.mjs';

const [quiver, directory] = process.argv.slice(2);
const dim = 384;
const shards = 3;
const rounds = 9;
const batches = 30;
const clients = 16;
const singles = 100;
const vector = vectorSource(dim);
let nextId = 0;

const upsert = (collection, count) =>
  prepared('vector_upsert', {
    collection,
    points: Array.from({ length: count }, () => ({ id: nextId++, vector: vector() })),
  });

/// Points a second of `clients` that each send their calls one after the other, through all
/// servers.
async function rate(urls, lists, points) {
  const began = performance.now();
  await Promise.all(lists.map(async (list, i) => {
    for (const one of list) await call(urls[i % urls.length], one);
  }));
  return points / ((performance.now() - began) / 1000);
}

const kinds = {
  'batches of 100, one client': {
    goal: 60,
    measure: (urls, collection, turn) => {
      const list = Array.from({ length: batches }, () => upsert(collection, 100));
      return rate([urls[turn % urls.length]], [list], batches * 100);
    },
  },
  'single points, 16 clients': {
    goal: 50,
    measure: (urls, collection) => {
      const list = () => Array.from({ length: singles }, () => upsert(collection, 1));
      return rate(urls, Array.from({ length: clients }, list), clients * singles);
    },
  },
};

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
const { child, urls } = await devCluster(quiver, join(directory, 'cluster'), 3);
const copies = { one: 1, two: 2 };
for (const [name, replicas] of Object.entries(copies)) {
  await tool(urls[0], 'collection_create', { name, dimension: dim, shards, replicas });
  await wholeShards(urls[0], name, replicas);
}
for (const [what, { goal, measure }] of Object.entries(kinds)) {
  const rates = { one: [], two: [] };
  const shares = [];
  // The first round opens everything and does not count.
  for (let round = -1; round < rounds; ++round) {
    const order = round % 2 === 0 ? ['one', 'two'] : ['two', 'one'];
    const found = {};
    for (const name of order) {
      found[name] = await measure(urls, name, round + 1);
      await indexed(urls[0], name);
    }
    if (round < 0) continue;
    for (const name of order) rates[name].push(found[name]);
    shares.push((100 * found.two) / found.one);
  }
  const whole = await Promise.all(
    Object.entries(copies).map(([name, count]) => wholeShards(urls[0], name, count)),
  );
  const terms = whole.flat().filter(({ term }) => term > 1).length;
  console.log(`  upserts, ${what}, ${shards} shards, ${dim} components: one copy` +
    ` ${spread(rates.one, 0)} points/s, two ${spread(rates.two, 0)}, share` +
    ` ${spread(shares, 0)} %, of the medians` +
    ` ${((100 * median(rates.two)) / median(rates.one)).toFixed(0)} % (goal >= ${goal})` +
    (terms > 0 ? `; ${terms} shards changed their primary` : ''));
}
child.kill('SIGTERM');
