// Every MCP client that the sessions are played with, behind one face:
//   tools() resources() templates() prompts()   what is listed, as arrays
//   call(name, args, signal)   the result of a tool; a JSON-RPC error is thrown
//   read(uri) prompt(name, args)   contents and messages
//   complete(ref, argument, context)   the values, where `completes`
//   pid   of the server, if the client started it
// and `cancels`: whether giving up on a call is told to the server; `argumentBytesMax`: how long the
// arguments of a call may be.
import { spawn } from 'node:child_process';
import { connect } from '../clients/connect.mjs';
import { createMCPClient, inspector, StdioMCPTransport } from '../conformance/packages.mjs';
import { withDeadline } from './support.mjs';

const callTimeoutMs = 120_000;

/// The official TypeScript SDK; `kind` as connect() has it.
export async function sdk(kind, where) {
  const session = await connect(kind, where);
  const { client } = session;
  return {
    cancels: true,
    completes: true,
    argumentBytesMax: Infinity,
    pid: session.pid,
    tools: async () => (await client.listTools()).tools,
    resources: async () => (await client.listResources()).resources,
    templates: async () => (await client.listResourceTemplates()).resourceTemplates,
    prompts: async () => (await client.listPrompts()).prompts,
    call: (name, args, signal) => session.call(name, args, { signal, timeout: callTimeoutMs }),
    read: async (uri) => (await client.readResource({ uri })).contents,
    prompt: async (name, args) => (await client.getPrompt({ name, arguments: args })).messages,
    complete: async (ref, argument, context) =>
      (await client.complete({ ref, argument, ...(context && { context }) })).completion.values,
    close: () => session.close(),
  };
}

/// Vercel's client. It tells of a cancellation by hanging up, which stdio has no form for.
export async function aiSdk(where) {
  const transport = where.url
    ? { type: 'http', url: where.url }
    : new StdioMCPTransport({ ...where, stderr: 'ignore' });
  const client = await createMCPClient({ transport, protocolVersionDiscovery: true });
  return {
    cancels: Boolean(where.url),
    completes: true,
    argumentBytesMax: Infinity,
    pid: transport.process?.pid,
    protocolVersion: client.initializeResult.protocolVersion,
    tools: async () => (await client.listTools()).tools,
    resources: async () => (await client.listResources()).resources,
    templates: async () => (await client.listResourceTemplates()).resourceTemplates,
    prompts: async () => (await client.listPrompts()).prompts,
    call: (name, args, signal) =>
      client.callTool({ name, arguments: args, options: { signal, timeout: callTimeoutMs } }),
    read: async (uri) => (await client.readResource({ uri })).contents,
    prompt: async (name, args) => (await client.getPrompt({ name, arguments: args })).messages,
    complete: async (ref, argument, context) =>
      (await client.complete({ ref, argument, ...(context && { context }) })).completion.values,
    close: () => client.close(),
  };
}

/// The inspector's command line: one process, and one connection, for each request. `where` is {url}
/// or {command, args, env}. `era` is legacy, auto or modern. It cannot complete.
export function inspectorCli(where, era) {
  const target = where.url ? [where.url, '--transport', 'http'] : [where.command, ...where.args];
  const passed = Object.entries(where.settings ?? {}).flatMap(([name, value]) => [
    '-e',
    `${name}=${value}`,
  ]);
  const run = async (options, signal) => {
    const args = [inspector, '--cli', ...target, ...passed, '--protocol-era', era];
    const child = spawn(process.execPath, [...args, '--format', 'json', ...options], {
      env: where.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, since the inspector starts processes itself.
      detached: true,
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    signal?.addEventListener('abort', () => process.kill(-child.pid, 'SIGKILL'));
    const code = await withDeadline(
      new Promise((done) => child.on('close', done)),
      `inspector ${options.join(' ')}`,
      callTimeoutMs,
    );
    return { code, out, err };
  };
  /// The result; an exit code that is not 0 is thrown with what the inspector said.
  const ask = async (method, options = [], signal) => {
    const { code, out, err } = await run(['--method', method, ...options], signal);
    // 5: the result of a tool says isError, and is there all the same.
    if (code !== 0 && !(code === 5 && out.trim())) {
      throw Object.assign(new Error(err || `ended with ${code}`), { exitCode: code });
    }
    const answer = JSON.parse(out);
    return answer.result ?? answer;
  };
  const promptArgs = (args) => {
    const pairs = Object.entries(args ?? {}).map(([name, value]) => `${name}=${value}`);
    // The inspector takes the option without a value for a mistake.
    return pairs.length === 0 ? [] : ['--prompt-args', ...pairs];
  };
  return {
    cancels: Boolean(where.url) && era === 'modern',
    completes: false,
    // They are one argument of a command, which Linux allows 128 KiB.
    argumentBytesMax: 120_000,
    pid: undefined,
    run,
    ask,
    tools: async () => (await ask('tools/list')).tools,
    resources: async () => (await ask('resources/list')).resources,
    templates: async () => (await ask('resources/templates/list')).resourceTemplates,
    prompts: async () => (await ask('prompts/list')).prompts,
    call: (name, args, signal) =>
      ask(
        'tools/call',
        ['--tool-name', name, '--tool-args-json', JSON.stringify(args ?? {})],
        signal,
      ),
    read: async (uri) => (await ask('resources/read', ['--uri', uri])).contents,
    prompt: async (name, args) =>
      (await ask('prompts/get', ['--prompt-name', name, ...promptArgs(args)])).messages,
    close: async () => {},
  };
}
