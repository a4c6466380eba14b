// Runs the official MCP conformance suite against the fixture server, both requirement sets with
// everything that they run without scoring it, prints the table and fails if anything did.
// Usage: run.mjs SERVER [OUTPUT_DIR]
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseYaml, requirements, suite } from './packages.mjs';

/// Scored scenarios of each revision, as the revision froze them.
const revisions = { '2025-11-25': 30, '2026-07-28': 37 };
/// Not scored by any revision, but demanded here; the wire follows from the scenario.
const alsoDemanded = {
  '2025-11-25': ['server-session-lifecycle', 'server-sse-polling', 'json-schema-2020-12'],
  '2026-07-28': [
    'json-schema-2020-12',
    'http-header-validation',
    'http-custom-header-server-validation',
    'tasks-lifecycle',
    'tasks-capability-negotiation',
    'tasks-wire-fields',
    'tasks-request-state-removal',
    'tasks-mrtr-input',
    'tasks-request-headers',
    'tasks-dispatch-and-envelope',
    'tasks-status-notifications',
    'tasks-required-task-error',
    'tasks-mrtr-composition',
  ],
};
/// The suite itself skips this one, whatever the server does.
const skippedBySuite = new Set(['tasks-status-notifications']);
/// Checks that report INFO where the server took an easier way than the one under test.
const mustSucceed = { 'server-sse-polling': ['server-sse-disconnect-resume'] };

/// Starts the server on a free port; {url, stop}.
async function startServer(program) {
  const child = spawn(program, ['--http', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const url = await new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error('the server names no URL')), 60_000);
    const look = (chunk) => {
      output += chunk;
      const address = /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(output);
      if (!address) return;
      clearTimeout(timer);
      found(address[0]);
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('error', failed);
    child.on('exit', (code, signal) =>
      failed(new Error(`the server ended with ${code ?? signal}: ${output}`)),
    );
  });
  const exited = new Promise((done) => child.on('exit', (code, signal) => done(code ?? signal)));
  return {
    url,
    log: () => output,
    alive: () => child.exitCode === null && child.signalCode === null,
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      child.kill('SIGTERM');
      const code = await exited;
      clearTimeout(timer);
      return code;
    },
  };
}

/// Runs one requirement set; its exit code and, by scenario, its checks.
async function runSet(url, revision, outputDir) {
  const args = ['server', '--url', url, '--requirements', revision, '-o', outputDir];
  const expected = fileURLToPath(new URL('expected-failures.yml', import.meta.url));
  const child = spawn(process.execPath, [suite, ...args, '--expected-failures', expected], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  const code = await new Promise((done) => child.on('close', done));
  const checks = new Map();
  for (const name of readdirSync(outputDir)) {
    const scenario = /^server-(.*)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/.exec(name)?.[1];
    if (!scenario) throw new Error(`a result of unknown name: ${name}`);
    // A scenario that broke off leaves its directory empty: it did not run.
    const file = join(outputDir, name, 'checks.json');
    if (existsSync(file)) checks.set(scenario, JSON.parse(readFileSync(file, 'utf8')));
  }
  return { code, output, checks };
}

/// What went wrong in one scenario; empty if it passed.
function faults(scenario, checks) {
  if (!checks) return ['did not run'];
  const found = checks
    .filter((check) => check.status === 'FAILURE' || check.status === 'WARNING')
    .map((check) => `${check.id}: ${check.status}: ${check.errorMessage ?? check.description}`);
  if (skippedBySuite.has(scenario)) return found;
  const skipped = checks.filter((check) => check.status === 'SKIPPED');
  found.push(...skipped.map((check) => `${check.id}: skipped: ${check.errorMessage ?? ''}`));
  if (!checks.some((check) => check.status === 'SUCCESS')) found.push('nothing was checked');
  for (const id of mustSucceed[scenario] ?? []) {
    if (!checks.some((check) => check.id === id && check.status === 'SUCCESS')) {
      found.push(`${id}: was not put to the test`);
    }
  }
  return found;
}

function printRow(revision, kind, scenario, checks, found) {
  const passed = checks?.filter((check) => check.status === 'SUCCESS').length ?? 0;
  const mark = found.length > 0 ? 'FAIL' : skippedBySuite.has(scenario) ? 'skip' : 'pass';
  console.log(`${revision}  ${mark}  ${kind.padEnd(6)}  ${String(passed).padStart(3)}  ${scenario}`);
  for (const fault of found) console.log(`      ${fault}`);
}

/// Scored scenarios that passed, of how many; and whether all that is demanded passed.
function report(revision, { code, output, checks }) {
  const frozen = parseYaml(readFileSync(join(requirements, `${revision}.yaml`), 'utf8'));
  const scored = frozen.server;
  const sets = { scored, more: alsoDemanded[revision] };
  const failed = { scored: 0, more: 0 };
  for (const [kind, scenarios] of Object.entries(sets)) {
    for (const scenario of scenarios) {
      const found = faults(scenario, checks.get(scenario));
      if (found.length > 0) failed[kind] += 1;
      printRow(revision, kind, scenario, checks.get(scenario), found);
    }
  }
  const complaints = [];
  if (scored.length !== revisions[revision]) complaints.push(`${scored.length} scenarios scored`);
  if (code !== 0) complaints.push(`the suite ended with ${code}: ${output.slice(-2000)}`);
  for (const complaint of complaints) console.log(`${revision}  FAIL  ${complaint}`);
  return {
    revision,
    line: Object.entries(sets)
      .map(([kind, scenarios]) => `${kind} ${scenarios.length - failed[kind]}/${scenarios.length}`)
      .join(', '),
    good: failed.scored + failed.more + complaints.length === 0,
  };
}

const program = resolve(process.argv[2] ?? 'build/conformance-server');
const kept = process.argv[3];
const results = kept ? resolve(kept) : mkdtempSync(join(tmpdir(), 'quiver-conformance-'));
const server = await startServer(program);
const summaries = [];
let sound = true;
try {
  for (const revision of Object.keys(revisions)) {
    const outputDir = join(results, revision);
    rmSync(outputDir, { recursive: true, force: true });
    summaries.push(report(revision, await runSet(server.url, revision, outputDir)));
  }
  sound = server.alive();
} finally {
  const ended = await server.stop();
  if (ended !== 0 || !sound) {
    console.log(`FAIL  the server ended with ${ended}: ${server.log().slice(-4000)}`);
    sound = false;
  }
  if (!kept) rmSync(results, { recursive: true, force: true });
}
console.log('');
for (const { revision, line } of summaries) console.log(`${revision}: ${line}`);
process.exitCode = sound && summaries.every(({ good }) => good) ? 0 : 1;
