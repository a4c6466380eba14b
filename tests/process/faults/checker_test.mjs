// The judge is judged: histories that are right pass, and each planted fault is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomSource } from '../support.mjs';
import { check, explain } from './checker.mjs';
import { RecordWatch } from './records.mjs';

const seed = Number(process.env.QUIVER_FAULT_SEED ?? 20261);

/// w3@1-4: 3 is written from 1 to 4; d: deleted; r3, r-: read, nothing found; behind it ? unknown,
/// ! refused, ~ not as it was written.
function history(text) {
  return text.trim().split(/\s+/).map((word) => {
    const [, letter, value, start, end, how] = /^([wdr])(\w*|-)@(\d+)-(\d+)([?!~]?)$/.exec(word);
    const kind = { w: 'write', d: 'delete', r: 'read' }[letter];
    const outcome = { '?': 'unknown', '!': 'refused' }[how] ?? 'ok';
    const found = value === '-' || value === '' ? null : value;
    const times = { start: Number(start), end: Number(end) };
    return { key: 'k', kind, value: found, outcome, whole: how !== '~', ...times };
  });
}
const judged = (text) => check(history(text)).violations.map(({ invariant }) => invariant);

test('histories that are right', () => {
  for (const [text, why] of [
    ['r-@0-1 w1@2-3 r1@4-5 d@6-7 r-@8-9 w2@10-11 r2@12-13', 'one after the other'],
    ['w1@0-9 r-@1-2 r1@3-4 r1@5-6', 'a write takes effect somewhere in its time'],
    ['w1@0-9 w2@0-9 r2@10-11', 'of two at once either may be the last'],
    ['w1@0-9 w2@0-9 r1@10-11', 'of two at once either may be the last'],
    ['w1@0-1 w2@2-3? r1@4-5 r1@6-7', 'an unknown write never happens'],
    ['w1@0-1 w2@2-3? r1@4-5 r2@6-7 r2@8-9', 'an unknown write happens late'],
    ['w1@0-1 w2@2-3? r2@4-5 w3@6-7 r3@8-9', 'an unknown write is overwritten'],
    ['w1@0-1 d@2-3? r1@4-5 r-@6-7', 'an unknown deletion happens late'],
    ['w1@0-1 d@2-3? r1@4-5 w2@6-7 r2@8-9 r-@10-11', 'it happens behind another write'],
    ['w1@0-1 d@2-3! r1@4-5 w2@6-7! r1@8-9', 'what is refused does not happen'],
    ['w1@0-20 w2@1-19 d@2-18 r-@3-17 r1@4-16 r2@5-15', 'all at once'],
    ['w1@0-2 r1@2-3', 'a read begins when the write ends'],
  ]) {
    const result = check(history(text));
    assert.deepEqual(result.violations, [], `${why}: ${explain(result, history(text))}`);
    assert.deepEqual(result.undecided, []);
  }
});

test('each planted fault is found by its name', () => {
  for (const [text, invariant, why] of [
    ['w1@0-1 w2@2-3 r1@4-5', 'I2', 'a stale read'],
    ['w1@0-9 w2@0-9 r1@10-11 r2@12-13', 'I2', 'two readers see two orders'],
    ['w1@0-9 r1@1-2 r-@3-4', 'I1', 'a value is seen, and then not yet'],
    ['w1@0-1 r-@2-3', 'I1', 'a lost write'],
    ['w1@0-1 w2@2-3 r-@4-5', 'I1', 'a lost overwriting'],
    ['w1@0-1 d@2-3 r1@4-5', 'I5', 'a deleted point returns'],
    ['w1@0-1 d@2-3 r-@4-5 r1@6-7', 'I5', 'a deleted point returns late'],
    ['w1@0-1 w2@2-3? r2@4-5 r1@6-7', 'I12', 'what had appeared vanishes'],
    ['w1@2-3? r1@4-5 r-@6-7', 'I12', 'what had appeared vanishes into nothing'],
    ['w1@0-1 d@2-3? r-@4-5 r1@6-7', 'I5', 'what had vanished appears'],
    ['w1@0-1 d@2-3? r-@4-5 w2@6-7 r-@8-9', 'I1', 'an unknown deletion happens twice'],
    ['w1@0-1 r9@2-3', 'I4', 'a value that nobody wrote'],
    ['w1@0-1 w2@2-3! r2@4-5', 'I4', 'a refused write takes effect'],
    ['w1@0-1 d@2-3! r-@4-5', 'I1', 'a refused deletion takes effect'],
    ['r1@0-1 w1@2-3', 'I4', 'a value before it is written'],
    ['w1@0-1 r1@2-3~', 'I3', 'a value that is half another'],
  ]) assert.deepEqual(judged(text), [invariant], why);
});

