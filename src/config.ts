import { accessSync, constants, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { staticKeys } from './access/static-keys.ts';
import { weaknessOf } from './secret-strength.ts';

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, B: 1, KB: 1e3, MB: 1e6, GB: 1e9 } as const;

/** Text such as "30s" or "25MB" to milliseconds or bytes. */
function quantity(what: string, allowed: readonly (keyof typeof units)[]) {
  return z.string().transform((text, context) => {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim());
    const unit = allowed.find((name) => name.toLowerCase() === match?.[2]?.toLowerCase());
    if (match && unit && Number(match[1]) > 0) return Math.round(Number(match[1]) * units[unit]);
    context.addIssue(`Expected ${what} with a unit (${allowed.join(', ')}) but received "${text}"`);
    return z.NEVER;
  });
}
const duration = quantity('a duration', ['ms', 's', 'm', 'h']);
const byteSize = quantity('a size', ['B', 'KB', 'MB', 'GB']);
const count = z.string().regex(/^\d+$/, 'Expected a whole number').transform(Number);
/** A limit that may be lifted: 0 and "none" are none. */
const limit = z.string().regex(/^(\d+|none)$/, 'Expected a whole number or "none"').transform((text) => (text === 'none' ? 0 : Number(text)));
const byteLimit = z.union([z.enum(['0', 'none']).transform(() => 0), byteSize], { error: (issue) => `Expected a size with a unit (B, KB, MB, GB) or "none" but received "${String(issue.input)}"` });
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const url = z.string().refine(URL.canParse, 'Expected a URL');
const sizes = z
  .string()
  .regex(/^\s*((\d+|x\d+|\d+x\d+)\s*(,\s*|$))*$/, 'Expected sizes such as 320, x480 and 256x256, separated by commas')
  .transform((text) => text.split(',').map((size) => size.trim()).filter(Boolean));
const origin = z.string().refine(isOrigin, 'Expected http:// or https:// with a host, perhaps a port, and no path').transform((text) => new URL(text).origin);
const places = z
  .string()
  .transform((text) => text.split(',').map((place) => place.trim()).filter(Boolean))
  .refine((list) => list.every((place) => isOrigin(`http://${place}`)), 'Expected hosts such as files.example or 10.0.0.7:9000, separated by commas');
const readableFile = z.string().refine(canRead, { error: ({ input }) => `Expected a file that can be read but received "${String(input)}"` });
const secret = z.string().regex(/^[\x21-\x7e]+$/, 'Expected visible ASCII characters');

/** Text such as "generate=10m, model-3d=8m" to milliseconds by name. */
const durations = z.string().transform((text, context) => {
  const pairs = text.split(',').map((pair) => pair.trim()).filter(Boolean).map((pair) => pair.split('='));
  const parsed = pairs.map(([name, time, ...rest]) => [name?.trim(), rest.length > 0 ? undefined : duration.safeParse(time).data] as const);
  if (parsed.every(([name, ms]) => name && ms)) return Object.fromEntries(parsed) as Record<string, number>;
  context.addIssue(`Expected NAME=DURATION, separated by commas, such as "generate=10m,model-3d=8m" but received "${text}"`);
  return z.NEVER;
});
const cores = availableParallelism();

