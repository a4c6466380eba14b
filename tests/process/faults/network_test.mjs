// The tools themselves: ways that are cut carry nothing, healed ones do, and a test that is killed
// leaves nothing behind.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { freePorts, isAlive } from '../cluster_support.mjs';
import { Program, until } from '../support.mjs';
import { makeNetwork, removeLeftovers } from './network.mjs';

const node = process.execPath;
const echo = `
  const [address, port] = process.argv.slice(1);
  require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(port, address);
  console.log('ready');`;
/// Says over one connection every 20 ms how often it was answered.
const talk = `
  const [address, port] = process.argv.slice(1);
  const s = require('node:net').connect(port, address);
  let answered = 0;
  s.on('data', (d) => console.log(answered += d.length));
  s.on('error', (e) => console.log(e.code));
  setInterval(() => s.write('.'), 20);`;
/// One connection a line: what becomes of it within half a second.
const knock = `
  const [address, port] = process.argv.slice(1);
  const s = require('node:net').connect(port, address, () => s.write('.'));
  s.on('data', () => { console.log('answered'); process.exit(); });
  s.on('error', () => { console.log('silent'); process.exit(); });
  setTimeout(() => { console.log('silent'); process.exit(); }, 500);`;

async function listener(t, network, host) {
  const [port] = await freePorts(1);
  await network.expose(host, port);
  const bind = network.bindAddress(host);
  const program = network.start(host, node, ['-e', echo, bind, String(port)]);
  t.after(() => program.destroy());
  await until(() => program.stdout.includes('ready'), 'it listens');
  return { host, port, program, address: network.address(host) };
}

async function knocks(network, from, { address, port }) {
  const program = network.start(from, node, ['-e', knock, address, String(port)]);
  await program.exited;
  return program.stdout.toString().trim();
}

test('ways are cut one way and both, and healed', { timeout: 300_000 }, async (t) => {
  const network = makeNetwork(t, ['a', 'b', 'c']);
  const b = await listener(t, network, 'b');
  const reaches = (from) => until(async () => (await knocks(network, from, b)) === 'answered',
    `${from} reaches b`);
  await reaches('a');
  const talking = network.start('a', node, ['-e', talk, b.address, String(b.port)]);
  t.after(() => talking.destroy());
  const answered = () => talking.stdout.toString().trim().split('\n').length;
  await until(() => answered() > 5, 'a talks to b');

  for (const [what, cut] of [
    ['both ways', () => network.part('a', 'b')],
    ['there', () => network.cut('a', 'b')],
    ['back', () => network.cut('b', 'a')],
  ]) {
    cut();
    // What was under way may still be read for a while.
    let before;
    await until(async () => {
      before = answered();
      assert.equal(await knocks(network, 'a', b), 'silent', what);
      return answered() === before;
    }, `${what}: nothing comes through`);
    await reaches('c');
    network.heal();
    await reaches('a');
    await until(() => answered() > before + 5, `${what}: a connection outlives the cut`);
  }
});

test('bytes a second are bounded, and pieces come late', { timeout: 300_000 }, async (t) => {
  const network = makeNetwork(t, ['a', 'b'], { needs: ['rate', 'delay'] });
  const b = await listener(t, network, 'b');
  await until(async () => (await knocks(network, 'a', b)) === 'answered', 'a reaches b');
  // Never faster than that; how much slower is the machine's affair.
  const timed = async () => {
    const script = `
      const [address, port, bytes] = process.argv.slice(1);
      const s = require('node:net').connect(port, address);
      const began = Date.now();
      let came = 0;
      s.on('data', (d) => {
        if ((came += d.length) < bytes) return;
        console.log(Date.now() - began);
        process.exit();
      });
      s.write(Buffer.alloc(Number(bytes)));`;
    const args = ['-e', script, b.address, String(b.port), '200000'];
    const program = network.start('a', node, args);
    await program.exited;
    return Number(program.stdout.toString());
  };
  network.rate('a', 800);
  const slow = await timed();
  assert.ok(slow >= 1000, `200,000 bytes at 800 kbit/s took ${slow} ms`);
  network.heal();
  network.delay('a', 150);
  network.delay('b', 150);
  const late = await timed();
  assert.ok(late >= 300, `there and back took ${late} ms`);
  network.heal();
});

test('a test that is killed leaves nothing', { timeout: 300_000 }, async (t) => {
  const script = `
    const { makeNetwork } = await import('${new URL('network.mjs', import.meta.url)}');
    const network = makeNetwork({ after() {}, diagnostic() {} }, ['a', 'b']);
    const sleeping = network.start('a', 'sleep', ['600']);
    console.log(network.kind, network.bridge, sleeping.pid);
    setInterval(() => {}, 1000);`;
  const killed = new Program(node, ['--input-type=module', '-e', script], { env: process.env });
  await until(() => killed.stdout.includes('\n') || killed.child.exitCode !== null, 'it has begun');
  assert.equal(killed.child.exitCode, null, killed.stderr);
  const [kind, bridge, pid] = killed.stdout.toString().trim().split(' ');
  assert.ok(isAlive(Number(pid)));
  const left = () => spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' }).stdout
    .split('\n').filter((line) => line.startsWith(`${bridge}-`));
  if (kind === 'namespaces') assert.equal(left().length, 2);
  killed.kill('SIGKILL');
  await killed.exited;
  await until(() => !isAlive(Number(pid)), 'its process has ended with it');
  if (kind !== 'namespaces') {
    t.diagnostic('no namespaces here, so none can be left');
    return;
  }
  removeLeftovers();
  assert.deepEqual(left(), []);
  assert.notEqual(spawnSync('ip', ['link', 'show', bridge]).status, 0);
});
