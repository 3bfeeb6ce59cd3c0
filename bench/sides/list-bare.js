import { Buffer } from 'node:buffer';
import { createServer } from 'node:http';
import process from 'node:process';
import pg from 'pg';
import { expiryOf, signGrant } from '../../dist/storage/signature.js';
import { answer } from './side.js';

/** What a patient person would write by hand for this one list: three statements, and an object literal. */
const port = Number(process.env.PORT);
const secret = process.env.SIGNING_SECRET;
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.DB_POOL_SIZE) });

const page = `with found as (select asset.id, null::float8 as score, asset.created_at as position from asset where asset.owner_id = $1 and asset.kind = 'IMAGE')
  select id, score, position from found order by position desc, id desc limit $2`;
const images = `select id, filename, width, height, storage_key from asset where id = any($1::uuid[]) and owner_id = $2 and kind = 'IMAGE'`;
const tags = `select asset_id, source, name from image_tag where source = 'user' and asset_id = any($1::uuid[]) order by name`;

async function list(first) {
  const found = (await pool.query({ name: 'page', text: page, values: ['local', first + 1] })).rows;
  const wanted = found.slice(0, first);
  const ids = wanted.map((row) => row.id);
  const rows = new Map((await pool.query({ name: 'images', text: images, values: [ids, 'local'] })).rows.map((row) => [row.id, row]));
  const words = group((await pool.query({ name: 'tags', text: tags, values: [ids] })).rows);
  const edges = wanted.map(({ id, position }) => {
    const row = rows.get(id);
    return {
      node: {
        id: globalId(id),
        filename: row.filename,
        width: row.width,
        height: row.height,
        userTags: (words.get(id) ?? []).map((tag) => tag.name),
        url: {
          url: `http://127.0.0.1:${port}${signGrant(secret, { key: row.storage_key, expires: expiryOf(3600), inline: false })}`,
          expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
        },
      },
      cursor: Buffer.from(JSON.stringify([position.toISOString(), id])).toString('base64url'),
    };
  });
  return { data: { images: { edges: edges.map(({ node }) => ({ node })), pageInfo: { hasNextPage: found.length > first, endCursor: edges.at(-1)?.cursor ?? null } } } };
}

const globalId = (id) => Buffer.from(`Image:${id}`).toString('base64');

function group(rows) {
  const groups = new Map();
  for (const row of rows) {
    const list = groups.get(row.asset_id);
    if (list) list.push(row);
    else groups.set(row.asset_id, [row]);
  }
  return groups;
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    try {
      const { variables } = JSON.parse(Buffer.concat(chunks).toString());
      const body = Buffer.from(JSON.stringify(await list(variables.first)));
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
});
server.listen(port, '127.0.0.1', () => answer(() => null));