/** Every setting of Darkroom: one environment variable each. `.env.example` is printed from this, in this order. */
export const settings = {
  HOST: z.string().prefault('127.0.0.1').describe('The address to listen on. Any other than loopback needs JWT_SECRET, JWT_JWKS_URL or API_KEYS.'),
  PORT: count.prefault('4000').describe('The port to listen on; 0 takes a free one.'),
  PUBLIC_URL: url.optional().describe('Where clients reach this server; signed URLs start with it. Without it: http://localhost:PORT.'),
  ROLE: z.enum(['all', 'api', 'worker']).prefault('all').describe('What this process does. "api" and "worker" apart need DATABASE_URL and REDIS_URL, and S3_ENDPOINT or the same DATA_DIR.'),
  DATA_DIR: z.string().prefault('./data').describe('The folder for everything that is kept locally: database, files, spool, secrets. Without S3_ENDPOINT the files are here: then API and workers must have the same folder, on one machine or on a volume they share.'),

  DATABASE_URL: url.optional().describe('Postgres with pgvector. Behind a pooler that hands connections about, such as PgBouncer, with ?pgbouncer=true. Without it: PGlite in DATA_DIR, one process only.'),
  DB_POOL_SIZE: count.prefault('10').describe('Connections to Postgres at the most.'),
  DB_STATEMENT_TIMEOUT: duration.prefault('30s').describe('Postgres gives up on a statement after this long.'),
  REDIS_URL: url.optional().describe('Queue and events through Redis. Without it: inside this process.'),
  REDIS_PREFIX: z.string().regex(/^[\w-]+$/).prefault('darkroom').describe('Every key and channel in Redis starts with this.'),

  S3_ENDPOINT: origin.optional().describe('Files go to an object store that speaks S3 (cloud S3, Garage, SeaweedFS, Ceph RGW …), such as https://s3.eu-central-1.amazonaws.com. Without it: in DATA_DIR. Files do not move when this changes.'),
  S3_REGION: z.string().regex(/^[\w-]+$/).prefault('us-east-1').describe('The region of the store; for Garage its s3_region, "garage" by default.'),
  S3_BUCKET: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'Expected 3 to 63 lower-case letters, digits, dots and hyphens').optional().describe('A bucket for this Darkroom alone: under originals/, processed/ and uploads/ whatever no asset or upload refers to is removed. Pages of other origins that fetch files need a CORS rule on it.'),
  S3_ACCESS_KEY: secret.optional().describe('May list the bucket and its multipart uploads, and read, write and delete in it.'),
  S3_SECRET_KEY: secret.optional().describe('The secret of S3_ACCESS_KEY.'),
  S3_PUBLIC_ENDPOINT: origin.optional().describe('Where clients reach the store; signed URLs of files start with it. Without it: S3_ENDPOINT.'),
  S3_PATH_STYLE: flag.prefault('true').describe('Addresses as ENDPOINT/BUCKET; "false" for BUCKET.ENDPOINT.'),
  S3_ENCRYPTION: z.enum(['none', 'AES256']).prefault('none').describe('With "AES256" the store is asked to encrypt each object (SSE-S3); where it does not, Darkroom does not start.'),

  JWT_SECRET: z.string().min(32, 'Expected at least 32 characters').optional().describe('Viewers come with a JWT signed with this: HS256, with the claims "sub" and "exp", as of Supabase. Without it, JWT_JWKS_URL and API_KEYS: one local viewer, on loopback only.'),
  JWT_JWKS_URL: url.optional().describe('Viewers come with a JWT signed with a key that is published here (RS256, ES256, EdDSA …), such as https://PROJECT.supabase.co/auth/v1/.well-known/jwks.json. Needs JWT_ISSUER or JWT_AUDIENCE.'),
  JWT_ISSUER: z.string().optional().describe('The claim "iss" that tokens must have.'),
  JWT_AUDIENCE: z.string().transform((text) => text.split(',').map((one) => one.trim()).filter(Boolean)).optional().describe('The claim "aud" that tokens must have, such as authenticated for Supabase; any of several, separated by commas.'),
  JWT_TYPE: z.string().optional().describe('The header "typ" that tokens must have. With at+jwt ID tokens are refused where access tokens are expected.'),
  JWT_CLOCK_TOLERANCE: duration.prefault('5s').describe('How far the clock of the issuer may be off.'),
  JWT_ROLE_CLAIM: z.string().prefault('app_metadata.role').describe('The claim that makes an admin, by its name or its path. Viewers must not be able to change it themselves.'),
  JWT_ADMIN_ROLE: z.string().prefault('admin').describe('The value of that claim, or one of its values, that makes an admin.'),
  API_KEYS: staticKeys.prefault('').describe('Keys of programs, for small set-ups: NAME:SECRET or NAME:SECRET:SCOPES, separated by commas, the scopes by spaces, as in ci:0f3a…:images:write jobs:write. NAME is the viewer; without scopes a key allows everything but admin. Others are made with createApiKey.'),
  SIGNING_SECRET: z.string().min(32, 'Expected at least 32 characters').optional().describe('Signs the URLs of stored files and renditions. Without it: made once and kept in DATA_DIR; API processes that do not share that folder need it.'),
  CORS_ORIGINS: z.string().prefault('').transform((text) => text.split(',').map((origin) => origin.trim()).filter(Boolean)).describe('Origins whose pages may call this API, separated by commas.'),
  TRUSTED_PROXIES: z.string().prefault('').transform((text) => text.split(',').map((address) => address.trim()).filter(Boolean)).describe('Addresses or networks (10.0.0.0/8) of your proxies, separated by commas: what they write into X-Forwarded-For is believed. Without it everybody behind a proxy has the address of the proxy.'),

  LIMIT_REQUESTS: limit.optional().describe('Requests of one viewer in a minute, operations on sockets among them. Here and below "none" is no limit. Without it: 100; none for the one local viewer.'),
  LIMIT_COST: limit.optional().describe('Points that the queries of one viewer may cost in a minute; every answer tells in `extensions.cost` what it took. Without it: 20000; none for the one local viewer.'),
  LIMIT_QUERY_COST: limit.optional().describe('Points that one query may cost: a hundred jobs, and what they answer with. Without it: 10000; 50000 for the one local viewer.'),
  LIMIT_UPLOADS: limit.optional().describe('Files that one viewer may upload in a day. Without it: 2000; none for the one local viewer.'),
  LIMIT_STORED_BYTES: byteLimit.optional().describe('Bytes that the files of one viewer may have together. Without it: 10GB; none for the one local viewer.'),
  LIMIT_JOBS: limit.optional().describe('Jobs of one viewer that wait or run at a time. Without it: 1000; none for the one local viewer.'),
  LIMIT_RUNNING_JOBS: limit.prefault('none').describe('Jobs of one viewer that run at a time, of all workers together; the others wait. Workers share themselves out fairly without it.'),
  LIMIT_SUBSCRIPTIONS: limit.optional().describe('Subscriptions of one viewer at a time, on all his sockets and streams together. Without it: 100; none for the one local viewer.'),
  LIMIT_WRONG_TOKENS: limit.prefault('100').describe('Wrong tokens from one address in a minute; then it is refused until the minute is over.'),

  UPLOAD_MAX_FILES: count.prefault('25').describe('Files in one request at the most.'),
  UPLOAD_MAX_BYTES: byteSize.prefault('25MB').describe('Size of one file at the most.'),
  UPLOAD_LIFETIME: duration.prefault('24h').describe('An upload that was opened with createUploads must be completed within this time; at most 7 days (168h).'),
  UPLOAD_MIN_SIDE: count.prefault('50').describe('Shorter side of an image in pixels, at the least.'),
  UPLOAD_MAX_SIDE: count.prefault('16384').describe('Longer side of an image in pixels, at the most.'),
  UPLOAD_MAX_PIXELS: count.prefault('64000000').describe('Pixels of an image at the most.'),
  UPLOAD_MAX_AVIF_PIXELS: count.prefault('32000000').describe('Pixels of an AVIF or HEIC image at the most; they decode into far more memory than others.'),
  UPLOAD_MAX_FRAMES: count.prefault('1000').describe('Frames of an animated image at the most.'),

  IMPORT_PREFIX: z.string().regex(/^([\w-][\w.-]*|\{viewer\})(\/([\w-][\w.-]*|\{viewer\}))*\/$/, 'Expected a prefix such as incoming/ or incoming/{viewer}/').optional().describe('Objects of S3_BUCKET whose keys start with this can be imported by their keys, by every viewer; {viewer} in it stands for the id of the viewer, so that each reaches only what is his. Without it: no keys.'),
  OUTWARD_ALLOWED_HOSTS: places.prefault('').describe('Hosts that URLs from clients and providers may lead to although they have private addresses, as HOST (ports 80 and 443) or HOST:PORT, separated by commas. Without it: addresses on the internet only, on ports 80 and 443.'),

  AUDIO_MAX_BYTES: byteSize.prefault('10MB').describe('Size of one recording at the most, where UPLOAD_MAX_BYTES is not less.'),
  AUDIO_MAX_SECONDS: count.prefault('1800').describe('Length of one recording in seconds, at the most.'),

  RENDITION_MAX_SIDE: count.prefault('4096').describe('Longer side of a rendition in pixels, at the most.'),
  RENDITION_SIZES: sizes.prefault('').describe('The only sizes that clients may ask for, at the default quality: WIDTH, xHEIGHT or WIDTHxHEIGHT, separated by commas. Without it: any.'),
  RENDITION_CACHE_SIZE: byteSize.prefault('1GB').describe('Renditions kept in DATA_DIR/cache; those not used for the longest time go first.'),

  CDN_BASE_URL: origin.optional().describe('Where clients find what is public, such as https://cdn.example.com: a CDN that fetches from this server and keeps what it gave. Without it: PUBLIC_URL.'),
  PUBLIC_MAX_AGE: duration.prefault('1h').describe('CDNs and browsers keep what is public for so long. What was made private again, or deleted, is gone from here at once, but copies of it live on up to this long and a minute more.'),

  ANALYZE_PROVIDER: z.enum(['auto', 'local', 'azure-vision']).prefault('auto').describe('Who analyses when the client does not say. "auto": azure-vision when it is set up, and local when that fails or is not.'),
  AZURE_VISION_ENDPOINT: url.optional().describe('The endpoint of an Azure Computer Vision resource, such as https://NAME.cognitiveservices.azure.com.'),
  AZURE_VISION_KEY: secret.optional().describe('One of the two keys of that resource.'),
  PROVIDER_TIMEOUT: duration.prefault('30s').describe('A provider that has not answered a call after this long is given up.'),

  GENERATE_PROVIDER: z.enum(['auto', 'local', 'openai', 'fal']).prefault('auto').describe('Who generates pictures when the client does not say. "auto": openai or fal when it is set up, and local, which is no AI model, when neither is.'),
  OPENAI_BASE_URL: url.prefault('https://api.openai.com/v1').describe('An API that generates images as OpenAI\'s does; without the path /images/generations.'),
  OPENAI_API_KEY: secret.optional().describe('A key of it; anything where the API asks for none.'),
  OPENAI_IMAGE_MODEL: z.string().regex(/^[\w./:-]{1,200}$/).prefault('gpt-image-1').describe('The model that generates images there.'),
  ELEVENLABS_API_KEY: secret.optional().describe('A key of ElevenLabs, for clone-voice.'),
  ELEVENLABS_BASE_URL: url.prefault('https://api.elevenlabs.io').describe('Where its API is.'),
  FAL_KEY: secret.optional().describe('A key of fal.ai, for every operation that can run there.'),
  FAL_QUEUE_URL: url.prefault('https://queue.fal.run').describe('Where fal\'s queue is.'),
  FAL_IMAGE_MODEL: z.string().regex(/^[\w.-]+(\/[\w.-]+)+$/, 'Expected the name of an endpoint such as fal-ai/flux/schnell').prefault('fal-ai/flux/schnell').describe('The model that generates images at fal.'),
  MODEL_3D_PROVIDER: z.enum(['auto', 'local', 'fal']).prefault('auto').describe('Who makes 3D models when the client does not say. "auto": fal when it is set up, and local, which makes rounded silhouettes and reliefs, when it is not.'),
  FAL_3D_MODEL: z.string().regex(/^[\w.-]+(\/[\w.-]+)+$/, 'Expected the name of an endpoint such as fal-ai/triposr').prefault('fal-ai/triposr').describe('The model that makes 3D models at fal: one that takes image_url and answers with a GLB.'),

  U2NET_MODEL_PATH: readableFile.optional().describe('An ONNX file of U²-Net, U²-Netp or IS-Net, for cut-outs that know things by their look. Without it: cut-outs without weights.'),

  JOB_CONCURRENCY: count.prefault(String(cores + 2)).describe('Jobs that one worker process works on at a time: one more than COMPUTE_PROCESSES, so that the next picture is there when one of these is done. While the result of one is written down, the next one may begin.'),
  JOB_TIMEOUT: duration.prefault('4m').describe('After this long a job is asked to stop.'),
  JOB_HARD_TIMEOUT: duration.prefault('5m').describe('After this long it is stopped.'),
  JOB_TIMEOUTS: durations.prefault('').describe('JOB_TIMEOUT of single operations, such as "generate=10m,model-3d=8m"; each is stopped as much later as JOB_HARD_TIMEOUT is after JOB_TIMEOUT.'),
  JOB_LEASE: duration.prefault('30s').describe('A worker that was silent for this long has lost its job.'),
  JOB_MAX_FAILURES: count.prefault('3').describe('A job that failed this often is FAILED for good.'),
  JOB_RETRY_DELAY: duration.prefault('1s').describe('Wait before the first retry; doubles each time, with jitter.'),
  JOB_CACHE_TTL: duration.prefault('24h').describe('So long a completed job answers for the same work: the same bytes, operation, parameters, provider and version of its model.'),
  COMPUTE_PROCESSES: count.prefault(String(cores + 1)).describe('Child processes that touch pixels: one more than cores, which are all busy then while one waits for the server.'),
  COMPUTE_MEMORY: byteSize.prefault('1GB').describe('A child above this is killed; its job fails alone.'),
  SHUTDOWN_TIMEOUT: duration.prefault('10s').describe('Running jobs get this long to end at a stop; then they go back to the queue.'),

  GRAPHQL_INTROSPECTION: flag.optional().describe('Describe the schema to whoever may ask, and suggest names for misspelt ones. Without it: only where HOST is loopback; "false" behind a proxy on the same machine.'),
  GRAPHQL_MAX_TOKENS: count.prefault('2000').describe('Words and signs in the text of one query at the most.'),
  GRAPHQL_MAX_DEPTH: count.prefault('15').describe('Levels of fields in a query at the most; what GraphiQL asks of the schema has 15.'),
  GRAPHQL_MAX_FIELDS: count.prefault('1000').describe('Fields in a query at the most, each fragment counted wherever it is used.'),
  GRAPHQL_MAX_ALIASES: count.prefault('100').describe('Aliases in a query at the most.'),
  GRAPHQL_MAX_DIRECTIVES: count.prefault('50').describe('Directives in a query at the most.'),
  GRAPHQL_COMPILE_AFTER: count.prefault('10').describe('A query, or the answer to an event of a subscription, that is asked for so often is compiled to code of its own, which answers faster; 0: none is.'),
  PERSISTED_OPERATIONS: z.string().optional().describe('A JSON file { "hash": "document" }, as the client preset of GraphQL Code Generator writes it: only these operations are answered, by documentId, by extensions.persistedQuery.sha256Hash or by their text. Without it: any.'),
  GRAPHIQL: flag.optional().describe('Serve GraphiQL at /graphql. Without it: where the schema is described and any operation is answered.'),
  NODE_ENV: z.string().optional().describe('With "production", as with any HOST but loopback, secrets that could be guessed refuse to start.'),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).prefault('info').describe('The least severe lines to log.'),
};

