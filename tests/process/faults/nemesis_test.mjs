// A short storm over a small cluster. QUIVER_FAULT_SEED repeats its choices, QUIVER_FAULT_SECONDS
// makes it longer, SOAK_COPIES gives each shard several copies; `make soak` is a long one over a
// larger cluster.
import { test } from 'node:test';
import { storm } from './storm.mjs';

const seed = Number(process.env.QUIVER_FAULT_SEED ?? Date.now() % 2 ** 31);
const seconds = Number(process.env.QUIVER_FAULT_SECONDS ?? 15);
const copies = Number(process.env.SOAK_COPIES ?? 1);

test(`${seconds} s of troubles (seed ${seed})`, { timeout: (600 + 2 * seconds) * 1000 },
  async (t) => {
    const size = { servers: 3, stores: 3, writers: 4, readers: 2, copies };
    const report = await storm(t, { seed, seconds, troubleMs: 2000, ...size });
    for (const line of report) t.diagnostic(line);
  });
