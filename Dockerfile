# docker build -t darkroom .
# docker run --init -p 127.0.0.1:4000:4000 -v darkroom:/data -e JWT_SECRET=… darkroom
# Without further settings the database and the files are in /data; docker-compose.yml has the grown-up siblings.

FROM node:20 AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run generate -- --client && npm run build

FROM node:20-slim AS packages
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
# Prisma's command line is an optional peer of its client; npm would bring it along, and 220 MB with it.
RUN npm ci --omit=dev --legacy-peer-deps && npm cache clean --force

FROM node:20-slim
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Migrations are applied at every start, and by `node dist/main.js migrate`.
COPY prisma ./prisma
COPY package.json LICENSE ./
USER node
VOLUME /data
EXPOSE 4000
# As `npm start`: with twice the room for what lives shortly, it is collected less often; and the engine has as many threads in the
# background as there are other CPUs, where it has four otherwise, which on a small machine stand in the way of the answer.
CMD ["node", "--max-semi-space-size=32", "--v8-pool-size=0", "dist/main.js"]