const isLoopback = (host: string) => ['127.0.0.1', '::1', 'localhost'].includes(host);

function canRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username } = new URL(text);
  return /^https?:$/.test(protocol) && pathname === '/' && !search && !hash && !username;
}

const schema = z.object(settings);
export type Config = z.infer<typeof schema> & { PUBLIC_URL: string; GRAPHQL_INTROSPECTION: boolean; GRAPHIQL: boolean };

/** A start that cannot work: the message lists everything that is wrong at once. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(`Darkroom cannot start with these settings:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Settings from environment variables; an empty variable counts as absent. Throws `ConfigError` with every fault in one message. */
export function readConfig(environment: Record<string, string | undefined>): Config {
  const present = Object.fromEntries(Object.entries(environment).filter(([name, value]) => name in settings && value !== ''));
  const parsed = schema.safeParse(present);
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));

  const { HOST, PORT, PUBLIC_URL = `http://localhost:${PORT}`, GRAPHQL_INTROSPECTION = isLoopback(HOST), PERSISTED_OPERATIONS } = parsed.data;
  const config = {
    ...parsed.data,
    PUBLIC_URL: PUBLIC_URL.replace(/\/$/, ''),
    GRAPHQL_INTROSPECTION,
    GRAPHIQL: parsed.data.GRAPHIQL ?? (GRAPHQL_INTROSPECTION && !PERSISTED_OPERATIONS),
  };
  const problems = contradictions(config);
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

