// Judges a history of reads and writes of single points, as clients saw it, knowing nothing of how
// Quiver works.
//
// An operation: {key, kind: 'write' | 'delete' | 'read', value, outcome: 'ok' | 'refused' |
// 'unknown', start, end}. Values are never written twice; a read's `value` is what it found, null
// if nothing. Each key is one register: there must be an order of its operations in which each
// takes effect at one moment between its start and its end, and each read finds what was last
// written. An operation that was refused never takes effect. One whose outcome is unknown may at
// any moment behind its start, once, or never; what it has written stays written.
//
// The names of faults are those of the invariants:
//   I1  an acknowledged write is gone        I4   a value that nobody wrote, or that was refused
//   I2  a read shows what was overwritten    I5   what was deleted is there again
//   I3  a value is not as it was written     I12  what had appeared is gone again

/// More states than that are not looked at; a key that has them is undecided.
const mostStates = 20_000;

/// {violations: [{invariant, key, what, operation}], undecided: [key], keys, operations}
export function check(history) {
  const byKey = new Map();
  for (const operation of history) {
    if (!byKey.has(operation.key)) byKey.set(operation.key, []);
    byKey.get(operation.key).push(operation);
  }
  const violations = [];
  const undecided = [];
  for (const [key, operations] of byKey) {
    const found = strangeValues(operations) ?? disorder(operations);
    if (found === 'undecided') undecided.push(key);
    else if (found) violations.push({ key, ...found });
  }
  return { violations, undecided, keys: byKey.size, operations: history.length };
}

const isRead = ({ kind, outcome }) => kind === 'read' && outcome === 'ok';

/// What one read alone shows to be wrong.
function strangeValues(operations) {
  const issued = new Map();
  for (const one of operations) if (one.kind === 'write') issued.set(one.value, one);
  for (const operation of operations.filter(isRead)) {
    const { value, whole = true } = operation;
    if (value === null) continue;
    const write = issued.get(value);
    const what = !write ? 'a value that was never written'
      : write.outcome === 'refused' ? 'the value of a write that was refused'
        : write.start > operation.end ? 'a value before it was written' : undefined;
    if (what) return { invariant: 'I4', what: `a read found ${what}: ${value}`, operation };
    if (!whole) return { invariant: 'I3', what: `${value} is not as it was written`, operation };
  }
  return undefined;
}

/// The moments at which operations begin and must have taken effect, in order. A write of unknown
/// outcome counts if it was read, and then has happened when that read has ended.
function eventsOf(operations) {
  const seen = new Map();
  for (const { value, end } of operations.filter(isRead)) {
    seen.set(value, Math.min(seen.get(value) ?? Infinity, end));
  }
  const events = [];
  const add = (operation, end, order) => {
    events.push({ at: operation.start, order: 0, begins: operation });
    if (end < Infinity) events.push({ at: end, order, ends: operation });
  };
  for (const operation of operations) {
    const { kind, outcome, value, end } = operation;
    if (outcome === 'refused') continue;
    if (outcome === 'ok') add(operation, end, 2);
    else if (kind === 'write' && seen.has(value)) add(operation, seen.get(value), 1);
    else if (kind === 'delete') add(operation, Infinity, 1);
  }
  // What begins at the moment at which another ends overlaps it.
  return events.sort((a, b) => a.at - b.at || a.order - b.order);
}

/// Follows all orders at once. A state is the value that is stored, which of the operations under
/// way have taken effect, and how many of the deletions of unknown outcome were needed for it.
class Orders {
  constructor() {
    this.open = new Map();
    this.unknownDeletes = 0;
    this.states = new Map();
    this.#keep(this.states, { value: null, done: new Set(), deletes: 0 });
  }

  #keep(states, state) {
    const name = `${state.value} ${[...state.done].sort((a, b) => a - b)}`;
    const known = states.get(name);
    if (known && known.deletes <= state.deletes) return false;
    states.set(name, state);
    return true;
  }

  begin(operation) {
    if (operation.kind === 'delete' && operation.outcome === 'unknown') this.unknownDeletes += 1;
    else this.open.set(operation, this.open.size === 0 ? 0 : Math.max(...this.open.values()) + 1);
  }

  /// The states that one more step leads to.
  *#next({ value, done, deletes }) {
    for (const [{ kind, value: written }, id] of this.open) {
      if (done.has(id)) continue;
      if (kind === 'read' && written !== value) continue;
      const after = kind === 'read' ? value : kind === 'write' ? written : null;
      yield { value: after, done: new Set(done).add(id), deletes };
    }
    if (value !== null && deletes < this.unknownDeletes) {
      yield { value: null, done, deletes: deletes + 1 };
    }
  }

  /// Keeps the orders in which `operation` has taken effect: 'ok', 'none' or 'undecided'.
  end(operation) {
    const id = this.open.get(operation);
    const reached = new Map();
    const todo = [];
    for (const state of this.states.values()) {
      if (this.#keep(reached, state)) todo.push(state);
    }
    while (todo.length > 0) {
      const state = todo.pop();
      if (state.done.has(id)) continue;
      for (const after of this.#next(state)) if (this.#keep(reached, after)) todo.push(after);
      if (reached.size > mostStates) return 'undecided';
    }
    const left = new Map();
    for (const { value, done, deletes } of reached.values()) {
      if (!done.has(id)) continue;
      const others = new Set(done);
      others.delete(id);
      this.#keep(left, { value, done: others, deletes });
    }
    if (left.size === 0) return 'none';
    this.states = left;
    this.open.delete(operation);
    return 'ok';
  }

  values() {
    return [...new Set([...this.states.values()].map(({ value }) => value))];
  }
}

/// The first read that no order explains.
function disorder(operations) {
  const orders = new Orders();
  const writes = new Map();
  for (const one of operations) if (one.kind === 'write') writes.set(one.value, one);
  for (const { begins, ends } of eventsOf(operations)) {
    if (begins) {
      orders.begin(begins);
      continue;
    }
    const outcome = orders.end(ends);
    if (outcome === 'undecided') return 'undecided';
    if (outcome === 'none') return named(ends, orders.values(), writes);
  }
  return undefined;
}

function named(read, possible, writes) {
  const expected = possible.map((value) => value ?? 'nothing').join(' or ');
  const found = read.value === null ? 'nothing' : read.value;
  const what = `a read found ${found}, expected ${expected}`;
  const unknown = possible.some((value) => writes.get(value)?.outcome === 'unknown');
  const deleted = possible.every((value) => value === null);
  const invariant = deleted ? 'I5' : unknown ? 'I12' : read.value === null ? 'I1' : 'I2';
  return { invariant, what, operation: read };
}

/// A line for each violation, with the operations around it.
export function explain({ violations }, history, most = 5) {
  return violations.slice(0, most).map(({ invariant, key, what, operation }) => {
    const near = history
      .filter((one) => one.key === key && one.start < operation.end)
      .sort((a, b) => a.start - b.start)
      .slice(-12)
      .map(({ kind, value, outcome, start, end, node }) => {
        const time = `${start.toFixed(1)}..${end.toFixed(1)}`;
        return `    ${time} ${kind} ${value ?? ''} ${outcome} ${node ?? ''}`;
      });
    return [`${invariant} at ${key}: ${what}`, ...near].join('\n');
  }).join('\n');
}
