// Shards with several copies, of which one loses its disk: it is full, damaged, empty.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { longMs } from '../cluster_support.mjs';
import { randomSource, until } from '../support.mjs';
import { ask } from './calls.mjs';
import { Clients, collection } from './clients.mjs';
import { copiesBelow, mounts, smallDisk } from './disks.mjs';
import { allUp, idsOf, operationEnded, recordsOf, wholeAgain } from './fault_cluster.mjs';
import { inSync } from '../shard_records.mjs';
import { everything, hasAllAlone, pond, seed, takesWrites, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

/// Longer than it takes until what failed counts as lost.
const replacedMs = 3 * longMs;

const filesBelow = (directory) => readdirSync(directory, { recursive: true })
  .map((path) => join(directory, path))
  .filter((path) => statSync(path).isFile());

test('the disk of one copy is full', { timeout, skip: mounts.tmpfs || everything }, async (t) => {
  const disk = await smallDisk(t, 192);
  const cluster = await pond(t, { copies: 3, disks: { 'server-2': disk } });
  const { servers: [a, b, c] } = cluster;
  const clients = new Clients([a, c], { seed, pauseMs: 2 });
  clients.start(4);
  await clients.more(100);
  const own = (await idsOf(a)).get(b.label);
  disk.fill();
  await until(async () =>
    (await recordsOf(cluster)).every((record) => !inSync(record).includes(own)),
  'what has no room is out of sync', longMs);
  // Whoever led is followed, and the others go on without it.
  await takesWrites(clients, [a, c]);
  await clients.more(100, { kind: 'write' });
  for (const { program } of cluster.servers) assert.ok(program.running);
  disk.free();
  await wholeAgain(cluster, { ms: replacedMs });
  clients.servers = cluster.servers;
  await clients.more(100);
  // It alone has everything.
  clients.servers = [b];
  await hasAllAlone(clients, cluster, b);
  await clients.stop();
  clients.servers = cluster.servers;
  await allIsRight(t, cluster, clients, `seed ${seed}`);
});

test('files of copies are damaged or gone', { timeout, skip: everything }, async (t) => {
  const cluster = await pond(t, { copies: 2 });
  const { servers } = cluster;
  const [a, b, c] = servers;
  const clients = new Clients([a, c], { seed: seed + 1, pauseMs: 2 });
  clients.start(4);
  await clients.more(200);
  const random = randomSource(seed);
  for (const harm of ['gone', 'damaged']) {
    await clients.more(50);
    await b.program.destroy();
    const copies = copiesBelow(b.home);
    assert.ok(copies.length > 0, `${b.label} has copies`);
    for (const copy of copies) {
      if (harm === 'gone') {
        rmSync(copy, { recursive: true });
        continue;
      }
      // Half of each file's beginning is noise.
      for (const file of filesBelow(copy)) {
        const bytes = readFileSync(file);
        for (let i = 0; i < Math.min(bytes.length, 4096); i += 2) bytes[i] = random.below(256);
        writeFileSync(file, bytes);
      }
    }
    b.start();
    await until(() => b.isReady(), `${b.label} is ready`, longMs);
    await allUp(servers);
    await takesWrites(clients, [a, c]);
    await wholeAgain(cluster, { ms: replacedMs });
    t.diagnostic(`${copies.length} copies were ${harm}, and are made anew`);
  }
  // What was made anew is whole.
  for (const dead of [a, c]) {
    const others = servers.filter((one) => one !== dead);
    clients.servers = others;
    await dead.program.destroy();
    await takesWrites(clients, others);
    await clients.readAll(others);
    dead.start();
    await until(() => dead.isReady(), `${dead.label} is ready`, longMs);
    await allUp(servers);
    await wholeAgain(cluster);
  }
  await clients.stop();
  clients.servers = servers;
  await allIsRight(t, cluster, clients, `seed ${seed + 1}`);
});

test('a server dies for good; a new one takes its place', { timeout, skip: everything },
  async (t) => {
    const cluster = await pond(t, { copies: 3, spare: 1 });
    const { servers } = cluster;
    const [first, b, c] = servers;
    const clients = new Clients([b, c], { seed: seed + 2, pauseMs: 2 });
    clients.start(4);
    await clients.more(100);
    await first.program.destroy();
    await takesWrites(clients, [b, c]);
    const fresh = await cluster.makeServer('server-4');
    fresh.start();
    await until(() => fresh.isReady(), `${fresh.label} is ready`, longMs);
    await allUp([b, c, fresh]);
    // Nobody asks for it: what does not return is made anew where there is room.
    cluster.servers = [b, c, fresh];
    const since = performance.now();
    await wholeAgain(cluster, { ms: replacedMs });
    t.diagnostic(`made anew ${(performance.now() - since).toFixed()} ms after it was there`);
    const { operation_id: id } = await ask(b, 'cluster_remove_node', {
      node_id: first.label, dry_run: false,
    });
    assert.equal((await operationEnded(c, id)).state, 'done');
    clients.servers = [fresh];
    await hasAllAlone(clients, cluster, fresh);
    await clients.stop();
    clients.servers = cluster.servers;
    const { count } = await ask(fresh, 'vector_scroll', { collection, count_only: true });
    assert.ok(count > 0);
    await allIsRight(t, cluster, clients, `seed ${seed + 2}`);
  });
