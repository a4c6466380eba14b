// The long storm that `make soak` runs: SOAK_MINUTES (30) of troubles over SOAK_SERVERS (5) servers
// and three etcds, 8 writers and 4 readers, SOAK_COPIES (1) of each shard. SOAK_SEED repeats the
// choices of a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storm } from './storm.mjs';

function number(name, otherwise) {
  const value = Number(process.env[name] ?? otherwise);
  assert.ok(value > 0, `${name} must be a number above 0`);
  return value;
}
const minutes = number('SOAK_MINUTES', 30);
const servers = number('SOAK_SERVERS', 5);
const copies = number('SOAK_COPIES', 1);
const seed = number('SOAK_SEED', 1 + (Date.now() % 2 ** 31));

test(`${minutes} minutes, seed ${seed}`, { timeout: minutes * 60_000 + 1_800_000 }, async (t) => {
  const report = await storm(t, {
    seed,
    seconds: minutes * 60,
    servers,
    copies,
    stores: 3,
    writers: 8,
    readers: 4,
    keys: 300,
    // Twelve clients without a pause leave two processors nothing for the servers.
    pauseMs: 20,
    troubleMs: 12_000,
    say: (line) => console.log(line),
  });
  console.log(report.join('\n'));
});