/** Whether it is, or leads to, what lies in the store for all viewers: nobody imports from there. */
export const isOurs = (key: string): boolean => /^(originals|processed|uploads)\//.test(key);

/** Combinations that would lose data or let strangers in. */
function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const apart = config.ROLE !== 'all';
  if (apart && !config.DATABASE_URL) problems.push(`ROLE=${config.ROLE} needs DATABASE_URL: the embedded database belongs to one process, so API and worker must share it (ROLE=all)`);
  if (apart && !config.REDIS_URL) problems.push(`ROLE=${config.ROLE} needs REDIS_URL: without it API and worker cannot hear each other`);
  if (!needsCredential(config) && !isLoopback(config.HOST)) {
    problems.push(`HOST=${config.HOST} needs JWT_SECRET, JWT_JWKS_URL or API_KEYS: without one everybody who reaches this address is the one local viewer`);
  }
  for (const proxy of config.TRUSTED_PROXIES) {
    const [address = '', length, ...rest] = proxy.split('/');
    const bits = isIP(address) === 6 ? 128 : 32;
    if (!isIP(address) || rest.length > 0 || (length !== undefined && !(/^\d+$/.test(length) && Number(length) <= bits))) problems.push(`TRUSTED_PROXIES: Expected addresses such as 10.0.0.7 and networks such as 10.0.0.0/8 but received "${proxy}"`);
  }
  if (config.GRAPHIQL && !config.GRAPHQL_INTROSPECTION) problems.push('GRAPHIQL=true needs GRAPHQL_INTROSPECTION=true: the editor asks for the schema');
  if (config.GRAPHIQL && config.PERSISTED_OPERATIONS) problems.push('GRAPHIQL=true and PERSISTED_OPERATIONS do not go together: the editor sends operations of its own');
  // One issuer may sign for many apps with the same keys.
  if (config.JWT_JWKS_URL && !config.JWT_ISSUER && !config.JWT_AUDIENCE?.length) problems.push('JWT_JWKS_URL needs JWT_AUDIENCE or JWT_ISSUER: without them the tokens of other apps of the same issuer would be good here');
  problems.push(...weakSecrets(config));
  if (config.JOB_HARD_TIMEOUT <= config.JOB_TIMEOUT) problems.push('JOB_HARD_TIMEOUT must be longer than JOB_TIMEOUT');
  if (config.UPLOAD_MIN_SIDE > config.UPLOAD_MAX_SIDE) problems.push('UPLOAD_MIN_SIDE must not be above UPLOAD_MAX_SIDE');
  if (config.UPLOAD_MAX_BYTES > 2_000_000_000) problems.push('UPLOAD_MAX_BYTES must not be above 2GB');
  if (config.UPLOAD_LIFETIME > 7 * 24 * 3_600_000) problems.push('UPLOAD_LIFETIME must not be above 168h: signatures of an object store last no longer');
  if (config.IMPORT_PREFIX && !config.S3_ENDPOINT) problems.push('IMPORT_PREFIX needs S3_ENDPOINT: without an object store nobody but Darkroom puts objects anywhere');
  if (config.IMPORT_PREFIX && isOurs(config.IMPORT_PREFIX)) problems.push(`IMPORT_PREFIX must not be ${config.IMPORT_PREFIX}: what lies there is Darkroom's own, of all viewers`);
  const azure = { AZURE_VISION_ENDPOINT: config.AZURE_VISION_ENDPOINT, AZURE_VISION_KEY: config.AZURE_VISION_KEY };
  const missing = Object.entries(azure).filter(([, value]) => !value).map(([name]) => name);
  if (config.ANALYZE_PROVIDER === 'azure-vision' && missing.length > 0) problems.push(`ANALYZE_PROVIDER=azure-vision needs ${missing.join(' and ')}`);
  else if (missing.length === 1) problems.push(`AZURE_VISION_ENDPOINT and AZURE_VISION_KEY belong together, but ${missing.join()} is missing`);
  if (config.GENERATE_PROVIDER === 'openai' && !config.OPENAI_API_KEY) problems.push('GENERATE_PROVIDER=openai needs OPENAI_API_KEY');
  for (const name of ['GENERATE_PROVIDER', 'MODEL_3D_PROVIDER'] as const) {
    if (config[name] === 'fal' && !config.FAL_KEY) problems.push(`${name}=fal needs FAL_KEY`);
  }
  problems.push(...s3Problems(config));
  // WebP ends there.
  if (config.RENDITION_MAX_SIDE < 1 || config.RENDITION_MAX_SIDE > 16_383) problems.push(`RENDITION_MAX_SIDE must be between 1 and 16383 but is ${config.RENDITION_MAX_SIDE}`);
  // Ten of the largest must fit between two looks at what is there.
  if (config.RENDITION_CACHE_SIZE < 100_000_000) problems.push('RENDITION_CACHE_SIZE must be at least 100MB');
  for (const name of ['JOB_CONCURRENCY', 'COMPUTE_PROCESSES', 'UPLOAD_MAX_FILES', 'JOB_MAX_FAILURES', 'GRAPHQL_MAX_TOKENS', 'GRAPHQL_MAX_DEPTH', 'GRAPHQL_MAX_FIELDS'] as const) {
    if (config[name] < 1) problems.push(`${name} must be at least 1`);
  }
  return problems;
}

