// A copy whose disk holds other points than it was given, with checksums that fit.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { join } from 'node:path';
import { longMs } from '../cluster_support.mjs';
import { until } from '../support.mjs';
import { copiesBelow } from './disks.mjs';
import { Clients } from './clients.mjs';
import { allUp, idsOf, recordsOf, wholeAgain } from './fault_cluster.mjs';
import { leader } from '../shard_records.mjs';
import { everything, hasAllAlone, pond, seed, timeout } from './scenario.mjs';
import { allIsRight } from './verdict.mjs';

const ldb = process.env.LDB ?? 'ldb';
const missing = spawnSync(ldb, ['--version']).error !== undefined && 'needs ldb (rocksdb-tools)';

function payloads(copy, args) {
  const all = [`--db=${join(copy, 'rocksdb')}`, '--column_family=payloads', '--hex', ...args];
  const done = spawnSync(ldb, all, { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr + done.stdout);
  return done.stdout;
}

/// Changes a digit in the metadata of the points of a copy whose server is stopped. Of all of them:
/// what its log does once more at the start takes the place of some.
function damage(copy) {
  const rows = payloads(copy, ['scan']).matchAll(/^(0x[0-9A-F]+) : (0x[0-9A-F]+)$/gm);
  let changed = 0;
  for (const [, key, value] of rows) {
    const bytes = Buffer.from(value.slice(2), 'hex');
    const at = bytes.findLastIndex((byte) => byte >= 0x31 && byte <= 0x38);
    if (at < 0) continue;
    ++bytes[at];
    payloads(copy, ['put', key, `0x${bytes.toString('hex').toUpperCase()}`]);
    ++changed;
  }
  return changed > 0;
}

async function differing(servers) {
  let sum = 0;
  for (const { url } of servers) {
    const text = await (await fetch(`${url}/metrics`)).text();
    sum += Number(/^quiver_copies_differing_total (\d+)$/m.exec(text)[1]);
  }
  return sum;
}

test('a copy holds other points, and is made anew', { timeout, skip: everything || missing },
  async (t) => {
    const settings = { 'cluster.anti_entropy_s': 2 };
    const cluster = await pond(t, { copies: 3, settings });
    const { servers } = cluster;
    const [a, b, c] = servers;
    const clients = new Clients(servers, { seed, pauseMs: 2 });
    clients.start(4);
    await clients.more(300);
    // From here on: what is written takes the place of what was damaged.
    await clients.stop();
    const own = (await idsOf(a)).get(b.label);
    // In order, so that its points are in its tables.
    b.program.kill('SIGTERM');
    await b.program.exit();
    await until(async () => (await recordsOf(cluster)).every((one) => leader(one) !== own),
      'others lead', longMs);
    const changed = copiesBelow(b.home).filter((copy) => damage(copy));
    assert.ok(changed.length > 0, `${b.label} has points`);
    assert.equal(await differing([a, c]), 0, 'none before');
    b.start();
    await until(() => b.isReady(), `${b.label} is ready`, longMs);
    await allUp(servers);
    await until(async () => await differing(servers) > 0, 'a copy is found to differ', longMs);
    const given = changed.map((copy) => copy.slice(copy.lastIndexOf('.') + 1));
    await until(async () =>
      (await recordsOf(cluster)).every(({ copies }) => given.every((id) => !(id in copies))),
    'what was changed is given up', 3 * longMs);
    clients.start(4);
    await wholeAgain(cluster, { ms: 3 * longMs });
    const found = await differing(servers);
    await clients.more(100);
    await clients.stop();
    assert.ok(found <= changed.length, `${found} of ${changed.length}, and no other`);
    await hasAllAlone(clients, cluster, b);
    await allIsRight(t, cluster, clients, `seed ${seed}`);
    t.diagnostic(`${changed.length} copies were changed, ${found} were found to differ`);
  });
