// The network between the processes of a test, whose ways can be cut, slowed down and healed.
import { Namespaces, removeLeftovers } from './namespaces.mjs';
import { ProxyNetwork } from './proxy_network.mjs';

/// Hosts with these names: namespaces where the machine lets us, else proxies. What both have:
///
/// kind, note          which of the two, and why: for the report
/// can                 of 'cut', 'link', 'rate', 'loss', 'delay' those that it has
/// address(host)       what other hosts reach it at
/// bindAddress(host)   where it listens, and where the test reaches it
/// expose(host, port)  before others call that port
/// start(host, command, args, {env, cwd, enter})  a TestProcess; `enter`: more arguments of nsenter
/// cut(from, to)       one way; part(a, b) both ways
/// link, rate, lose, delay  of one host, see there
/// heal()              as if nothing had been
///
/// QUIVER_FAULT_NETWORK=proxies or =namespaces decides which; `needs` are abilities that it must
/// have.
export function makeNetwork(t, names, { needs = [] } = {}) {
  const wish = process.env.QUIVER_FAULT_NETWORK ?? '';
  const network = choose(names, wish, needs);
  network.part = (a, b) => {
    network.cut(a, b);
    network.cut(b, a);
  };
  t.after(() => network.close());
  t.diagnostic(network.note);
  return network;
}

function choose(names, wish, needs) {
  if (wish === 'proxies') return new ProxyNetwork(names, 'QUIVER_FAULT_NETWORK says so');
  try {
    const network = new Namespaces(names);
    const lacking = needs.filter((need) => !network.can.has(need));
    if (lacking.length === 0) return network;
    network.close();
    return new ProxyNetwork(names, `namespaces cannot do: ${lacking.join(', ')}`);
  } catch (problem) {
    if (wish === 'namespaces') throw problem;
    return new ProxyNetwork(names, problem.message);
  }
}

export { removeLeftovers };
