import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { UserError } from '../errors.ts';

export interface GuardOptions {
  /** `host` (then the ports 80 and 443) or `host:port`: such a place may be private and have any port. */
  allowedHosts?: readonly string[];
  ports?: readonly number[];
  /** The resolver of names; answers as `dns.lookup` does with `all`. */
  resolve?: LookupFunction;
}

/** Keeps what URLs from outside name away from the network that this server stands in. */
export interface Guard {
  /** The URL, where it may be asked for. Throws `URL_REFUSED` for one that no name service is needed to refuse. */
  check(text: string): URL;
  /**
   * For the socket that connects to this URL, and nobody else: a name is looked up once, every address it has is judged, and the socket
   * gets what was judged, so that a name which changes its answer (DNS rebinding) gains nothing.
   */
  lookupFor(url: URL): LookupFunction;
}

export function createGuard({ allowedHosts = [], ports = [80, 443], resolve = lookup as LookupFunction }: GuardOptions = {}): Guard {
  const allowed = new Set(allowedHosts.flatMap(placesOf));
  const isAllowed = (url: URL) => allowed.has(`${url.hostname}:${portOf(url)}`);
  return {
    check(text) {
      // Parsing would pass over control characters, and whoever keeps the text could not store them.
      if (!URL.canParse(text) || /[\p{Cc}\p{Surrogate}]/u.test(text)) throw new UserError('URL_REFUSED', `Expected a URL such as https://example.org/path but received "${text.slice(0, 100)}"`);
      const url = new URL(text);
      if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new UserError('URL_REFUSED', `Expected a URL that starts with http:// or https:// but received ${url.protocol.slice(0, 40)}`);
      if (url.username || url.password) throw new UserError('URL_REFUSED', `Expected a URL without a user name and password but received one with them for ${url.host}`);
      if (isAllowed(url)) return url;
      if (!ports.includes(portOf(url))) throw new UserError('URL_REFUSED', `Expected a URL with a usual port (${ports.join(', ')}) but received ${url.host}`);
      // This machine, whatever a name service says: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
      if (/(^|\.)localhost\.?$/.test(url.hostname)) throw notPublic(url);
      const literal = url.hostname.replace(/^\[|\]$/g, '');
      if (isIP(literal) && !isPublic(literal)) throw notPublic(url);
      return url;
    },
    lookupFor(url) {
      if (isAllowed(url)) return resolve;
      return (hostname, options, answer) => {
        resolve(hostname, { ...options, all: true }, (error, addresses) => {
          const found = Array.isArray(addresses) ? addresses : [{ address: addresses, family: isIP(addresses) }];
          if (error?.code === 'EAI_AGAIN') return answer(error, '');
          // One answer for "no such name" and "a private one": whoever asks learns no names of our network.
          if (error || found.length === 0 || !found.every(({ address }) => isPublic(address))) return answer(notPublic(url) as NodeJS.ErrnoException, '');
          if (options.all) answer(null, found);
          else answer(null, found[0]!.address, found[0]!.family);
        });
      };
    },
  };
}

/** Whether an address can belong to anybody on the internet: not to this machine, its network, its cloud, or a tunnel to them. */
export function isPublic(address: string): boolean {
  if (!isIP(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  // All that is given out of IPv6 lies in 2000::/3; outside are old forms that embed an IPv4 address, such as ::7f00:1.
  return parsed.kind() === 'ipv4' || parsed.match(ipaddr.parse('2000::'), 3);
}

const portOf = ({ protocol, port }: URL) => Number(port) || (protocol === 'https:' ? 443 : 80);

function placesOf(entry: string): string[] {
  const { hostname } = new URL(`http://${entry}`);
  const port = /:(\d+)$/.exec(entry)?.[1];
  return (port ? [port] : ['80', '443']).map((one) => `${hostname}:${one}`);
}

const notPublic = ({ host }: URL): Error =>
  new UserError('URL_REFUSED', `Expected a URL whose host has addresses on the internet, and only such, but received ${host}`, { hint: 'A server of your own network can be allowed by name with OUTWARD_ALLOWED_HOSTS' });
