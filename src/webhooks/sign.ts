import { createHmac, randomBytes } from 'node:crypto';

const prefix = 'whsec_';

/** A signing secret of 192 bits, as the Standard Webhooks libraries take it. */
export const newSecret = (): string => prefix + randomBytes(24).toString('base64');

/** The headers of a message (https://www.standardwebhooks.com): its id, which every try repeats, the moment of this try, and the signature over both and the body. */
export function signedHeaders(secret: string, id: string, body: string, at: Date = new Date()): Record<string, string> {
  const seconds = Math.floor(at.getTime() / 1000);
  const key = Buffer.from(secret.slice(prefix.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${signature}` };
}