/// A register that is right, used by several at once: what each of them saw.
function simulated(random, { clients, operations, unknown }) {
  const list = [];
  const current = new Map();
  const free = Array.from({ length: clients }, () => 0);
  let value = 0;
  let effect = 0;
  for (let i = 0; i < operations; ++i) {
    const client = free.indexOf(Math.min(...free));
    const key = `k${random.below(4)}`;
    // The moments of effect are in order, so that what is done here in turn is what happens.
    effect = Math.max(effect + 10, free[client] + 1);
    const start = Math.max(free[client], effect - 1 - random.below(60));
    const end = effect + 1 + random.below(60);
    free[client] = end + 1;
    const kind = ['write', 'write', 'delete', 'read', 'read', 'read'][random.below(6)];
    const lost = kind !== 'read' && random.next() < unknown;
    const operation = { key, kind, value: null, outcome: lost ? 'unknown' : 'ok', start, end };
    if (kind === 'write') operation.value = `v${++value}`;
    if (kind === 'read') operation.value = current.get(key) ?? null;
    else if (!lost || random.next() < 0.5) current.set(key, operation.value);
    list.push(operation);
  }
  return list;
}

test('long random histories, and one read of each falsified', (t) => {
  const random = randomSource(seed);
  let found = 0;
  const rounds = 100;
  for (let round = 0; round < rounds; ++round) {
    const list = simulated(random, { clients: 6, operations: 300, unknown: 0.1 });
    const result = check(list);
    const where = `seed ${seed}, round ${round}: ${explain(result, list)}`;
    assert.deepEqual(result.violations, [], where);
    assert.deepEqual(result.undecided, [], where);
    // The value of a write that was overwritten long ago.
    const reads = list.filter((one) => one.kind === 'read' && one.start > 1500);
    const victim = reads[random.below(reads.length)];
    const old = list.find((one) => one.key === victim.key && one.kind === 'write' &&
      one.outcome === 'ok' && one.end < 500 && one.value !== victim.value);
    if (!old) continue;
    victim.value = old.value;
    const { violations } = check(list);
    assert.equal(violations.length, 1, where);
    assert.equal(violations[0].key, victim.key, where);
    found += 1;
  }
  t.diagnostic(`seed ${seed}: ${found} planted faults found in ${rounds} histories`);
  assert.ok(found > rounds / 2);
});

test('many operations are judged', () => {
  const list = simulated(randomSource(seed), { clients: 12, operations: 30_000, unknown: 0.02 });
  assert.deepEqual(check(list).violations, []);
});

test('records of shards that must not be', async () => {
  const record = (revision, term, primary, inSync = [primary], copies = { a: {}, b: {} }) => ({
    key: '/quiver/q/shards/c/0',
    revision,
    term,
    primary,
    in_sync: inSync,
    copies,
  });
  for (const [records, found] of [
    [[record(1, 1, 'a'), record(2, 1, 'a', ['a', 'b']), record(3, 2, 'b')], []],
    // An answer that is late is no news.
    [[record(3, 2, 'b'), record(1, 1, 'a')], []],
    [[record(1, 1, 'a'), record(2, 1, 'b')], ['I9']],
    [[record(1, 2, 'a'), record(2, 1, 'b')], ['I9']],
    [[record(1, 1, 'a', ['b'])], ['I10']],
    [[record(1, 1, 'a', ['a', 'z'])], ['I10']],
  ]) {
    const watch = new RecordWatch([]);
    for (const one of records) watch.look(one);
    const violations = await watch.stop();
    assert.deepEqual(violations.map((text) => text.split(':')[0]), found);
  }
});
