// A network of real hosts on one machine: each is a network namespace, joined to the others and to
// the test by a bridge. Needs root, and iproute2; loss needs iptables.
//
// Whatever a test leaves behind because it was killed, the next one removes: a bridge carries the
// process that made it in its alias, and the namespaces carry the bridge in their names.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { TestProcess } from './processes.mjs';

const prefix = 'qvf';
const mark = 'quiver fault tests of process';
/// Nobody has this hardware address: what is sent to it is lost without a word.
const nobody = '02:00:00:00:00:01';

function run(command, args, input) {
  const done = spawnSync(command, args, { input, encoding: 'utf8' });
  const { status, stdout, stderr, error } = done;
  return { ok: status === 0, text: stdout ?? '', problem: stderr ?? `${error}` };
}
const ip = (...args) => run('ip', args);

/// Refuses to go on after a step that failed, with what the tool said.
function must(result, what) {
  if (!result.ok) throw new Error(`${what}: ${result.problem.trim()}`);
  return result;
}

/// When the process began, in ticks since the machine did: with its id it names one process for
/// good.
function begin(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ')[19];
  } catch {
    return undefined;
  }
}

const namesOf = (bridge) =>
  ip('netns', 'list').text.split('\n').map((line) => line.split(' ')[0])
    .filter((name) => name.startsWith(`${bridge}-`));

