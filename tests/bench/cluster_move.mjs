// What clients notice of a shard that moves, on three servers of one machine:
//   - their write rate before, while it moves, and their longest wait for an acknowledgement
//   - the time of the move beside that of copying the same files (cp, then fsync of each)
// Usage: cluster_move.mjs QUIVER DIRECTORY [POINTS [REPLICAS...]]; 100000 points of 768
// components and one, then two copies, unless it is told otherwise.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  call, devCluster, indexed, prepared, tool, until, vectorSource, wholeShards,
} from './cluster_calls.mjs';

const [quiver, directory, pointsText = '100000', ...copyTexts] = process.argv.slice(2);
const points = Number(pointsText);
const copies = copyTexts.length > 0 ? copyTexts.map(Number) : [1, 2];
const dim = 768;
const batch = 500;
const loaders = 4;
const writers = 4;
const beforeSeconds = 15;
const vector = vectorSource(dim);

const upsert = (collection, first, count) =>
  prepared('vector_upsert', {
    collection,
    points: Array.from({ length: count }, (_, i) => ({ id: first + i, vector: vector() })),
  });

async function load(urls, collection) {
  let next = 0;
  await Promise.all(Array.from({ length: loaders }, async (_, i) => {
    while (next < points) {
      const first = next;
      next += batch;
      await call(urls[i % urls.length], upsert(collection, first, Math.min(batch, points - first)));
    }
  }));
}

/// Clients that write over points that are there, one after the other, until they are told to end.
function writing(urls, collection) {
  const state = { at: [], failed: 0, ends: false };
  const work = Array.from({ length: writers }, async (_, i) => {
    for (let n = i; !state.ends; n += writers) {
      try {
        await call(urls[n % urls.length], upsert(collection, (n * 7919) % points, 1));
        state.at.push(performance.now());
      } catch {
        state.failed += 1;
      }
    }
  });
  state.stop = async () => {
    state.ends = true;
    await Promise.all(work);
  };
  /// Acknowledged between two moments: how many a second, and the longest pause in ms.
  state.within = (from, to) => {
    const inside = state.at.filter((at) => at >= from && at <= to);
    const marks = [from, ...inside, to];
    const gaps = marks.slice(1).map((at, i) => at - marks[i]);
    return { rate: inside.length / ((to - from) / 1000), pause: Math.max(...gaps) };
  };
  return state;
}

/// The directory of a copy of a collection's only shard, below a server's data.
function copyBelow(dataDir) {
  const found = readdirSync(dataDir, { recursive: true })
    .filter((path) => /(^|\/)[0-9a-f]{32}\/\d+\.[0-9a-f]{32}$/.test(path));
  if (found.length !== 1) throw new Error(`${found.length} copies below ${dataDir}`);
  return join(dataDir, found[0]);
}

/// Seconds that the files of a directory take to be copied and synced, and their size in MiB. Files
/// that are merged away meanwhile make it begin again.
async function copyFiles(from, to) {
  return await until(() => {
    rmSync(to, { recursive: true, force: true });
    const began = performance.now();
    try {
      execFileSync('cp', ['-r', '--reflink=never', from, to], { stdio: 'ignore' });
    } catch {
      return undefined;
    }
    execFileSync('find', [to, '-type', 'f', '-exec', 'sync', '{}', '+']);
    const seconds = (performance.now() - began) / 1000;
    const mib = Number(execFileSync('du', ['-sm', to]).toString().split('\t')[0]);
    rmSync(to, { recursive: true, force: true });
    return { seconds, mib };
  }, `${from} is copied`);
}

async function measure(replicas) {
  const place = join(directory, `of-${replicas}`);
  const { child, nodes, urls } = await devCluster(quiver, place, 3);
  const began = performance.now();
  await tool(urls[0], 'collection_create', { name: 'wide', dimension: dim, shards: 1, replicas });
  await wholeShards(urls[0], 'wide', replicas);
  await load(urls, 'wide');
  const stored = (performance.now() - began) / 1000;
  await indexed(urls[0], 'wide');
  const ready = (performance.now() - began) / 1000;
  console.log(`  ${points} x ${dim}, ${replicas} of it: stored after ${stored.toFixed(0)} s, in the` +
    ` graph of the primary after ${ready.toFixed(0)} s`);

  const [shard] = await wholeShards(urls[0], 'wide', replicas);
  const holders = shard.copies.map(({ node }) => node);
  const primary = shard.copies.find(({ state }) => state === 'primary').node;
  const from = holders.find((label) => label !== primary) ?? primary;
  const to = nodes.find(({ label }) => !holders.includes(label)).label;
  const source = copyBelow(nodes.find(({ label }) => label === from).data_dir);
  const files = [];
  while (files.length < 3) files.push(await copyFiles(source, join(place, 'files')));

  const load4 = writing(urls, 'wide');
  const start = performance.now();
  await until(() => performance.now() - start > beforeSeconds * 1000, 'clients have written');
  const asked = performance.now();
  const before = load4.within(start, asked);
  const { operation_id: operation } = await tool(urls[0], 'cluster_move_shard',
    { collection: 'wide', shard: 0, from, to });
  let report;
  await until(async () => {
    report = await tool(urls[0], 'cluster_get_operation', { operation_id: operation });
    return report.state !== 'running';
  }, 'the move ends', 1800);
  const ended = performance.now();
  const during = load4.within(asked, ended);
  await load4.stop();
  if (report.state !== 'done') throw new Error(JSON.stringify(report));
  const seconds = (ended - asked) / 1000;
  const copying = Math.min(...files.map((one) => one.seconds));
  console.log(`  moving it: ${seconds.toFixed(1)} s, beside ${copying.toFixed(1)} s for its` +
    ` ${files[0].mib} MiB of files: ${(seconds / copying).toFixed(2)} times (goal <= 3)`);
  console.log(`  writes of ${writers} clients: ${before.rate.toFixed(0)}/s before, longest pause` +
    ` ${before.pause.toFixed(0)} ms; ${during.rate.toFixed(0)}/s meanwhile, longest` +
    ` ${during.pause.toFixed(0)} ms; it costs` +
    ` ${(100 - (100 * during.rate) / before.rate).toFixed(0)} % (goal <= 20);` +
    ` ${load4.failed} failed`);
  const over = new Promise((done) => child.on('exit', done));
  child.kill('SIGTERM');
  await over;
  rmSync(place, { recursive: true, force: true });
}

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
for (const replicas of copies) await measure(replicas);
