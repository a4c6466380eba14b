// What a cluster costs beside one server, on one machine, in one run:
//   - CPU of a search through any of 3 nodes, over 3 shards, beside one node with 3 shards
//   - one extra hop: the same search at the owner of the only shard, and at a node without any
//   - batch upsert of 1,000 x 768 at the owner, and at a node without any
// Usage: cluster.mjs QUIVER DIRECTORY BASE.f32 QUERY.f32 DIM. The two sides take turns.
import { mkdirSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  call, devCluster, indexed, median, prepared, spread, start, tool, until,
} from './cluster_calls.mjs';

const [quiver, directory, baseFile, queryFile, dimText] = process.argv.slice(2);
const dim = Number(dimText);
const wide = 768;
const vectors = 60_000;
const rounds = 7;
const ticksPerSecond = 100;

function floats(file, count) {
  const bytes = Buffer.alloc(count * dim * 4);
  readSync(openSync(file), bytes, 0, bytes.length, 0);
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, count * dim);
  return Array.from({ length: count }, (_, i) => Array.from(all.subarray(i * dim, (i + 1) * dim)));
}

function cpuSeconds(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / ticksPerSecond;
}

async function fill(url, name, all) {
  for (let i = 0; i < all.length; i += 1000) {
    const points = all.slice(i, i + 1000).map((vector, j) => ({ id: i + j, vector }));
    await tool(url, 'vector_upsert', { collection: name, points });
  }
  await indexed(url, name);
}

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
const base = floats(baseFile, vectors);
const queries = floats(queryFile, 500);

const alone = start(quiver, ['serve', '--port', '0', '--data', join(directory, 'alone')]);
const aloneUrl = await until(() => /http:\/\/\S+\/mcp/.exec(alone.text())?.[0], 'one server serves');
const cluster = await devCluster(quiver, join(directory, 'cluster'), 3);
const { nodes, urls } = cluster;
const pids = nodes.map((node) => node.pid);

for (const url of [aloneUrl, urls[0]]) {
  await tool(url, 'collection_create', { name: 'three', dimension: dim, shards: 3 });
  await fill(url, 'three', base);
}
const searches = queries.map((vector) =>
  prepared('vector_search', { collection: 'three', vector, limit: 10 }),
);

async function cost(ask, measured) {
  const before = cpuSeconds(measured);
  for (let i = 0; i < searches.length; ++i) await call(ask(i), searches[i]);
  return ((cpuSeconds(measured) - before) / searches.length) * 1e6;
}
await cost(() => aloneUrl, [alone.child.pid]);
await cost((i) => urls[i % 3], pids);
const one = [];
const three = [];
const ratios = [];
for (let round = 0; round < rounds; ++round) {
  one.push(await cost(() => aloneUrl, [alone.child.pid]));
  three.push(await cost((i) => urls[i % 3], pids));
  ratios.push(three.at(-1) / one.at(-1));
}
console.log(`  search, 3 shards, ${vectors} x ${dim}: CPU one node ${spread(one, 0)} us,` +
  ` 3 nodes ${spread(three, 0)} us, ratio ${spread(ratios, 2)} (goal <= 1.5)`);

await tool(urls[0], 'collection_create', { name: 'single', dimension: dim, shards: 1 });
await fill(urls[0], 'single', base.slice(0, 20_000));
const { shards } = await tool(urls[0], 'cluster_get_shard_distribution', { collection: 'single' });
const place = shards[0].copies[0];
const owner = nodes.findIndex(({ id, label }) => id === place.node || label === place.node);
const ownerUrl = urls[owner];
const otherUrl = urls[(owner + 1) % 3];
const singles = queries.map((vector) =>
  prepared('vector_search', { collection: 'single', vector, limit: 10 }),
);
async function latency(url) {
  const times = [];
  for (const one of singles) {
    const began = performance.now();
    await call(url, one);
    times.push((performance.now() - began) * 1000);
  }
  return median(times);
}
await latency(ownerUrl);
await latency(otherUrl);
const near = [];
const far = [];
const hops = [];
for (let round = 0; round < rounds; ++round) {
  near.push(await latency(ownerUrl));
  far.push(await latency(otherUrl));
  hops.push(far.at(-1) - near.at(-1));
}
console.log(`  search, 1 shard: p50 at its owner ${spread(near, 0)} us, elsewhere ${spread(far, 0)}` +
  ` us, the hop ${spread(hops, 0)} us (goal <= 300)`);

await tool(urls[0], 'collection_create', { name: 'wide', dimension: wide, shards: 1 });
const wideMap = await tool(urls[0], 'cluster_get_shard_distribution', { collection: 'wide' });
const widePlace = wideMap.shards[0].copies[0];
const wideOwner = nodes.findIndex(
  ({ id, label }) => id === widePlace.node || label === widePlace.node,
);
let seed = 1;
const next = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Number((seed / 2 ** 31 - 1).toFixed(5));
};
let nextId = 0;
const batch = () =>
  prepared('vector_upsert', {
    collection: 'wide',
    points: Array.from({ length: 1000 }, () => ({
      id: nextId++,
      vector: Array.from({ length: wide }, next),
    })),
  });
async function rate(url) {
  const calls = [batch(), batch()];
  const began = performance.now();
  for (const one of calls) await call(url, one);
  return (calls.length * 1000) / ((performance.now() - began) / 1000);
}
await rate(urls[wideOwner]);
const here = [];
const there = [];
const shares = [];
for (let round = 0; round < rounds; ++round) {
  here.push(await rate(urls[wideOwner]));
  there.push(await rate(urls[(wideOwner + 1) % 3]));
  shares.push((100 * there.at(-1)) / here.at(-1));
}
console.log(`  upsert of 1,000 x ${wide}: at the owner ${spread(here, 0)} points/s, elsewhere` +
  ` ${spread(there, 0)}, share ${spread(shares, 0)} % (goal >= 60)`);
for (const { child } of [cluster, alone]) child.kill('SIGTERM');