/// Ends what runs in the namespaces of a bridge and takes all of it away.
function remove(bridge) {
  for (const name of namesOf(bridge)) {
    for (const pid of ip('netns', 'pids', name).text.split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
    // The kernel removes what is in a namespace later, and the name of an interface is taken until
    // then.
    ip('link', 'del', name.replace('-', 'v'));
    ip('netns', 'del', name);
  }
  ip('link', 'del', bridge);
}

/// Removes the networks of tests that are no more; how many there were.
export function removeLeftovers() {
  let removed = 0;
  const shown = ip('-j', 'link', 'show', 'type', 'bridge');
  const bridges = shown.ok && shown.text.trim() ? JSON.parse(shown.text) : [];
  for (const { ifname, ifalias } of bridges) {
    const owner = new RegExp(`^${mark} (\\d+) (\\d+)$`).exec(ifalias ?? '');
    if (!ifname?.startsWith(prefix) || !owner || begin(owner[1]) === owner[2]) continue;
    remove(ifname);
    removed += 1;
  }
  return removed;
}

/// A bridge of our own, and with it a subnet: whoever makes the device has its number.
function claimBridge() {
  let problem = '';
  for (let i = 0; i < 250; ++i) {
    const number = (process.pid + i) % 250;
    const made = ip('link', 'add', `${prefix}${number}`, 'type', 'bridge');
    if (made.ok) return { bridge: `${prefix}${number}`, net: `10.213.${number}` };
    problem = made.problem;
    if (!/exists/i.test(problem)) break;
  }
  throw new Error(`no bridge can be made: ${problem.trim()}`);
}

function makeHost(bridge, name, number, address) {
  const lines = [
    `link add ${bridge}v${number} type veth peer name ${bridge}p${number}`,
    `link set ${bridge}p${number} netns ${name} name eth0`,
    `link set ${bridge}v${number} master ${bridge} up`,
  ];
  must(ip('netns', 'add', name), 'a network namespace');
  must(run('ip', ['-batch', '-'], lines.join('\n')), 'a pair of interfaces');
  const inside = [`addr add ${address}/24 dev eth0`, 'link set eth0 up', 'link set lo up'];
  must(run('ip', ['-n', name, '-batch', '-'], inside.join('\n')), 'an address');
}

/// See makeNetwork().
export class Namespaces {
  kind = 'namespaces';
  can = new Set(['cut', 'link', 'rate']);

  constructor(names) {
    if (process.getuid() !== 0) throw new Error('network namespaces need root');
    removeLeftovers();
    const { bridge, net } = claimBridge();
    this.bridge = bridge;
    this.hosts = new Map();
    this.stopAtExit = () => remove(bridge);
    process.on('exit', this.stopAtExit);
    try {
      ip('link', 'set', bridge, 'alias', `${mark} ${process.pid} ${begin(process.pid)}`);
      must(ip('addr', 'add', `${net}.254/24`, 'dev', bridge), 'an address');
      must(ip('link', 'set', bridge, 'up'), 'a bridge');
      for (const [i, name] of names.entries()) {
        const host = { namespace: `${bridge}-${i + 1}`, address: `${net}.${i + 1}` };
        makeHost(bridge, host.namespace, i + 1, host.address);
        this.hosts.set(name, host);
      }
      this.#probe(names);
      if (this.#iptables(names[0], '-L')) this.can.add('loss');
    } catch (problem) {
      this.close();
      throw problem;
    }
  }

  /// A firewall of the machine may keep bridged hosts apart. A refused connection is one that
  /// arrived.
  #probe(names) {
    const { address } = this.host(names.at(-1));
    const knock = ['5', 'bash', '-c', `exec 3<>/dev/tcp/${address}/9`];
    const tried = run('timeout', knock);
    const inside = run('ip', ['netns', 'exec', this.host(names[0]).namespace, 'timeout', ...knock]);
    for (const { problem } of [tried, inside]) {
      if (!/refused/i.test(problem)) throw new Error(`hosts do not reach each other: ${problem}`);
    }
  }

  #iptables(name, ...args) {
    return run('ip', ['netns', 'exec', this.host(name).namespace, 'iptables', '-w', ...args]).ok;
  }

  host(name) {
    const host = this.hosts.get(name);
    assert.ok(host, `there is no host ${name}`);
    return host;
  }

  get note() {
    return 'network: each process in a namespace of its own';
  }
  address(name) {
    return this.host(name).address;
  }
  bindAddress(name) {
    return this.address(name);
  }
  async expose() {}

  start(name, command, args, options = {}) {
    const enter = [`--net=/run/netns/${this.host(name).namespace}`, ...(options.enter ?? [])];
    return new TestProcess('nsenter', [...enter, ...TestProcess.bound(command, args)], options);
  }

  /// What `from` sends to `to` is lost.
  cut(from, to) {
    if (from === to) return;
    const args = ['neigh', 'replace', this.address(to), 'lladdr', nobody, 'dev', 'eth0'];
    must(ip('-n', this.host(from).namespace, ...args, 'nud', 'permanent'), 'a cut');
  }

  link(name, up) {
    must(ip('-n', this.host(name).namespace, 'link', 'set', 'eth0', up ? 'up' : 'down'), 'a link');
  }

  /// All that `name` sends goes at this rate.
  rate(name, kbit) {
    const { namespace } = this.host(name);
    const args = ['-n', namespace, 'qdisc', 'replace', 'dev', 'eth0', 'root', 'tbf'];
    must(run('tc', [...args, 'rate', `${kbit}kbit`, 'burst', '32kbit', 'latency', '800ms']), 'tbf');
  }

  /// This share of the TCP segments that come to `name` is lost.
  lose(name, share) {
    const random = ['-m', 'statistic', '--mode', 'random', '--probability', String(share)];
    const done = this.#iptables(name, '-A', 'INPUT', '-p', 'tcp', ...random, '-j', 'DROP');
    assert.ok(done, 'iptables refuses a rule');
  }

  heal() {
    for (const [name, { namespace }] of this.hosts) {
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      ip('-n', namespace, 'neigh', 'flush', 'dev', 'eth0', 'nud', 'permanent');
      run('tc', ['-n', namespace, 'qdisc', 'del', 'dev', 'eth0', 'root']);
      if (this.can.has('loss')) this.#iptables(name, '-F');
    }
  }

  async close() {
    process.off('exit', this.stopAtExit);
    remove(this.bridge);
  }
}