/** Whether a viewer must come with a token or key. Where not, everybody is the one local viewer. */
export const needsCredential = ({ JWT_SECRET, JWT_JWKS_URL, API_KEYS }: Pick<Config, 'JWT_SECRET' | 'JWT_JWKS_URL' | 'API_KEYS'>): boolean => Boolean(JWT_SECRET || JWT_JWKS_URL || API_KEYS.length > 0);

/** Others can reach this server, or it says so of itself. */
function weakSecrets(config: Config): string[] {
  if (isLoopback(config.HOST) && config.NODE_ENV !== 'production') return [];
  const secrets = [['JWT_SECRET', config.JWT_SECRET], ['SIGNING_SECRET', config.SIGNING_SECRET], ...config.API_KEYS.map(({ name, secret }) => [`The secret of ${name} in API_KEYS`, secret])];
  return secrets.flatMap(([name, value]) => {
    const weakness = value && weaknessOf(value);
    return weakness ? [`${name} is no secret: ${weakness}. Make one with: openssl rand -hex 32`] : [];
  });
}

/** Whatever of the settings nobody may read, so that it can be kept out of the log. */
export function secretsOf(config: Config): string[] {
  const named = Object.entries(config).flatMap(([name, value]) => (/_(SECRET|KEY|TOKEN|PASSWORD)$/.test(name) && typeof value === 'string' ? [value] : []));
  const inUrls = [config.DATABASE_URL, config.REDIS_URL].flatMap((text) => (text && new URL(text).password ? [new URL(text).password, decodeURIComponent(new URL(text).password)] : []));
  return [...named, ...inUrls, ...config.API_KEYS.map(({ secret }) => secret)].filter((secret) => secret.length >= 8);
}

function s3Problems({ S3_ENDPOINT, S3_PUBLIC_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY }: Config): string[] {
  const needed = { S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY };
  const given = Object.entries({ ...needed, S3_PUBLIC_ENDPOINT }).filter(([, value]) => value).map(([name]) => name);
  if (!S3_ENDPOINT) return given.length > 0 ? [`${given.join(', ')} without S3_ENDPOINT: files would stay on this disk`] : [];
  const missing = Object.entries(needed).filter(([, value]) => !value).map(([name]) => name);
  return missing.length > 0 ? [`S3_ENDPOINT needs ${missing.join(', ')}`] : [];
}

/** The object store, where one is set up. */
export function s3Settings({ S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey, ...config }: Config) {
  if (!endpoint || !bucket || !accessKey || !secretKey) return null;
  return { endpoint, bucket, accessKey, secretKey, publicEndpoint: config.S3_PUBLIC_ENDPOINT ?? endpoint, region: config.S3_REGION, pathStyle: config.S3_PATH_STYLE, encryption: config.S3_ENCRYPTION };
}

/** The text of `.env.example`: every setting with its description and default. */
export function envExample(): string {
  const ofMachine: Record<string, string> = { JOB_CONCURRENCY: '(number of cores, and two)', COMPUTE_PROCESSES: '(number of cores, and one)' };
  const blocks = Object.entries(settings).map(([name, setting]) => {
    const fallback = setting instanceof z.ZodPrefault ? String(setting.def.defaultValue) : '';
    return `# ${setting.description}\n# ${name}=${ofMachine[name] ?? fallback}\n`;
  });
  return `# The settings of Darkroom, all optional. Printed from src/config.ts by \`npm run generate\`; change it there.\n\n${blocks.join('\n')}`;
}
